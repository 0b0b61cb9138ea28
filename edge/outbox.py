"""Which owed records are on their way, and what goes next. No I/O: time and randomness are arguments.

Contract: only a receipt settles a record (`settled`). A PUBACK says at most that the broker has it; one of
0x80 or above, or 0x10 (nobody subscribed), says that nobody has. Records of a stream leave in order, in a
window bounded in messages and bytes, and no faster than the line takes them (edge/pace.py). When nothing that
the broker has is confirmed in time the window shrinks to one probing record, at growing intervals with
jitter, and opens again with the next receipt: an absent cloud costs a machine on a metered SIM a few hundred
bytes a minute, a returning one meets no herd.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge.pace import Pace
from edge.store.journal import Owed
from shared import codec, topics

MAX_RECORDS: Final = 100  # a message
MAX_BYTES: Final = 64 * 1024  # a message
WINDOW_MESSAGES: Final = 20  # measured fastest for paho between 20 and 100
WINDOW_BYTES: Final = 512 * 1024
RECEIPT_LIMIT_S: Final = 2.0  # after a PUBACK
BACKOFF_LIMIT_S: Final = 60.0
NUDGED_S: Final = 5.0  # a cloud that was away and speaks is tried within this
_NO_SUBSCRIBER: Final = 0x10
_FAILURE: Final = 0x80

Fetch = Callable[[str, int, int], list[Owed]]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to publish; `token` comes back with its PUBACK."""

    token: int
    stream: str
    payload: bytes


@dataclass(slots=True)
class _Flight:
    stream: str
    seqs: set[int]
    size: int
    acked: bool = False


@dataclass(slots=True)
class Outbox:
    """One machine's window. `rng` gives the jitter, so that a run can be repeated from its seed."""

    rng: random.Random
    pace: Pace
    max_bytes: int = MAX_BYTES
    _up: bool = False
    _cursor: dict[str, int] = field(default_factory=lambda: {topics.SALE.name: 0, topics.EVENT.name: 0})
    _flights: dict[int, _Flight] = field(default_factory=dict)
    _deadline_s: float | None = None  # when the silence counts as trouble
    _failures: int = 0  # times in a row without progress
    _resume_s: float | None = None  # no sending before, while backing off

    def connected(self, *, session_present: bool, max_packet_bytes: int | None, now_s: float) -> None:
        """A broker that knows our session may still hold what it acknowledged; all else is lost."""
        self._up = True
        self._failures = 0
        self._resume_s = None
        self.max_bytes = min(
            MAX_BYTES, (max_packet_bytes or MAX_BYTES) - 256
        )  # room for topic and properties
        if session_present and self._flights and all(flight.acked for flight in self._flights.values()):
            self._deadline_s = now_s + RECEIPT_LIMIT_S
        else:
            self.rewind()

    def disconnected(self) -> None:
        self._up = False
        self._deadline_s = None
        self._resume_s = None

    def take(self, fetch: Fetch, now_s: float) -> list[Outgoing]:
        """All messages that may leave now, oldest records first."""
        outgoing: list[Outgoing] = []
        if not self._up or (self._resume_s is not None and now_s < self._resume_s):
            return outgoing
        self._resume_s = None
        for stream in self._cursor:
            while self._has_room():
                message = self._message(stream, fetch, now_s)
                if message is None:
                    break
                outgoing.append(message)
        return outgoing

    def _has_room(self) -> bool:
        if self._failures:
            return not self._flights
        size = sum(flight.size for flight in self._flights.values())
        return len(self._flights) < WINDOW_MESSAGES and size < WINDOW_BYTES and self.pace.room_bytes() > 0

    def _message(self, stream: str, fetch: Fetch, now_s: float) -> Outgoing | None:
        owed = fetch(stream, self._cursor[stream], 1 if self._failures else MAX_RECORDS)
        most_bytes = min(self.max_bytes, self.pace.room_bytes())
        taken: list[Owed] = []
        size = 0
        for record in owed:
            if taken and size + len(record.body) > most_bytes:
                break
            taken.append(record)
            size += len(record.body)
        if not taken:
            return None
        self._cursor[stream] = taken[-1].seq
        payload = codec.join([record.body for record in taken])
        token = self.pace.sent(len(payload), now_s)
        self._flights[token] = _Flight(stream, {record.seq for record in taken}, size)
        return Outgoing(token, stream, payload)

    def acked(self, token: int, reason: int, now_s: float) -> None:
        """A PUBACK came. A bad one starts again from the oldest owed, after a pause."""
        flight = self._flights.get(token)
        if flight is None:
            return
        if reason == _NO_SUBSCRIBER or reason >= _FAILURE:
            self._back_off(now_s)
            return
        flight.acked = True
        if self._deadline_s is None:
            self._deadline_s = now_s + RECEIPT_LIMIT_S

    def settled(self, ranges: Sequence[tuple[int, int]], refused: Sequence[int], now_s: float) -> None:
        """A receipt came and is in the journal: room in the window, and proof that the way is open."""
        progress = False
        for token, flight in list(self._flights.items()):
            before = len(flight.seqs)
            flight.seqs.difference_update(refused)
            flight.seqs = {s for s in flight.seqs if not any(a <= s <= b for a, b in ranges)}
            progress |= len(flight.seqs) < before
            if not flight.seqs:
                del self._flights[token]
        if progress or self._resume_s is not None:  # a late one too says that the cloud is there
            self._failures = 0
            self._resume_s = None
            has_more = any(flight.acked for flight in self._flights.values())
            self._deadline_s = now_s + RECEIPT_LIMIT_S if has_more else None

    def nudged(self, now_s: float) -> None:
        """The cloud speaks, so it is there; not all machines that hear it must answer at once."""
        if self._resume_s is not None:
            self._resume_s = min(self._resume_s, now_s + NUDGED_S * self.rng.random())

    def tick(self, now_s: float) -> None:
        """Look at the clock: what the broker has and nobody confirms in time is sent again."""
        if self._up and self._deadline_s is not None and now_s >= self._deadline_s:
            self._back_off(now_s)

    def _back_off(self, now_s: float) -> None:
        self.rewind()
        pause_s = min(BACKOFF_LIMIT_S, RECEIPT_LIMIT_S * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        self._resume_s = now_s + pause_s * self.rng.uniform(0.5, 1.0)

    def rewind(self) -> None:
        """Nothing is under way any more: begin again with the oldest owed."""
        self._flights.clear()
        self._deadline_s = None
        self._cursor = dict.fromkeys(self._cursor, 0)

    def next_wake_s(self) -> float | None:
        """When `tick` or `take` has something to do without any event."""
        times = [t for t in (self._deadline_s, self._resume_s) if t is not None]
        return min(times, default=None)
