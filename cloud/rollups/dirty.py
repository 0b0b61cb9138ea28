"""Which hours have records that the rollups may not have: tables of the cloud's database.

`mark` belongs in the transaction in which ingest keeps a batch. An hour is taken off only if it was not
marked since it was read: its generation tells. So whoever is killed at any point leaves it marked.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloud.batch import Batch
from cloud.database import connect
from cloud.rollups.hours import HOUR_NS
from cloud.rollups.sums import READ

_MARK: Final = (
    "INSERT INTO dirty_hour VALUES (?, random(), unixepoch() * 1000000000) "
    "ON CONFLICT (start_ns) DO UPDATE SET generation = random()"
)


def mark(db: sqlite3.Connection, batch: Batch) -> None:
    """The hours of a batch's sales, failed vends and refunds."""
    found = {line.at_ns // HOUR_NS for line in batch.lines if line.text.partition(",")[0] in READ}
    db.executemany(_MARK, [(hour * HOUR_NS,) for hour in found])


@dataclass(frozen=True, slots=True)
class Dirty:
    """An hour of UTC, and when it was asked for."""

    start_ns: int
    generation: int
    asked_ns: int


class DirtyHours:
    """On a database that `make` made."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path)

    def close(self) -> None:
        self._db.close()

    def waiting(self, limit: int) -> list[Dirty]:
        """The latest hour, which people look at, and then those that wait longest."""
        rows = self._db.execute(
            "SELECT start_ns, generation, unixepoch() * 1000000000 FROM dirty_hour "
            "ORDER BY start_ns = (SELECT max(start_ns) FROM dirty_hour) DESC, since_ns, start_ns LIMIT ?",
            (limit,),
        )
        return [Dirty(*row) for row in rows]

    def count(self) -> int:
        (count,) = self._db.execute("SELECT count(*) FROM dirty_hour").fetchone()
        return int(count)

    def oldest_ns(self) -> int | None:
        """Up to when all records are in the rollups; None: all are."""
        (oldest_ns,) = self._db.execute(
            "SELECT min(since_ns) FROM (SELECT min(since_ns) AS since_ns FROM dirty_hour "
            "UNION ALL SELECT min(since_ns) FROM unmarked_past)"
        ).fetchone()
        return None if oldest_ns is None else int(oldest_ns)

    def done(self, hour: Dirty) -> None:
        with self._db:
            self._db.execute(
                "DELETE FROM dirty_hour WHERE start_ns = ? AND generation = ?",
                (hour.start_ns, hour.generation),
            )

    def written(self, hour: Dirty) -> None:
        """What had come when it was asked for is in the rollups; it is to be looked at once more."""
        with self._db:
            self._db.execute(
                "UPDATE dirty_hour SET since_ns = max(since_ns, ?) WHERE start_ns = ?",
                (hour.asked_ns, hour.start_ns),
            )

    def add(self, starts_ns: Iterable[int]) -> None:
        with self._db:
            self._db.executemany(_MARK, [(start_ns,) for start_ns in starts_ns])

    def past_is_marked(self) -> bool:
        return self._db.execute("SELECT 1 FROM unmarked_past").fetchone() is None

    def mark_past(self, starts_ns: Iterable[int]) -> None:
        """What there was before there were rollups."""
        with self._db:
            self._db.executemany(_MARK, [(start_ns,) for start_ns in starts_ns])
            self._db.execute("DELETE FROM unmarked_past")
