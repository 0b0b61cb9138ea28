"""Epochs of a journal: whose numbers its records have. One, until it turns out that the file was copied.

A restored backup or a cloned card gives numbers a second time that its twin has used. From the moment that
this is known the file goes on in an epoch of its own. What was stored keeps its old name for ever; what the
cloud has not got, because it is owed or because its number was taken, gets a new number, in order and with
its own time. Inside the journal's transactions; none is begun here.
"""

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from edge.store.stamps import stamp, stream_of, trusted
from shared import codec
from shared.clock import Now
from shared.messages import NUMBER_TAKEN
from shared.records import SCHEMA_VERSION, Body, Header, Record, dump_record, parse_record

# All bodies of the new epoch: one that opens it, those that moved, and what follows them.
Begin = Callable[[Sequence[Record]], Sequence[Body]]

_MOVES: Final = f"(state = 'owed' OR (state = 'parked' AND refused = '{NUMBER_TAKEN}')) AND seq > ?"


@dataclass(frozen=True, slots=True)
class Epochs:
    """`epoch` is the present one; `after` is the last place before its first record.

    `spans`: of every epoch, the place before its first record and that of its last; None for the present one.
    """

    epoch: str
    after: int
    spans: dict[str, tuple[int, int | None]]

    @property
    def forked_from(self) -> str | None:
        """The epoch before the present one."""
        return next((epoch for epoch, (_, end) in self.spans.items() if end == self.after), None)

    def placed(self, epoch: str, ranges: Sequence[tuple[int, int]], newest: int) -> list[tuple[int, int]]:
        """Places of an epoch's numbers, as far as there are any. `newest`: the last place of all."""
        if epoch not in self.spans:
            return []
        after, end = self.spans[epoch]
        last = newest if end is None else end
        return [(a + after, min(b + after, last)) for a, b in ranges if a + after <= last]


def read(db: sqlite3.Connection) -> Epochs:
    rows = db.execute("SELECT after, epoch FROM epoch ORDER BY after").fetchall()
    ends = [*(after for after, _ in rows[1:]), None]
    spans = {epoch: (after, end) for (after, epoch), end in zip(rows, ends, strict=True)}
    after, epoch = rows[-1]
    return Epochs(epoch, after, spans)


def make(db: sqlite3.Connection, after: int) -> str:
    epoch = secrets.token_hex(6)
    db.execute("INSERT INTO epoch (after, epoch) VALUES (?, ?)", (after, epoch))
    return epoch


def owed_from(db: sqlite3.Connection, epochs: Epochs) -> int | None:
    (place,) = db.execute(
        "SELECT min(seq) FROM record WHERE state = 'owed' AND seq > ?", (epochs.after,)
    ).fetchone()
    return None if place is None else place - epochs.after


def taken(db: sqlite3.Connection, epochs: Epochs) -> int | None:
    (place,) = db.execute(
        "SELECT max(seq) FROM record WHERE state = 'parked' AND refused = ? AND seq > ?",
        (NUMBER_TAKEN, epochs.after),
    ).fetchone()
    return None if place is None else place - epochs.after


def fork(
    db: sqlite3.Connection, machine: str, epochs: Epochs, newest: int, begin: Begin, now: Now
) -> tuple[int, int]:
    """Returns place and time of the newest record afterwards. `newest`: its place before."""
    rows = db.execute(
        f"SELECT at_ns, body FROM record WHERE {_MOVES} ORDER BY seq",  # noqa: S608  # a constant of this file
        (epochs.after,),
    ).fetchall()
    moved = [parse_record(codec.unpack(body)) for _, body in rows]
    db.execute(f"DELETE FROM record WHERE {_MOVES}", (epochs.after,))  # noqa: S608  # the same
    epoch = make(db, newest)
    (at_ns,) = db.execute("SELECT coalesce(max(at_ns), 0) FROM record").fetchone()
    kept_times = [(_free_before(db, rows[0][0]), "estimated")] if rows else []
    kept_times += [(record.header.at_ns, record.header.clock) for record in moved]
    for number, body in enumerate(begin(moved), 1):
        if number <= len(kept_times):
            own_ns, clock = kept_times[number - 1]
        else:
            own_ns = stamp(now.wall_ns, at_ns, number)
            clock = trusted(now, own_ns, now.wall_ns)
        at_ns = max(at_ns, own_ns)
        header = Header.model_validate(
            {
                "v": SCHEMA_VERSION,
                "machine": machine,
                "epoch": epoch,
                "seq": number,
                "at_ns": own_ns,
                "clock": clock,
            }
        )
        db.execute(
            "INSERT INTO record (seq, at_ns, stream, body) VALUES (?, ?, ?, ?)",
            (newest + number, own_ns, stream_of(body), codec.pack(dump_record(header, body))),
        )
        last = number
    return newest + last, at_ns


def _free_before(db: sqlite3.Connection, at_ns: int) -> int:
    """A time just before this one that no record has."""
    at_ns -= 1
    while db.execute("SELECT 1 FROM record WHERE at_ns = ?", (at_ns,)).fetchone():
        at_ns -= 1
    return at_ns
