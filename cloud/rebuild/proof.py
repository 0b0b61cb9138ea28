"""What was read against what InfluxDB holds: by day, kind, machine and epoch, count and amount.

InfluxQL that 1.x, 2.x and 3 answer alike; every question is of one kind on one day. InfluxDB may hold more,
of sales that came meanwhile: then the numbers themselves are compared. `query` raises QueryError.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from cloud.points import MEASUREMENTS
from cloud.ranges import within
from cloud.rebuild.tally import DAY_NS, MONEY, Journal, Tally

_WRAP: Final = 2**64  # InfluxDB's sums are of 64 bits
_MONTH_NS: Final = 30 * DAY_NS

Query = Callable[[str], Awaitable[list[dict[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Difference:
    machine: str
    epoch: str
    day: int
    kind: str
    read: int
    stored: int
    read_minor: int
    stored_minor: int


async def differences(query: Query, tally: Tally, done: Callable[[], None]) -> AsyncIterator[Difference]:
    """All of them; `done` is called after each day and kind."""
    for day, kind in tally.parts():
        rows = await query(
            f'SELECT {_sums(kind)} FROM "{kind}" WHERE {_day(day)} '  # noqa: S608  # names of our tables
            'GROUP BY "machine", "epoch"'
        )
        stored = {(row["machine"], row["epoch"]): (row["n"], row.get("v") or 0) for row in rows}
        for journal, (count, minor) in tally.part(day, kind).items():
            there, there_minor = stored.get(journal, (0, 0))
            if there != count or (there_minor - minor) % _WRAP:
                there, there_minor = await _by_number(query, tally, journal, day, kind)
            if there != count or there_minor != minor:
                yield Difference(*journal, day, kind, count, there, minor, there_minor)
        done()


def _sums(kind: str) -> str:
    money = f', sum("{MONEY[kind]}") AS v' if kind in MONEY else ""
    return f'count("seq") AS n{money}'


def _day(day: int) -> str:
    return f"time >= {day * DAY_NS} AND time < {(day + 1) * DAY_NS}"


def _of(journal: Journal) -> str:
    machine, epoch = journal
    return f"\"machine\" = '{machine}' AND \"epoch\" = '{epoch}'"


async def _by_number(query: Query, tally: Tally, journal: Journal, day: int, kind: str) -> tuple[int, int]:
    """Count and amount of what was read, as it is in InfluxDB."""
    names = ", ".join(f'"{name}"' for name in ("seq", MONEY.get(kind)) if name)
    rows = await query(f'SELECT {names} FROM "{kind}" WHERE {_of(journal)} AND {_day(day)}')  # noqa: S608
    by_seq = {row["seq"]: row.get(MONEY.get(kind, ""), 0) for row in rows}
    ours = within(sorted(by_seq), tally.ranges(journal))
    return len(ours), sum(by_seq[seq] or 0 for seq in ours)


async def beyond(query: Query, tally: Tally) -> dict[Journal, int]:
    """Records in InfluxDB that were not read, by journal, without those that came after what was read."""
    totals: dict[tuple[Journal, str], int] = {}
    for day, kind in tally.parts():
        for journal, (count, _) in tally.part(day, kind).items():
            totals[journal, kind] = totals.get((journal, kind), 0) + count
    found: dict[Journal, int] = {}
    for kind in MEASUREMENTS:
        for journal, count in (await _counts(query, kind)).items():
            if count <= totals.get((journal, kind), 0):
                continue
            ranges = tally.ranges(journal)
            bound = f'{_of(journal)} AND "seq" <= {ranges[-1][1]}' if ranges else _of(journal)
            there = (await _counts(query, kind, f" AND {bound}")).get(journal, 0)
            more = there - totals.get((journal, kind), 0)
            if more > 0:
                found[journal] = found.get(journal, 0) + more
    return found


async def _counts(query: Query, kind: str, bound: str = "") -> dict[Journal, int]:
    """By journal, a month at a time."""
    ends = [
        row["time"]
        for order in ("ASC", "DESC")
        for row in await query(
            f'SELECT "seq" FROM "{kind}" WHERE time >= 0{bound} '  # noqa: S608  # the same
            f"ORDER BY time {order} LIMIT 1"
        )
    ]
    counts: dict[Journal, int] = {}
    if not ends:
        return counts
    for start_ns in range(ends[0], ends[1] + 1, _MONTH_NS):
        rows = await query(
            f'SELECT count("seq") AS n FROM "{kind}" WHERE time >= {start_ns} '  # noqa: S608
            f'AND time < {start_ns + _MONTH_NS}{bound} GROUP BY "machine", "epoch"'
        )
        for row in rows:
            journal = row["machine"], row["epoch"]
            counts[journal] = counts.get(journal, 0) + row["n"]
    return counts
