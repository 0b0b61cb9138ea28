"""Cash collected: what should have been in each bag, and what was counted.

What should be in it is what the machine wrote down when it was emptied (record `collection`), in InfluxDB.
What was counted is typed by a person and kept here for ever; counted again, the newest counts.
"""

from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cloud.database import connect
from cloud.twins import Query

_COLUMNS = ("bag", "cashbox_minor", "stacker_minor", "tubes_minor", "recycler_minor", "currency")


@dataclass(frozen=True, slots=True)
class Counted:
    amount_minor: int
    who: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Bag:
    """`tubes_minor`, `recycler_minor`: the float that stayed in the machine, apart from the bag."""

    machine: str
    bag: str
    collected_ns: int
    cashbox_minor: int
    stacker_minor: int
    tubes_minor: int
    recycler_minor: int
    currency: str
    counts: tuple[Counted, ...] = ()  # the newest last

    @property
    def expected_minor(self) -> int:
        return self.cashbox_minor + self.stacker_minor

    @property
    def difference_minor(self) -> int | None:
        """What is over, or short where negative; None until it was counted."""
        return self.counts[-1].amount_minor - self.expected_minor if self.counts else None

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "expected_minor": self.expected_minor,
            "counted_minor": self.counts[-1].amount_minor if self.counts else None,
            "difference_minor": self.difference_minor,
        }


class Counts:
    """On a database that `make` made."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path)

    def close(self) -> None:
        self._db.close()

    def add(self, bag: Bag, counted: Counted) -> None:
        with self._db:
            self._db.execute(
                "INSERT INTO bag_count (machine, bag, counted_minor, currency, who, at_ns) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (bag.machine, bag.bag, counted.amount_minor, bag.currency, counted.who, counted.at_ns),
            )

    def of(self, machine: str, bag: str) -> tuple[Counted, ...]:
        rows = self._db.execute(
            "SELECT counted_minor, who, at_ns FROM bag_count WHERE machine = ? AND bag = ? ORDER BY id",
            (machine, bag),
        ).fetchall()
        return tuple(Counted(*row) for row in rows)


async def collected(query: Query, counts: Counts, since_ns: int) -> list[Bag]:
    """All bags since then, the newest last. A bag that was told twice holds the sum of both."""
    columns = ", ".join(f'"{name}"' for name in _COLUMNS)
    rows = await query(
        f'SELECT {columns} FROM "collection" WHERE time >= {since_ns} GROUP BY "machine"'  # noqa: S608
    )
    by_bag: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: int(row["time"])):
        by_bag[row["machine"], row["bag"]].append(row)
    bags = [
        Bag(
            machine=machine,
            bag=bag,
            collected_ns=told[-1]["time"],
            cashbox_minor=sum(row["cashbox_minor"] for row in told),
            stacker_minor=sum(row["stacker_minor"] for row in told),
            tubes_minor=told[-1]["tubes_minor"],
            recycler_minor=told[-1]["recycler_minor"],
            currency=told[-1]["currency"],
            counts=counts.of(machine, bag),
        )
        for (machine, bag), told in by_bag.items()
    ]
    return sorted(bags, key=lambda bag: bag.collected_ns)
