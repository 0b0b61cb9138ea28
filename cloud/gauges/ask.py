"""The questions to InfluxDB: what the fleet sold in the last day, and what is usual for some machines.

The first is one request for all. The second reads a week of sales and four of hours, so it is asked of some
machines at a time (cloud/gauges/writer.py). What a query raises is raised.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from cloud.batch import UNSOLD
from cloud.gauges.usual import DAY_NS, HOUR_NS, PROFILE_WEEKS, WEEK_NS, Recent, Usual, profile_of
from cloud.twins import Query

_SOLD: Final = " AND ".join(f"\"tender\" != '{tender}'" for tender in UNSOLD)
_UNTESTED: Final = "\"tender\" != 'test'"
_JAMS: Final = ("jammed", "motor_stuck")


async def recent(query: Query, as_of_ns: int) -> dict[str, Recent]:
    """By machine; who is not in it neither sold nor failed. Test vends count neither way, but end a jam."""
    when = _between(as_of_ns - DAY_NS, as_of_ns)
    vends = await query(f'SELECT count("seq") FROM "sale" WHERE {when} AND {_SOLD} GROUP BY "machine"')  # noqa: S608
    failures = await query(
        f'SELECT "slot", "reason", "tender" FROM "vend_failed" WHERE {when} GROUP BY "machine"'  # noqa: S608
    )
    jams: dict[tuple[str, str], int] = {}
    for row in failures:
        if row["reason"] in _JAMS:
            slot = (row["machine"], row["slot"])
            jams[slot] = max(row["time"], jams.get(slot, 0))
    if jams:
        for row in await query(
            f'SELECT "slot" FROM "sale" WHERE {when} AND {_of({m for m, _ in jams})} GROUP BY "machine"'  # noqa: S608
        ):
            slot = (row["machine"], row["slot"])
            if row["time"] > jams.get(slot, row["time"]):
                del jams[slot]
    vended = {row["machine"]: int(row["count"]) for row in vends}
    failed = _counted(row["machine"] for row in failures if row["tender"] != "test")
    jammed = _counted(machine for machine, _ in jams)
    return {
        machine: Recent(vended.get(machine, 0), failed.get(machine, 0), jammed.get(machine, 0))
        for machine in {*vended, *failed, *jammed}
    }


async def usual(query: Query, machines: Collection[str], as_of_ns: int) -> dict[str, Usual]:
    """Of each of these machines."""
    hours = await _hours(query, machines, as_of_ns)
    sold = await _sold(query, machines, as_of_ns)
    coins = await _coins(query, machines, as_of_ns)
    found = {}
    for machine in machines:
        rows = sold[machine]
        first_ns = min((at_ns for at_ns, _ in rows), default=as_of_ns)
        found[machine] = Usual(
            profile=profile_of(hours[machine], as_of_ns),
            sold=_counted(slot for _, slot in rows),
            sold_days=max(1.0, (as_of_ns - first_ns) / DAY_NS) if rows else 0.0,
            coins=coins[machine],
        )
    return found


async def _hours(
    query: Query, machines: Collection[str], as_of_ns: int
) -> Mapping[str, list[tuple[int, int, int, int]]]:
    """Hours that are over, as the rollups have them."""
    when = _between(as_of_ns - PROFILE_WEEKS * WEEK_NS, as_of_ns - HOUR_NS)
    rows = await query(
        f'SELECT "weekday", "hour", "sales" FROM "sales_hour" WHERE {when} AND {_of(machines)} '  # noqa: S608
        f'GROUP BY "machine"'
    )
    found: dict[str, list[tuple[int, int, int, int]]] = defaultdict(list)
    for row in rows:
        found[row["machine"]].append((row["time"], row["weekday"], row["hour"], row["sales"]))
    return found


async def _sold(
    query: Query, machines: Collection[str], as_of_ns: int
) -> Mapping[str, list[tuple[int, str]]]:
    """Time and slot of what left the slots for good in seven days: free vends too, tests not."""
    when = _between(as_of_ns - WEEK_NS, as_of_ns)
    rows = await query(
        f'SELECT "slot" FROM "sale" WHERE {when} AND {_of(machines)} AND {_UNTESTED} GROUP BY "machine"'  # noqa: S608
    )
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in rows:
        found[row["machine"]].append((row["time"], row["slot"]))
    return found


async def _coins(query: Query, machines: Collection[str], as_of_ns: int) -> Mapping[str, dict[int, int]]:
    """Coins that left the tubes in seven days: every step down between two healths, whoever took them.

    What went up, less the change from the first to the last, is what went down.
    """
    when = _between(as_of_ns - WEEK_NS, as_of_ns)
    rows = await query(
        'SELECT sum("step") AS "change", sum("up") AS "up" FROM ('  # noqa: S608
        'SELECT difference("count") AS "step", non_negative_difference("count") AS "up" FROM "tube" '
        f'WHERE {when} AND {_of(machines)} GROUP BY "machine", "coin") GROUP BY "machine", "coin"'
    )
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for row in rows:
        found[row["machine"]][int(row["coin"])] = int((row["up"] or 0) - (row["change"] or 0))
    return found


def _between(from_ns: int, to_ns: int) -> str:
    return f"time > {from_ns} AND time <= {to_ns}"


def _of(machines: Collection[str]) -> str:
    return "(" + " OR ".join(f"\"machine\" = '{machine}'" for machine in sorted(machines)) + ")"


def _counted(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
