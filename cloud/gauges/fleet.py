"""What the store knows of every machine, read again and again: only what changed since is worked out anew.

Read only. Used by one thread at a time.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from cloud import prices
from cloud.books import Books
from cloud.database import connect
from cloud.gauges.rows import Known
from cloud.ranges import count
from shared.messages import Health, Status, Stock

_Said = TypeVar("_Said", Status, Stock, Health)

_MACHINES: Final = (
    "SELECT machine, status, status_ns, stock, health, seen_at_ns, sold_ns, door_open_ns FROM machine "
    "WHERE status IS NOT NULL OR stock IS NOT NULL OR health IS NOT NULL OR seen_at_ns > 0 ORDER BY machine"
)
# What a machine's counts of records follow from, and what its disagreements do: as long as it is the same, so
# are they.
_JOURNALS: Final = (
    "SELECT machine, count(*), max(last_heard_ns), sum(highest), sum(last_seq), sum(owed_from) "
    "FROM journal GROUP BY machine"
)
_PRICES: Final = (
    "SELECT machine, reported_ns, version, newest FROM machine "
    "LEFT JOIN (SELECT machine, version FROM wanted WHERE topic = 'prices') USING (machine) "
    "LEFT JOIN (SELECT machine, max(at_ns) AS newest FROM charged GROUP BY machine) USING (machine)"
)


@dataclass(frozen=True, slots=True)
class _Counts:
    """Worked out from what these keys say."""

    journals: tuple[Any, ...]
    lists: tuple[Any, ...]
    waiting: int
    missing: int
    disagreements: int


class Fleet:
    """On a database that `make` made. `read` may raise sqlite3.OperationalError."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path)
        self._books = Books(path)
        self._said: dict[tuple[str, object], tuple[str, object]] = {}
        self._counts: dict[str, _Counts] = {}

    def close(self) -> None:
        self._books.close()
        self._db.close()

    def read(self) -> list[Known]:
        """Every machine that ever was heard of, by name."""
        journals = self._keys(_JOURNALS)
        lists = self._keys(_PRICES)
        return [
            self._known(row, journals.get(row["machine"], ()), lists.get(row["machine"], ()))
            for row in self._db.execute(_MACHINES)
        ]

    def _keys(self, question: str) -> dict[str, tuple[Any, ...]]:
        return {row[0]: tuple(row)[1:] for row in self._db.execute(question)}

    def _known(self, row: sqlite3.Row, journals: tuple[Any, ...], lists: tuple[Any, ...]) -> Known:
        machine = row["machine"]
        counts = self._counts.get(machine)
        if counts is None or (counts.journals, counts.lists) != (journals, lists):
            counts = self._counts[machine] = self._count(machine, journals, lists)
        return Known(
            machine=machine,
            status=self._read(machine, Status, row["status"]),
            said_ns=row["status_ns"],
            stock=self._read(machine, Stock, row["stock"]),
            health=self._read(machine, Health, row["health"]),
            seen_ns=row["seen_at_ns"],
            sold_ns=row["sold_ns"],
            door_open_ns=row["door_open_ns"],
            waiting=counts.waiting,
            missing=counts.missing,
            disagreements=counts.disagreements,
        )

    def _read(self, machine: str, model: type[_Said], text: str | None) -> _Said | None:
        if text is None:
            return None
        before = self._said.get((machine, model))
        if before is not None and before[0] == text:
            assert isinstance(before[1], model)
            return before[1]
        said = model.model_validate_json(text)
        self._said[machine, model] = (text, said)
        return said

    def _count(self, machine: str, journals: tuple[Any, ...], lists: tuple[Any, ...]) -> _Counts:
        accounts = self._books.accounts(machine)
        rows = (row for told in prices.told(self._db, machine) for row in prices.rows(told))
        return _Counts(
            journals=journals,
            lists=lists,
            waiting=sum(count(account.waiting) for account in accounts),
            missing=sum(count(account.missing) for account in accounts),
            disagreements=len({row.slot for row in rows if row.trouble}),
        )
