"""What the parts of this process tell about their work: counted, and kept as what is wrong right now.

It changes nothing that the parts do. Every method returns at once and may be called from any thread.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cloud.batch import Arrived, Batch
from cloud.metrics import OTHER, Metrics
from shared import topics

STUCK_AFTER_S: Final = 60.0  # a batch takes less than a second; InfluxDB is tried every 30 s at least
_LIVE_NS: Final = 60 * 10**9
_KEPT: Final = 20_000  # lags and durations that nobody has asked for yet


class Part(StrEnum):
    BROKER = "broker"
    INFLUX = "influx"
    DISK = "disk"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Trouble:
    part: Part
    words: str
    since_s: float  # monotonic


class Watch:
    def __init__(
        self,
        monotonic_s: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.monotonic_s = monotonic_s
        self.metrics = Metrics()
        self._wall_ns = wall_ns
        self._troubles = {Part.BROKER: Trouble(Part.BROKER, "not connected yet", monotonic_s())}
        self._batch_since_s: float | None = None
        self._connected_s = monotonic_s()
        self.live_lags_s: deque[float] = deque(maxlen=_KEPT)
        self.writes_s: deque[float] = deque(maxlen=_KEPT)  # durations of requests to InfluxDB
        self._waiting: Callable[[], tuple[int, int]] = _nothing
        self.metrics.read("ready", lambda: not self.troubles())
        self.metrics.read("broker_connected", lambda: Part.BROKER not in self._troubles)
        self.metrics.read("inbox_messages", self.inbox_messages)
        self.metrics.read("inbox_bytes", lambda: self._waiting()[1])

    def trouble(self, part: Part, words: str) -> None:
        """This part cannot do its work. Said again, it is the same trouble since the first time."""
        known = self._troubles.get(part)
        self._troubles[part] = Trouble(part, words, known.since_s if known else self.monotonic_s())

    def well(self, part: Part) -> None:
        self._troubles.pop(part, None)

    def troubles(self) -> list[Trouble]:
        """All that keeps this process from its work at this moment."""
        found = list(self._troubles.values())
        since_s = self._batch_since_s
        if since_s is not None and self.monotonic_s() - since_s > STUCK_AFTER_S:
            found.append(Trouble(Part.BATCH, "messages are neither stored nor given up", since_s))
        return found

    def connected(self, waiting: Callable[[], tuple[int, int]]) -> None:
        """To the broker. `waiting`: messages and bytes in the inbox of this connection."""
        self._waiting = waiting
        self._connected_s = self.monotonic_s()
        self.well(Part.BROKER)

    def disconnected(self, words: str) -> None:
        self._waiting = _nothing
        self.metrics.count("broker_reconnects_total")
        self.trouble(Part.BROKER, words)

    def inbox_messages(self) -> int:
        return self._waiting()[0]

    def is_well(self, part: Part) -> bool:
        return part not in self._troubles

    def broker_since_s(self) -> float:
        """When the connection to the broker began, or when it was lost; monotonic."""
        away = self._troubles.get(Part.BROKER)
        return away.since_s if away else self._connected_s

    @contextmanager
    def batch(self, messages: Sequence[Arrived]) -> Iterator[None]:
        """Around the whole way of a batch. One that is given up, with its connection, has no duration."""
        by_topic = Counter(parsed[1].name if (parsed := topics.parse(m.topic)) else OTHER for m in messages)
        for name, count in by_topic.items():
            self.metrics.count("messages_total", count, name)
        since_s = self._batch_since_s = self.monotonic_s()
        try:
            yield
        finally:
            self._batch_since_s = None
        self.metrics.observe("batch_seconds", self.monotonic_s() - since_s)

    def settled(self, batch: Batch, refused: Collection[int]) -> None:
        """A batch is stored and its dead letters kept. `refused`: as the database said, by index of lines."""
        now_ns = self._wall_ns()
        stored = [line for i, line in enumerate(batch.lines) if line.key is not None and i not in refused]
        self.metrics.count("records_stored_total", len(stored))
        for line in stored:
            if line.made_ns is not None:
                is_live = line.source.arrived_ns - line.made_ns < _LIVE_NS
                lag_s = max(0, now_ns - line.made_ns) / 1e9
                self.metrics.observe("stored_lag_seconds", lag_s, "live" if is_live else "late")
                if is_live:
                    self.live_lags_s.append(lag_s)
        for code, count in Counter(
            r.reason for told in batch.refused.values() for r in told.values()
        ).items():
            self.metrics.count("records_refused_total", count, code)
        for code, count in Counter(letter.code for letter in batch.dead).items():
            self.metrics.count("dead_letters_total", count, code)

    def archived(self, size_bytes: int) -> None:
        self.metrics.count("archived_bytes_total", size_bytes)

    def wrote(self, seconds: float, failure: str) -> None:
        """A write request was answered, or was not. `failure`: what kind, nothing where it succeeded."""
        self.metrics.observe("influx_write_seconds", seconds)
        self.writes_s.append(seconds)
        if failure:
            self.metrics.count("influx_retries_total", 1, failure)

    def receipt(self, *, sent: bool) -> None:
        self.metrics.count("receipts_total", 1, "sent" if sent else "failed")


def _nothing() -> tuple[int, int]:
    return 0, 0
