"""Figures for an operator's Prometheus: one table with each one's name, words and labels.

Every value of a label is in the table and there from the start, at 0; anything else counts as `other`. So
neither a machine nor whoever sends rubbish makes a series. The registry is the object's, not the program's.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from shared import topics

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OTHER: Final = "other"
_Made = Counter | Gauge | Histogram
_PREFIX: Final = "vend_cloud"
_WORK_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LAG_S: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3_600.0, 86_400.0, 604_800.0)
_UP: Final = tuple(topic.name for topic in topics.heard_by(topics.CLOUD_USER))
_RECORD_CODES: Final = (
    "bad_header",
    "bad_body",
    "unsupported_version",
    "other_machine",
    "wrong_topic",
    "database_refused",
    "number_taken",
    "seq_jump",
)
_MESSAGE_CODES: Final = (
    "revoked",
    "unknown_topic",
    "too_large",
    "malformed",
    "duplicate_key",
    "ext_type",
    "too_deep",
    "not_finite",
    "not_a_list",
    "bad_json",
    "wrong_direction",
)


@dataclass(frozen=True, slots=True)
class Metric:
    """`label` has one of `values`. `buckets`: a histogram's upper bounds, in its unit."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    what: str
    label: str = ""
    values: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        return f"{_PREFIX}_{self.name}"


METRICS: Final = (
    Metric("ready", "gauge", "1 while nothing keeps this process from its work; /ready says what does."),
    Metric("messages_total", "counter", "Messages taken in, by topic.", "topic", (*_UP, OTHER)),
    Metric("records_stored_total", "counter", "Records written to InfluxDB; sent again, counted again."),
    Metric(
        "records_refused_total",
        "counter",
        "Records of which the machine is told that they cannot be stored, by code.",
        "code",
        (*_RECORD_CODES, OTHER),
    ),
    Metric(
        "dead_letters_total",
        "counter",
        "Messages and records kept as dead letters, by code.",
        "code",
        (*_RECORD_CODES, *_MESSAGE_CODES, OTHER),
    ),
    Metric(
        "receipts_total",
        "counter",
        "Receipts to machines; a failed one is asked for again by its machine.",
        "outcome",
        ("sent", "failed"),
    ),
    Metric(
        "batch_seconds",
        "histogram",
        "From taking a batch to its last word on disk, seconds.",
        buckets=_WORK_S,
    ),
    Metric(
        "stored_lag_seconds",
        "histogram",
        "From a record's own time to stored, seconds; live ones arrived within a minute, late ones waited at"
        " their machine. Records with an estimated time are left out.",
        "arrival",
        ("live", "late"),
        _LAG_S,
    ),
    Metric("archived_bytes_total", "counter", "Bytes written to the archive."),
    Metric("influx_write_seconds", "histogram", "One write request to InfluxDB, seconds.", buckets=_WORK_S),
    Metric(
        "influx_retries_total",
        "counter",
        "Write requests that did not succeed and are tried again, by what InfluxDB answered.",
        "reason",
        ("away", "retry", "configuration", "too_large", "poison"),
    ),
    Metric("broker_connected", "gauge", "1 while connected to the broker."),
    Metric("broker_reconnects_total", "counter", "Connections to the broker that failed or were lost."),
    Metric("inbox_messages", "gauge", "Messages that came and wait for a batch."),
    Metric("inbox_bytes", "gauge", "Their payloads, bytes."),
    Metric("prices_waiting", "gauge", "Machines whose wanted price list is not published yet."),
    Metric("machines_online", "gauge", "Machines whose last word is that they are connected."),
)


class Metrics:
    """Thread-safe. Names are the table's; another one is a mistake of ours and raises KeyError."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._made = {key: made for row in METRICS for key, made in self._make(row)}

    def _make(self, row: Metric) -> Iterator[tuple[tuple[str, str], _Made]]:
        """By name and value of the label."""
        names = (row.label,) if row.label else ()
        made: _Made
        match row.kind:
            case "counter":
                made = Counter(row.full_name, row.what, names, registry=self._registry)
            case "gauge":
                made = Gauge(row.full_name, row.what, names, registry=self._registry)
            case "histogram":
                made = Histogram(row.full_name, row.what, names, buckets=row.buckets, registry=self._registry)
        if not row.label:
            yield (row.name, ""), made
        for value in row.values:
            yield (row.name, value), made.labels(value)

    def count(self, name: str, more: float = 1, value: str = "") -> None:
        """`value`: of the metric's label."""
        counter = self._child(name, value)
        assert isinstance(counter, Counter)
        counter.inc(more)

    def observe(self, name: str, amount: float, value: str = "") -> None:
        histogram = self._child(name, value)
        assert isinstance(histogram, Histogram)
        histogram.observe(amount)

    def read(self, name: str, look: Callable[[], float]) -> None:
        """What this gauge shows is asked for whenever somebody looks at it."""
        gauge = self._made[name, ""]
        assert isinstance(gauge, Gauge)
        gauge.set_function(look)

    def total(self, name: str) -> int:
        """Of a counter, over all values of its label."""
        return round(
            sum(
                sample.value
                for (known, _), made in self._made.items()
                if known == name
                for metric in made.collect()
                for sample in metric.samples
                if sample.name.endswith("_total")
            )
        )

    def _child(self, name: str, value: str) -> _Made:
        return self._made.get((name, value)) or self._made[name, OTHER]

    def text(self) -> bytes:
        return generate_latest(self._registry)
