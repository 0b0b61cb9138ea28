"""What is counted, and what is called wrong. The figures are read as Prometheus reads them."""

import re
import sqlite3
from contextlib import suppress

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cloud import watch as watching
from cloud.batch import Arrived, digest
from cloud.influx import Verdict
from cloud.ingest import Ingest
from cloud.metrics import METRICS, Metrics
from cloud.watch import Part, Watch
from shared import codec, topics
from tests.cloud.records import START_NS, arrived, boot, sale
from tests.cloud.test_ingest import FULL, Parts, drive

SECOND_NS = 10**9


class Clock:
    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


def figures(watch: Watch) -> dict[tuple[str, str], float]:
    """By name, and by the value of the label where there is one; a histogram's sums and counts."""
    return {
        (sample.name.removeprefix("vend_cloud_"), next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(watch.metrics.text().decode())
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_created"))
    }


def process(watch: Watch, *messages: Arrived, parts: Parts | None = None) -> None:
    parts = parts or Parts()
    drive(Ingest(parts, parts, parts, parts.nap, watch=watch).process(messages, [{}] * len(messages)))


def test_a_batch_in_figures() -> None:
    clock = Clock()
    watch = Watch(clock, lambda: START_NS + 90 * SECOND_NS)
    live = sale("m1", 1, at_ns=START_NS + 88 * SECOND_NS)
    late = sale("m1", 2, at_ns=START_NS)
    unsure = sale("m1", 3, clock="estimated")
    arrived_ns = START_NS + 89 * SECOND_NS
    process(
        watch,
        arrived("m1", live, late, unsure, sale("m1", 4, v=9), at_ns=arrived_ns),
        arrived("m1", boot("m1", 5), topic=topics.EVENT, at_ns=arrived_ns),
        Arrived("vend/v1/m1/sale", b"\xc1", 1, False, arrived_ns),
        Arrived("vend/v1/../sale", b"x", 1, False, arrived_ns),
    )
    found = figures(watch)
    assert {key: n for key, n in found.items() if n and not key[0].startswith(("batch", "stored"))} == {
        ("messages_total", "sale"): 2,
        ("messages_total", "event"): 1,
        ("messages_total", "other"): 1,
        ("records_stored_total", ""): 4,
        ("records_refused_total", "unsupported_version"): 1,
        ("dead_letters_total", "unsupported_version"): 1,
        ("dead_letters_total", "malformed"): 1,
        ("dead_letters_total", "unknown_topic"): 1,
    }
    assert (found["batch_seconds_count", ""], found["batch_seconds_sum", ""]) == (1, 0)
    assert (found["stored_lag_seconds_count", "live"], found["stored_lag_seconds_sum", "live"]) == (1, 2)
    # the boot record carries a time of long ago as well
    assert found["stored_lag_seconds_count", "late"] == 2
    assert found["stored_lag_seconds_sum", "late"] == pytest.approx(180, abs=0.1)


def test_what_the_database_refuses_is_not_counted_as_stored() -> None:
    watch, parts = Watch(), Parts()
    parts.refused = {0: "400 no"}
    process(watch, arrived("m1", sale("m1", 1), sale("m1", 2)), parts=parts)
    found = figures(watch)
    assert found["records_stored_total", ""] == 1
    assert found["records_refused_total", "database_refused"] == 1
    assert found["dead_letters_total", "database_refused"] == 1
    assert found["stored_lag_seconds_count", "live"] == 1


def test_hostile_senders_make_no_series() -> None:
    """Whatever comes: the names and labels are those of the first minute, and no machine is among them."""
    watch = Watch()
    before = figures(watch).keys()
    for n in range(50):
        process(
            watch,
            arrived(f"m{n}", {**sale(f"m{n}", 1), "kind": f"kind{n}"}, {"machine": f"x{n}"}),
            Arrived(f"vend/v1/m{n}/topic{n}", b"x", 1, False, 1),
            Arrived(topics.STATUS.of(f"m{n}"), b"{}" * n, 1, True, 1),
        )
    watch.wrote(1.0, "")
    watch.receipt(sent=True)
    assert figures(watch).keys() == before


def test_a_code_that_the_table_lacks_counts_as_other() -> None:
    watch = Watch()
    before = figures(watch)
    watch.metrics.count("dead_letters_total", 2, "m1\nforged 1")
    assert {key for key, n in figures(watch).items() if n != before.get(key)} == {
        ("dead_letters_total", "other")
    }


def test_every_reason_of_the_program_is_in_the_table() -> None:
    values = {row.name: set(row.values) for row in METRICS}
    assert {verdict.value for verdict in Verdict} == values["influx_retries_total"]
    poison = [
        b"\xc1",
        codec.pack({}),
        bytes(codec.MAX_MESSAGE_BYTES + 1),
        b"\x91" * 100 + b"\xc0",
        b"\x91\x82\xa1a\x01\xa1a\x01",
        b"\x91\xd4\x05\x00",
        b"\x91\xca\x7f\xc0\x00\x00",
        codec.pack([1, sale("m2", 1), sale("m1", 2, v=9), sale("m1", 3, slot=""), boot("m1", 4)]),
    ]
    batch = digest([Arrived(topics.SALE.of("m1"), payload, 1, False, 1) for payload in poison])
    batch.dead += digest(
        [
            Arrived("vend/v1/m1/x", b"x", 1, False, 1),
            Arrived(topics.STATUS.of("m1"), b"x", 1, True, 1),
            Arrived(topics.PRICES.of("m1"), b'{"version":1,"currency":"EUR","prices":{"A1":1}}', 1, True, 1),
        ]
    ).dead
    codes = {letter.code for letter in batch.dead}
    assert len(codes) > 12
    assert codes - values["dead_letters_total"] == set()
    refused = {refusal.reason for told in batch.refused.values() for refusal in told.values()}
    assert refused - values["records_refused_total"] == set()


def test_every_metric_of_the_table_is_shown_and_says_what_it_is() -> None:
    text = Metrics().text().decode()
    for row in METRICS:
        assert re.search(rf"^# HELP {row.full_name} \S.*\.$", text, re.MULTILINE), row.name
        assert re.search(rf"^{row.full_name}(_bucket)?[ {{]", text, re.MULTILINE), row.name


def test_at_first_the_broker_is_missing_and_then_nothing_is() -> None:
    watch = Watch()
    assert [t.part for t in watch.troubles()] == [Part.BROKER]
    assert figures(watch)["ready", ""] == figures(watch)["broker_connected", ""] == 0
    watch.connected(lambda: (3, 700))
    assert watch.troubles() == []
    found = figures(watch)
    assert [found[n, ""] for n in ("ready", "broker_connected", "inbox_messages", "inbox_bytes")] == [
        1,
        1,
        3,
        700,
    ]
    watch.disconnected("not connected: refused")
    found = figures(watch)
    assert [found[n, ""] for n in ("ready", "broker_connected", "inbox_messages", "inbox_bytes")] == [
        0,
        0,
        0,
        0,
    ]
    assert found["broker_reconnects_total", ""] == 1


def test_a_trouble_lasts_from_its_first_word() -> None:
    clock = Clock()
    watch = Watch(clock)
    watch.connected(lambda: (0, 0))
    watch.trouble(Part.INFLUX, "401 no")
    clock.s += 5
    watch.trouble(Part.INFLUX, "403 no")
    assert [(t.words, t.since_s) for t in watch.troubles()] == [("403 no", 1_000.0)]
    watch.well(Part.INFLUX)
    assert watch.troubles() == []


def test_a_batch_that_does_not_end_is_stuck_and_one_that_is_given_up_is_not() -> None:
    clock = Clock()
    watch = Watch(clock)
    watch.connected(lambda: (0, 0))
    with suppress(ConnectionError), watch.batch([]):
        clock.s += watching.STUCK_AFTER_S
        assert watch.troubles() == []
        clock.s += 1
        assert [t.part for t in watch.troubles()] == [Part.BATCH]
        raise ConnectionError
    assert watch.troubles() == []
    assert figures(watch)["batch_seconds_count", ""] == 0


def test_a_full_disk_is_trouble_until_there_is_room() -> None:
    watch = Watch()
    watch.connected(lambda: (0, 0))
    seen: list[list[str]] = []
    parts = Parts(archive=[FULL], keep=[sqlite3.OperationalError("database or disk is full")])

    async def nap(_pause_s: float) -> None:
        seen.append([f"{t.part}: {t.words}" for t in watch.troubles()])

    drive(Ingest(parts, parts, parts, nap, watch=watch).process([arrived("m1", sale("m1", 1))], [{}]))
    assert seen == [
        ["disk: cannot be used ([Errno 28] full); make room"],
        ["disk: cannot be used (database or disk is full); make room"],
    ]
    assert watch.troubles() == []
