"""What was read of an archive, and how far: a scratch file of its own, committed batch by batch.

A record is counted once, however often it was sent. The file is written after InfluxDB and the store, so a
rebuild that is killed begins a little before the place where it was; what it does there again is the same.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from cloud.batch import DeadLetter, Line
from cloud.ranges import Range, merged, ranges_of, within
from cloud.rebuild.captures import Piece, Source

DAY_NS: Final = 86_400 * 10**9
# The amount that stands for a record, by kind; kinds that are not here have none.
MONEY: Final = {
    "sale": "paid_minor",
    "vend_failed": "price_minor",
    "cash_in": "value_minor",
    "payout": "paid_minor",
    "refund": "amount_minor",
    "revalue": "amount_minor",
    "owed": "amount_minor",
    "claim_used": "amount_minor",
    "claim_paid": "amount_minor",
    "coins_loaded": "value_minor",
    "coins_taken": "value_minor",
    "tubes_corrected": "difference_minor",
    "recycler_corrected": "difference_minor",
    "collection": "cashbox_minor",
}
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS file (
    path TEXT PRIMARY KEY, "offset" INTEGER NOT NULL, line INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS damage (
    path TEXT NOT NULL, line INTEGER NOT NULL, why TEXT NOT NULL, PRIMARY KEY (path, line)
) STRICT;
CREATE TABLE IF NOT EXISTS read_range (
    machine TEXT NOT NULL, epoch TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (machine, epoch, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS total (
    day INTEGER NOT NULL, kind TEXT NOT NULL, machine TEXT NOT NULL, epoch TEXT NOT NULL,
    currency TEXT NOT NULL, count INTEGER NOT NULL, minor TEXT NOT NULL,  -- text: it has no limit
    PRIMARY KEY (day, kind, machine, epoch, currency)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS figure (name TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT;
"""

Journal = tuple[str, str]  # machine and epoch


@dataclass(frozen=True, slots=True)
class Kind:
    """All records of a kind in one currency; without one where the kind has no amount."""

    kind: str
    currency: str
    count: int
    minor: int


class Tally:
    """One process at a time."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        self._db.close()

    def resumed(self, sources: Iterable[Source]) -> list[Source]:
        """Each from where it was read up to."""
        known = {path: (offset, line) for path, offset, line in self._db.execute("SELECT * FROM file")}
        return [Source(s.path, s.size, *known.get(str(s.path), (0, 0))) for s in sources]

    def keep(
        self, pieces: Sequence[Piece], lines: Sequence[Line] = (), dead: Sequence[DeadLetter] = ()
    ) -> None:
        """Lines of files, and what became of them: the points and the letters of their batch."""
        lost = {(d.topic.split("/")[2], d.epoch, d.seq) for d in dead if d.code == "database_refused"}
        lines = [line for line in lines if line.key is not None and line.key not in lost]
        with self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO file VALUES (?, ?, ?)",
                {piece.path: (str(piece.path), piece.end, piece.line) for piece in pieces}.values(),
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO damage VALUES (?, ?, ?)",
                [(str(piece.path), piece.line, piece.damage) for piece in pieces if piece.damage],
            )
            self._count("messages", sum(piece.message is not None for piece in pieces))
            self._count("dead letters", len(dead))
            self._count("read", len(lines))
            self._total(self._new(lines))

    def _count(self, name: str, count: int) -> None:
        self._db.execute(
            "INSERT INTO figure VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET count = count + excluded.count",
            (name, count),
        )

    def _new(self, lines: Iterable[Line]) -> Iterator[Line]:
        by_number = {line.key: line for line in lines if line.key}
        for journal, keys in groupby(sorted(by_number), key=lambda key: key[:2]):
            seqs = [seq for _, _, seq in keys]
            rows = self._db.execute(
                "SELECT first, last FROM read_range WHERE machine = ? AND epoch = ? "
                "AND first <= ? AND last >= ? ORDER BY first",
                (*journal, seqs[-1] + 1, seqs[0] - 1),
            ).fetchall()
            known = within(seqs, rows)
            new = [seq for seq in seqs if seq not in known]
            self._db.executemany(
                "DELETE FROM read_range WHERE machine = ? AND epoch = ? AND first = ?",
                [(*journal, first) for first, _ in rows],
            )
            self._db.executemany(
                "INSERT INTO read_range VALUES (?, ?, ?, ?)",
                [(*journal, *found) for found in merged([*rows, *ranges_of(new)])],
            )
            yield from (by_number[*journal, seq] for seq in new)

    def _total(self, lines: Iterable[Line]) -> None:
        counts, sums = Counter[tuple[int, str, str, str, str]](), Counter[tuple[int, str, str, str, str]]()
        for line in lines:
            assert isinstance(line.record, Mapping)
            assert line.key is not None
            record: Mapping[str, Any] = line.record
            kind = record["kind"]
            currency = record["currency"] if kind in MONEY else ""
            place = (record["at_ns"] // DAY_NS, kind, *line.key[:2], currency)
            counts[place] += 1
            sums[place] += record[MONEY[kind]] if kind in MONEY else 0
        for place, count in counts.items():
            where = "WHERE day = ? AND kind = ? AND machine = ? AND epoch = ? AND currency = ?"
            row = self._db.execute(f"SELECT count, minor FROM total {where}", place).fetchone()  # noqa: S608
            before, minor = (row[0], int(row[1])) if row else (0, 0)
            self._db.execute(
                "INSERT OR REPLACE INTO total VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*place, before + count, str(minor + sums[place])),
            )

    # ---- what it says

    def figures(self) -> dict[str, int]:
        """`messages` and `dead letters` as they were read, `read`: good records, each as often as it came."""
        return {"messages": 0, "dead letters": 0, "read": 0, **dict(self._db.execute("SELECT * FROM figure"))}

    def damages(self) -> list[tuple[str, int, str]]:
        """File, line and why."""
        return self._db.execute("SELECT * FROM damage ORDER BY path, line").fetchall()

    def kinds(self) -> list[Kind]:
        sums: dict[tuple[str, str], tuple[int, int]] = {}
        for kind, currency, count, minor in self._db.execute(
            "SELECT kind, currency, count, minor FROM total"
        ):
            before = sums.get((kind, currency), (0, 0))
            sums[kind, currency] = before[0] + count, before[1] + int(minor)
        return [Kind(*key, *found) for key, found in sorted(sums.items())]

    def parts(self) -> list[tuple[int, str]]:
        """Days since 1970 and kinds of which there are records."""
        return self._db.execute("SELECT DISTINCT day, kind FROM total ORDER BY day, kind").fetchall()

    def part(self, day: int, kind: str) -> dict[Journal, tuple[int, int]]:
        """Count and amount of each journal's records of a kind on a day."""
        found: dict[Journal, tuple[int, int]] = {}
        for machine, epoch, count, minor in self._db.execute(
            "SELECT machine, epoch, count, minor FROM total WHERE day = ? AND kind = ?", (day, kind)
        ):
            before = found.get((machine, epoch), (0, 0))
            found[machine, epoch] = before[0] + count, before[1] + int(minor)
        return found

    def ranges(self, journal: Journal) -> list[Range]:
        """The numbers that were read, in order."""
        return self._db.execute(
            "SELECT first, last FROM read_range WHERE machine = ? AND epoch = ? ORDER BY first", journal
        ).fetchall()
