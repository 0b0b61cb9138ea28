"""The books of numbers: which records of each journal are stored, refused, on their way or missing.

A part of the cloud's database. `keep` belongs in the transaction that follows the write of a batch: what it
says is stored was in InfluxDB before. It is a set, so a record that comes again changes nothing; a lost or
older file is behind, and the machines' records fill it again.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloud.batch import Batch, Line, refuse
from cloud.database import connect
from cloud.ranges import Range, clusters, gaps, merged, ranges_of, within
from shared.messages import NUMBER_TAKEN, Mark, Status, Watermark

MAX_JUMP: Final = 10_000_000  # decades of records: a machine that skips more does not count, it invents
_NEARBY: Final = 1_000  # numbers: what lies farther apart is looked up apart
MARKS: Final = 8  # journals of a machine that its watermark names

Journal = tuple[str, str]  # machine and epoch


# ---- in the transactions of the ingest (cloud/store.py) ---------------------------------------------------


def screen(db: sqlite3.Connection, batch: Batch) -> list[Line]:
    """Refuse numbers that cannot be; returns the lines whose number is stored already.

    A number that nobody ever sent would make the watermark outrun the machine for ever. And of two records
    of a batch with one number, from two copies of a journal, the first has it.
    """
    lines: dict[Journal, dict[int, Line]] = {}
    repeats: list[
        tuple[Line, Line]
    ] = []  # a record whose number is in the batch already, and the first with it
    for line in batch.lines:
        if line.key is not None:
            machine, epoch, seq = line.key
            first = lines.setdefault((machine, epoch), {}).setdefault(seq, line)
            if first is not line:
                repeats.append((line, first))
    again: list[Line] = []
    far: list[Line] = []
    for journal, by_seq in lines.items():
        again += [by_seq[seq] for seq in _known(db, journal, by_seq)]
        reach = _reach(db, journal)
        if max(by_seq) > reach:
            far += [line for seq, line in by_seq.items() if seq > reach]
    known, beyond = {line.key for line in again}, {line.key for line in far}
    again += [line for line, _ in repeats if line.key in known]
    far += [line for line, _ in repeats if line.key in beyond]
    settled = known | beyond
    twins = [line for line, first in repeats if line.key not in settled and line.at_ns != first.at_ns]
    refuse(batch, twins, NUMBER_TAKEN, "another record of this batch has this number: the journal was copied")
    refuse(batch, far, "seq_jump", f"more than {MAX_JUMP} above every number of this journal so far")
    return again


def _known(db: sqlite3.Connection, journal: Journal, numbers: Collection[int]) -> set[int]:
    """Those that are stored."""
    known: set[int] = set()
    for part in clusters(ranges_of(numbers), _NEARBY):
        window = _window(db, journal, part[0][0], part[-1][1])
        if window:
            known |= within(sorted(numbers), window)
    return known


def _reach(db: sqlite3.Connection, journal: Journal) -> int:
    row = db.execute("SELECT highest FROM journal WHERE machine = ? AND epoch = ?", journal).fetchone()
    return (row["highest"] if row else 0) + MAX_JUMP


def keep(db: sqlite3.Connection, batch: Batch, at_ns: int) -> None:
    """What a batch changed. `at_ns`: when it arrived."""
    for journal, times in batch.stored.items():
        _heard(db, journal, at_ns)
        for part in clusters(ranges_of(times), _NEARBY):
            _store(db, journal, part)
        _not_refused(db, journal, times)
        highest = max(times)
        db.execute(
            "UPDATE journal SET highest = ?, highest_ns = ? WHERE machine = ? AND epoch = ? AND highest < ?",
            (highest, times[highest], *journal, highest),
        )
    for journal, refusals in batch.refused.items():
        _heard(db, journal, at_ns)
        db.executemany(
            "INSERT OR REPLACE INTO refused_record VALUES (?, ?, ?, ?)",
            [
                (*journal, seq, told.reason)
                for seq, told in refusals.items()
                if not _known(db, journal, [seq])
            ],
        )
    for machine, status in batch.status.items():
        if status.online:  # the last will repeats what was true when the connection began
            _said(db, machine, status, at_ns)


def _heard(db: sqlite3.Connection, journal: Journal, at_ns: int) -> None:
    db.execute(
        "INSERT INTO journal (machine, epoch, first_heard_ns, last_heard_ns) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (machine, epoch) "
        "DO UPDATE SET last_heard_ns = max(last_heard_ns, excluded.last_heard_ns)",
        (*journal, at_ns, at_ns),
    )


def _said(db: sqlite3.Connection, machine: str, status: Status, at_ns: int) -> None:
    _heard(db, (machine, status.epoch), at_ns)
    db.execute(
        "UPDATE journal SET last_seq = ?, owed_from = ?, owed = ?, parked = ? "
        "WHERE machine = ? AND epoch = ?",
        (status.last_seq, status.owed_from, status.owed, status.parked, machine, status.epoch),
    )
    if status.forked_from is not None:  # what it claimed there has new numbers, or is its twin's to claim
        db.execute(
            "UPDATE journal SET last_seq = NULL, owed_from = NULL WHERE machine = ? AND epoch = ?",
            (machine, status.forked_from),
        )
    db.execute(
        "INSERT INTO greeting (machine, heard_ns) VALUES (?, ?) "
        "ON CONFLICT (machine) DO UPDATE SET heard_ns = excluded.heard_ns",
        (machine, status.since_ns),
    )


def _window(db: sqlite3.Connection, journal: Journal, first: int, last: int) -> list[Range]:
    """Stored ranges that overlap or adjoin this span, in order."""
    (start,) = db.execute(
        "SELECT max(first) FROM stored_range WHERE machine = ? AND epoch = ? AND first <= ?",
        (*journal, first),
    ).fetchone()
    rows = db.execute(
        "SELECT first, last FROM stored_range WHERE machine = ? AND epoch = ? AND first BETWEEN ? AND ? "
        "ORDER BY first",
        (*journal, first if start is None else start, last + 1),
    )
    return [(low, high) for low, high in rows if high >= first - 1]


def _store(db: sqlite3.Connection, journal: Journal, ranges: Sequence[Range]) -> None:
    before = _window(db, journal, ranges[0][0], ranges[-1][1])
    after = merged([*before, *ranges])
    gone, new = set(before) - set(after), set(after) - set(before)
    db.executemany(
        "DELETE FROM stored_range WHERE machine = ? AND epoch = ? AND first = ?",
        [(*journal, first) for first, _ in gone],
    )
    db.executemany("INSERT INTO stored_range VALUES (?, ?, ?, ?)", [(*journal, *found) for found in new])


def _not_refused(db: sqlite3.Connection, journal: Journal, stored: Mapping[int, int]) -> None:
    rows = db.execute(
        "SELECT seq FROM refused_record WHERE machine = ? AND epoch = ? AND seq BETWEEN ? AND ?",
        (*journal, min(stored), max(stored)),
    ).fetchall()
    db.executemany(
        "DELETE FROM refused_record WHERE machine = ? AND epoch = ? AND seq = ?",
        [(*journal, row["seq"]) for row in rows if row["seq"] in stored],
    )


# ---- what the books say -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """One journal. `waiting`, `missing`, `refused`: numbers that are not stored, as ranges.

    Waiting: the machine said that it still has them to send. Missing: it said that it has not, or it has
    another journal now. `complete_to`: all numbers up to this one are stored.
    """

    machine: str
    epoch: str
    current: bool
    first_heard_ns: int
    last_heard_ns: int
    stored: int
    complete_to: int
    highest: int
    waiting: tuple[Range, ...]
    missing: tuple[Range, ...]
    refused: tuple[Range, ...]
    codes: tuple[str, ...]  # why they were refused


class Books:
    """On a database that `make` made."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path)

    def close(self) -> None:
        self._db.close()

    def machines(self) -> list[str]:
        return [row["machine"] for row in self._db.execute("SELECT DISTINCT machine FROM journal")]

    def accounts(self, machine: str) -> list[Account]:
        """The journals of a machine, the one heard last first."""
        rows = self._db.execute(
            "SELECT * FROM journal WHERE machine = ? ORDER BY last_heard_ns DESC, first_heard_ns DESC",
            (machine,),
        ).fetchall()
        return [self._account(row, current=number == 0) for number, row in enumerate(rows)]

    def _account(self, row: sqlite3.Row, *, current: bool) -> Account:
        journal = (row["machine"], row["epoch"])
        stored = self._ranges(journal)
        codes = {
            refused["seq"]: refused["code"]
            for refused in self._db.execute(
                "SELECT seq, code FROM refused_record WHERE machine = ? AND epoch = ?", journal
            )
        }
        refused = ranges_of(codes)
        said = row["last_seq"]
        if said is None or said > row["highest"] + MAX_JUMP:  # nothing, or nothing that can be
            said = row["highest"]
        last = max(row["highest"], said)
        owed_from = (row["owed_from"] or said + 1) if current else last + 1
        known = sorted([*stored, *refused])
        return Account(
            machine=row["machine"],
            epoch=row["epoch"],
            current=current,
            first_heard_ns=row["first_heard_ns"],
            last_heard_ns=row["last_heard_ns"],
            stored=sum(b - a + 1 for a, b in stored),
            complete_to=stored[0][1] if stored and stored[0][0] == 1 else 0,
            highest=row["highest"],
            missing=tuple(gaps(known, 1, min(owed_from - 1, last))),
            waiting=tuple(gaps(known, max(1, owed_from), last)),
            refused=refused,
            codes=tuple(sorted(set(codes.values()))),
        )

    def _ranges(self, journal: Journal) -> Sequence[Range]:
        rows = self._db.execute(
            "SELECT first, last FROM stored_range WHERE machine = ? AND epoch = ? ORDER BY first", journal
        )
        return [(first, last) for first, last in rows]

    def unmarked(self) -> list[str]:
        """Machines whose watermark has risen since it was published."""
        return [
            row["machine"]
            for row in self._db.execute("SELECT DISTINCT machine FROM journal WHERE highest <> marked")
        ]

    def unanswered(self) -> list[str]:
        """Machines that connected since their watermark was published."""
        return [
            row["machine"]
            for row in self._db.execute("SELECT machine FROM greeting WHERE heard_ns <> answered_ns")
        ]

    def watermark(self, machine: str) -> Watermark:
        rows = self._db.execute(
            "SELECT epoch, highest, highest_ns FROM journal WHERE machine = ? AND highest > 0 "
            "ORDER BY last_heard_ns DESC LIMIT ?",
            (machine, MARKS),
        ).fetchall()
        greeting = self._db.execute("SELECT heard_ns FROM greeting WHERE machine = ?", (machine,)).fetchone()
        return Watermark(
            heard_ns=greeting["heard_ns"] if greeting else 0,
            journals=tuple(Mark(epoch=epoch, seq=seq, at_ns=at_ns) for epoch, seq, at_ns in rows),
        )

    def published(self, marks: Collection[tuple[str, Watermark]]) -> None:
        """The broker has these."""
        with self._db:
            for machine, said in marks:
                self._db.executemany(
                    "UPDATE journal SET marked = ? WHERE machine = ? AND epoch = ?",
                    [(mark.seq, machine, mark.epoch) for mark in said.journals],
                )
                self._db.execute(
                    "UPDATE greeting SET answered_ns = ? WHERE machine = ?", (said.heard_ns, machine)
                )
