"""Dirty hours are worked off: their records are read whole, and what the rollups have otherwise is written.

Contract: an hour is taken off when a look finds nothing to write, so it is looked at again after it was
written. Then rollups and records agreed at one moment, and whoever brings a later record marks the hour
again: several may work at the same hours, on several computers too, and be killed at any point. Trouble is
told, and the next round tries again. A round is short, and so is every step of it, because ingest shares the
loop: an upload of a year's sales is worked off beside it.
"""

import asyncio
import logging
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Collection
from datetime import tzinfo
from typing import Any, Final, Protocol

from cloud.desk import Seat
from cloud.export import pages
from cloud.influx import QueryError
from cloud.rollups.dirty import Dirty, DirtyHours
from cloud.rollups.hours import HOUR_NS, Hour, hours_over
from cloud.rollups.sums import READ, ROLLUPS, Fields, Key, Sums, read_back
from shared.fields import MAX_INT

_log = logging.getLogger(__name__)
PERIOD_S: Final = 5.0
_ROUND_S: Final = 1.0  # of a period, the rest is ingest's
_AT_ONCE: Final = 200
_PAGE: Final = 1_000  # records: what is decoded in one step
_SEAT_S: Final = 1.0
_WEEK_NS: Final = 7 * 24 * HOUR_NS


class Database(Protocol):
    async def query(self, influxql: str) -> list[dict[str, Any]]: ...

    async def write(self, lines: list[str]) -> dict[int, str]: ...


async def keep_rollups(seat: Seat, dirty: DirtyHours, database: Database, zone: tzinfo) -> None:
    """For ever, in one process of those on a data_dir."""
    while not seat.take():  # noqa: ASYNC110  # what is waited for is another process
        await asyncio.sleep(_SEAT_S)
    while True:
        try:
            await _mark_past(dirty, database)
            await work_off(dirty, database, zone, time.monotonic() + _ROUND_S)
        except sqlite3.OperationalError as error:
            _log.warning("the rollups wait for the disk (%s)", error)
        except QueryError as error:
            _log.warning("the rollups wait: %s", error)
        await asyncio.sleep(PERIOD_S)


async def work_off(dirty: DirtyHours, database: Database, zone: tzinfo, until_s: float) -> None:
    """One round over what waits now, an hour at least. Raises the first QueryError, after the other hours."""
    trouble: QueryError | None = None
    for hour in dirty.waiting(_AT_ONCE):
        try:
            is_done = await _rewrite(hour, database, zone)
        except QueryError as error:  # of this hour perhaps: it does not hold up the others
            trouble = trouble or error
        else:
            if is_done:
                dirty.done(hour)
        if time.monotonic() > until_s:
            break
    if trouble is not None:
        raise trouble


async def finish(
    dirty: DirtyHours, database: Database, zone: tzinfo, tell: Callable[[int], None] = lambda _: None
) -> None:
    """Until none waits. `tell`: how many fewer they are."""
    await _mark_past(dirty, database)
    before = dirty.count()
    while before:
        await work_off(dirty, database, zone, math.inf)
        after = dirty.count()
        tell(before - after)
        before = after


async def _rewrite(dirty: Dirty, database: Database, zone: tzinfo) -> bool:
    """Whether there was nothing to write."""
    is_done = True
    for hour in hours_over(dirty.start_ns, dirty.start_ns + HOUR_NS, zone):
        lines = await _differing(database, hour)
        refused = await database.write(lines) if lines else {}
        for index, reason in refused.items():
            _log.error("a rollup cannot be stored (%s): %s", reason, lines[index])
        is_done = is_done and len(refused) == len(lines)  # refused again and again, it would never end
    return is_done


async def _differing(database: Database, hour: Hour) -> list[str]:
    sums = Sums()
    async for _, found in pages(database.query, READ, None, hour.start_ns, hour.end_ns, _PAGE):
        for kind, point in found:
            sums.add(kind, point)
    there: dict[tuple[Key, int], Fields] = {}
    for measurement in ROLLUPS:
        rows = await database.query(
            f'SELECT * FROM "{measurement}" '  # noqa: S608  # names of our tables
            f"WHERE time >= {hour.start_ns} AND time < {hour.end_ns}"
        )
        there.update(read_back(measurement, row) for row in rows)
    return list(sums.lines(hour, there))


# ---- which hours there are --------------------------------------------------------------------------------


async def _mark_past(dirty: DirtyHours, database: Database) -> None:
    if not dirty.past_is_marked():
        found = [hours async for _, hours in hours_with_points(database, 0, MAX_INT)]
        dirty.mark_past({hour for hours in found for hour in hours})


async def hours_with_points(
    database: Database, start_ns: int, end_ns: int
) -> AsyncIterator[tuple[int, Collection[int]]]:
    """Hours of UTC with records or rollups, and how far the search is. Raises QueryError.

    Rollups too: in another zone they stood at other times.
    """
    kinds = [(READ, "currency"), (ROLLUPS, "sales")]
    at_ns = start_ns - start_ns % HOUR_NS
    while at_ns < end_ns:
        stop_ns = min(at_ns + _WEEK_NS, end_ns)  # what InfluxDB keeps together
        hours: set[int] = set()
        for measurements, field in kinds:
            names = ", ".join(f'"{name}"' for name in measurements)
            rows = await database.query(
                f'SELECT count("{field}") FROM {names} '  # noqa: S608  # names of our tables
                f"WHERE time >= {at_ns} AND time < {stop_ns} GROUP BY time(1h) fill(none)"
            )
            hours.update(row["time"] for row in rows)
        yield stop_ns, hours
        at_ns = stop_ns
