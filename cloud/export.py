"""Points of a period, in the order of their times and in pages: memory holds one page of each measurement.

InfluxQL on `/query`, so 1.x, 2.x and 3 answer alike. A page ends before a nanosecond that may not be whole,
and the next one begins with it: every point comes once. A day is asked for at a time, because InfluxDB 3
refuses a query over many files, and more where nothing is.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from cloud.sheets import Point

PAGE: Final = 5_000
DAY_NS: Final = 86_400 * 10**9
_LONGEST_NS: Final = 64 * DAY_NS

Ask = Callable[[str], Awaitable[list[dict[str, Any]]]]
Found = tuple[str, Point]  # measurement and point


async def pages(
    ask: Ask,
    fields: Mapping[str, Sequence[str]],
    machine: str | None,
    start_ns: int,
    end_ns: int,
    page: int = PAGE,
) -> AsyncIterator[tuple[int, list[Found]]]:
    """Each page with the time up to which everything has come. `ask` answers one InfluxQL statement.

    `fields`: what is asked for, tags included, by measurement. `machine`: a valid id, for it stands in the
    statement.
    """
    at_ns, step_ns, limit = start_ns, DAY_NS, page
    while at_ns < end_ns:
        stop_ns = min(at_ns + step_ns, end_ns)
        found: list[Found] = []
        whole_ns = stop_ns
        for kind, names in fields.items():
            points = await ask(_statement(kind, names, machine, at_ns, stop_ns, limit))
            if len(points) >= limit:
                whole_ns = min(whole_ns, points[-1]["time"])
            found += [(kind, point) for point in points]
        if whole_ns == at_ns:
            limit *= 2  # more points than a page in one nanosecond
            continue
        yield whole_ns, sorted((f for f in found if f[1]["time"] < whole_ns), key=_order)
        step_ns = DAY_NS if found else min(step_ns * 2, _LONGEST_NS)
        at_ns, limit = whole_ns, page


def _order(found: Found) -> tuple[int, str, str, str]:
    kind, point = found
    return point["time"], point["machine"], kind, point.get("slot") or ""


def _statement(
    kind: str, fields: Sequence[str], machine: str | None, start_ns: int, end_ns: int, limit: int
) -> str:
    names = ", ".join(f'"{name}"' for name in fields)
    only = "" if machine is None else f" AND \"machine\" = '{machine}'"
    return (
        f'SELECT {names} FROM "{kind}" WHERE time >= {start_ns} AND time < {end_ns}{only} '  # noqa: S608
        f"ORDER BY time ASC LIMIT {limit}"
    )
