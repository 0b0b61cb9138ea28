"""The reads of each machine: numbered, and from which of them the interval counts."""

import json
from dataclasses import dataclass
from pathlib import Path

from cloud.database import connect
from cloud.dts.segments import Figures


@dataclass(frozen=True, slots=True)
class Before:
    """What there was before a read. `base`: the figures of the last one with reset."""

    reads: int
    resets: int
    last_ns: int | None
    base: Figures


class Reads:
    """On a database that `make` made."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path)

    def close(self) -> None:
        self._db.close()

    def before(self, machine: str) -> Before:
        reads, resets, last_ns = self._db.execute(
            "SELECT count(*), coalesce(sum(is_reset), 0), max(at_ns) FROM dts_read WHERE machine = ?",
            (machine,),
        ).fetchone()
        row = self._db.execute(
            "SELECT figures FROM dts_read WHERE machine = ? AND is_reset ORDER BY number DESC LIMIT 1",
            (machine,),
        ).fetchone()
        return Before(reads, resets, last_ns, Figures.of_json(json.loads(row[0])) if row else Figures())

    def add(self, machine: str, number: int, at_ns: int, figures: Figures, *, is_reset: bool) -> None:
        """Raises sqlite3.IntegrityError when another read has this number."""
        with self._db:
            self._db.execute(
                "INSERT INTO dts_read VALUES (?, ?, ?, ?, ?)",
                (machine, number, at_ns, is_reset, json.dumps(figures.as_json())),
            )
