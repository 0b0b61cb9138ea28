"""The machines' own running totals against the sums over what InfluxDB holds, to the cent.

In one epoch the totals of two audits differ by exactly the records between them, and time rises with number,
so a sum over a span of time is a sum over a span of numbers. InfluxQL that 1.x, 2.x and 3 understand; every
query is of one machine. `query` raises when the database does not answer.
"""

import json
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from cloud.twins import Query
from shared.totals import TOTALS

DAY_NS: Final = 86_400 * 10**9
_NAMES: Final = tuple(total.name for total in TOTALS)
_SEEN: Final = 10_000  # audits of one question: more than a year of them


@dataclass(frozen=True, slots=True)
class Point:
    """One audit: the totals that the machine had after record `seq`. `slots`: count and value by slot."""

    seq: int
    at_ns: int
    totals: dict[str, int]
    slots: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Difference:
    """Between two audits the machine counted one amount and InfluxDB holds another."""

    name: str
    after: Point
    to: Point
    counted: int
    stored: int


@dataclass(frozen=True, slots=True)
class Proof:
    """`to`: the audit up to which all totals of an epoch agree; None: there is none yet."""

    to: Point | None
    differences: tuple[Difference, ...]


async def history(query: Query, machine: str, epoch: str, complete_to: int) -> Proof:
    """From the first audit of an epoch to the last one with no number missing before it."""
    bound = f'AND "seq" <= {complete_to}'
    first = await _audits(query, machine, epoch, bound, "ORDER BY time ASC LIMIT 1")
    last = await _audits(query, machine, epoch, bound, "ORDER BY time DESC LIMIT 1")
    if not first:
        return Proof(None, ())
    differences = await _between(query, machine, epoch, first[0], last[0])
    if not differences:
        return Proof(last[0], ())
    return await _first_wrong(query, machine, epoch, bound)


async def _first_wrong(query: Query, machine: str, epoch: str, bound: str) -> Proof:
    """Where the difference came in: halving, as one that is there stays."""
    points = await _audits(query, machine, epoch, bound, f"ORDER BY time ASC LIMIT {_SEEN}")
    good, bad = 0, len(points) - 1
    while bad - good > 1:
        middle = (good + bad) // 2
        if await _between(query, machine, epoch, points[0], points[middle]):
            bad = middle
        else:
            good = middle
    found = await _between(query, machine, epoch, points[good], points[bad])
    return Proof(points[good], tuple(found))


async def of_day(query: Query, machine: str, epoch: str, complete_to: int, start_ns: int) -> Proof:
    """Every span between two audits that has a part of this day, by slot too. None: no audit reaches it."""
    bound, end_ns = f'AND "seq" <= {complete_to}', start_ns + DAY_NS
    before = await _audits(
        query, machine, epoch, f"{bound} AND time < {start_ns}", "ORDER BY time DESC LIMIT 1"
    )
    inside = await _audits(
        query,
        machine,
        epoch,
        f"{bound} AND time >= {start_ns} AND time < {end_ns}",
        f"ORDER BY time ASC LIMIT {_SEEN}",
    )
    after = await _audits(query, machine, epoch, f"{bound} AND time >= {end_ns}", "ORDER BY time ASC LIMIT 1")
    points = [*before, *inside, *after]
    differences: list[Difference] = []
    for early, late in pairwise(points):
        differences += await _between(query, machine, epoch, early, late)
        differences += await _slots_between(query, machine, epoch, early, late)
    return Proof(points[-1] if points and points[-1].at_ns >= start_ns else None, tuple(differences))


async def tenders(query: Query, machine: str, start_ns: int) -> dict[str, tuple[int, int]]:
    """Count and value of one day's sales, by tender."""
    rows = await query(
        'SELECT count("seq") AS n, sum("paid_minor") AS v FROM "sale" '  # noqa: S608  # ids of a strict pattern
        f"WHERE \"machine\" = '{machine}' AND time >= {start_ns} AND time < {start_ns + DAY_NS} "
        'GROUP BY "tender"'
    )
    return {row["tender"]: (row["n"], row["v"]) for row in rows}


async def _audits(query: Query, machine: str, epoch: str, bound: str, order: str) -> list[Point]:
    columns = ", ".join(f'"{name}"' for name in ("seq", "slots", *_NAMES))
    rows = await query(
        f'SELECT {columns} FROM "audit" WHERE {_journal(machine, epoch)} {bound} {order}'  # noqa: S608
    )
    return [
        Point(
            row["seq"],
            row["time"],
            {name: row[name] or 0 for name in _NAMES},
            json.loads(row["slots"] or "{}"),
        )
        for row in rows
    ]


def _journal(machine: str, epoch: str) -> str:
    return f"\"machine\" = '{machine}' AND \"epoch\" = '{epoch}'"


def _span(machine: str, epoch: str, early: Point, late: Point) -> str:
    return f"{_journal(machine, epoch)} AND time > {early.at_ns} AND time <= {late.at_ns}"


async def _between(query: Query, machine: str, epoch: str, early: Point, late: Point) -> list[Difference]:
    stored: Counter[str] = Counter()
    for kind in sorted({total.kind for total in TOTALS}):
        of_kind = [total for total in TOTALS if total.kind == kind]
        fields = sorted({total.field for total in of_kind if total.field})
        sums = ", ".join(f'sum("{field}") AS "{field}"' for field in fields)
        rows = await query(
            f'SELECT count("seq") AS n, {sums} FROM "{kind}" '  # noqa: S608  # names of our tables
            f'WHERE {_span(machine, epoch, early, late)} GROUP BY "tender"'
        )
        for total in of_kind:
            stored[total.name] += sum(
                row[total.field or "n"] for row in rows if total.tender in {None, row.get("tender")}
            )
    return _differences(early, late, {n: late.totals[n] - early.totals[n] for n in _NAMES}, stored)


async def _slots_between(
    query: Query, machine: str, epoch: str, early: Point, late: Point
) -> list[Difference]:
    rows = await query(
        f'SELECT "slot", "paid_minor" FROM "sale" WHERE {_span(machine, epoch, early, late)}'  # noqa: S608
    )
    stored, counted = Counter[str](), Counter[str]()
    for row in rows:
        stored[f"sales of slot {row['slot']}"] += 1
        stored[f"sold_minor of slot {row['slot']}"] += row["paid_minor"]
    for sign, point in ((1, late), (-1, early)):
        for slot, (sales, sold_minor) in point.slots.items():
            counted[f"sales of slot {slot}"] += sign * sales
            counted[f"sold_minor of slot {slot}"] += sign * sold_minor
    return _differences(early, late, counted, stored)


def _differences(
    early: Point, late: Point, counted: dict[str, int], stored: dict[str, int]
) -> list[Difference]:
    names = dict.fromkeys([*counted, *stored])
    return [
        Difference(name, early, late, counted.get(name, 0), stored.get(name, 0))
        for name in names
        if counted.get(name, 0) != stored.get(name, 0)
    ]
