"""Dirty hours are worked off: their records are read whole, and what the rollups have otherwise is written.

Contract: an hour is taken off when a look finds nothing to write, so it is looked at again after it was
written. Then rollups and records agreed at one moment, and whoever brings a later record marks the hour
again. One process works on a data_dir, who has the seat; computers that share an InfluxDB may work at the
same hours. All may be killed at any point. Trouble is told, and the next round tries again.

A round is short, because ingest shares the loop: an upload of a year's sales is worked off beside it. While
machines sell, the latest hour is dirty all the time, and a look at it reads a whole hour: that takes a
twentieth of the time at most. So the sums of 1,000 machines are some seconds old, those of a few machines
three.
"""

import asyncio
import logging
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final, Protocol

from cloud.desk import Seat
from cloud.export import pages
from cloud.influx import QueryError
from cloud.rollups.dirty import Dirty, DirtyHours
from cloud.rollups.hours import HOUR_NS, Hour, hours_over
from cloud.rollups.sums import READ, ROLLUPS, Fields, Key, Sums, is_nothing, is_same, line, wall_of
from cloud.rollups.written import Written
from shared.fields import MAX_INT

_log = logging.getLogger(__name__)
SEAT: Final = "rollups.lock"  # in data_dir
PERIOD_S: Final = 3.0
_ROUND_S: Final = 0.5  # of a period, the rest is ingest's
_REST: Final = 19.0  # times as long as a look at the latest hour took, nobody looks at it
_AT_ONCE: Final = 200
_PAGE: Final = 10_000  # of records: as many as InfluxDB gives whole; a short one costs it as much
_STEP: Final = 1_000  # of them, before others have their turn in the loop
_SEAT_S: Final = 1.0
_WEEK_NS: Final = 7 * 24 * HOUR_NS
_LONGEST_NS: Final = 64 * _WEEK_NS  # where nothing is
Row = dict[str, Any]


class Database(Protocol):
    async def query(self, influxql: str) -> list[dict[str, Any]]: ...

    async def write(self, lines: list[str]) -> dict[int, str]: ...


async def keep_rollups(seat: Seat, dirty: DirtyHours, database: Database, zone: tzinfo) -> None:
    """For ever, in one process of those on a data_dir."""
    while not seat.take():  # noqa: ASYNC110  # what is waited for is another process
        await asyncio.sleep(_SEAT_S)
    written = Written(_REST)
    while True:
        try:
            await _mark_past(dirty, database)
            await work_off(dirty, database, zone, written, time.monotonic() + _ROUND_S)
        except sqlite3.OperationalError as error:
            _log.warning("the rollups wait for the disk (%s)", error)
        except QueryError as error:
            _log.warning("the rollups wait: %s", error)
        await asyncio.sleep(PERIOD_S)


async def work_off(
    dirty: DirtyHours, database: Database, zone: tzinfo, written: Written, until_s: float
) -> None:
    """One round over what waits now. Raises the first QueryError, after the other hours.

    Two hours at least: the first is the latest, which is always dirty.
    """
    trouble: QueryError | None = None
    written.next_round()
    for number, hour in enumerate(dirty.waiting(_AT_ONCE)):
        began_s = time.monotonic()
        if not number and written.leaves_alone(hour, began_s):
            continue
        try:
            is_done = await _rewrite(hour, database, zone, written)
        except QueryError as error:  # of this hour perhaps: it does not hold up the others
            trouble = trouble or error
        else:
            (dirty.done if is_done else dirty.written)(hour)
        now_s = time.monotonic()
        if not number:
            written.looked(began_s, now_s)
        elif now_s > until_s:
            break
    if trouble is not None:
        raise trouble


async def finish(
    dirty: DirtyHours, database: Database, zone: tzinfo, tell: Callable[[int], None] = lambda _: None
) -> None:
    """Until none waits; for who has the seat. `tell`: how many fewer they are."""
    await _mark_past(dirty, database)
    written = Written()
    before = dirty.count()
    while before:
        await work_off(dirty, database, zone, written, math.inf)
        after = dirty.count()
        tell(before - after)
        before = after


async def _rewrite(at: Dirty, database: Database, zone: tzinfo, written: Written) -> bool:
    """Whether there was nothing to write."""
    is_done = True
    for hour in hours_over(at.start_ns, at.start_ns + HOUR_NS, zone):
        lines = await _differing(database, hour, written)
        if not lines:
            continue
        refused = await database.write(lines)
        for index, reason in refused.items():
            _log.error("a rollup cannot be stored (%s): %s", reason, lines[index])
        is_done = is_done and len(refused) == len(lines)  # refused again and again, it would never end
    return is_done


async def _differing(database: Database, hour: Hour, written: Written) -> list[str]:
    """All of a machine whose sales are other ones than this worker wrote last: at first that is everything,
    for another worker may have written between. If none are, those where InfluxDB has other ones.

    Products come first: where the sales of a machine are right, its products are.
    """
    sums = await _sums(database, hour)
    changed = written.swap(hour.start_ns, sums.sales)
    stale: Sequence[Row] = ()
    if not changed:
        rows = await _there(database, "sales_hour", hour)
        changed, stale = _wrong(rows, hour, sums.sales)
    return [
        *(await _zeros(database, hour, sums) if stale else ()),
        *(
            line("product_hour", key, product, hour.start_ns)
            for key, product in sums.products.items()
            if key[:2] in changed
        ),
        *(line("sales_hour", key, sums.sales[key], hour.start_ns, wall_of(hour)) for key in changed),
        *(line("sales_hour", (row["currency"], row["machine"]), {}, row["time"]) for row in stale),
    ]


async def _sums(database: Database, hour: Hour) -> Sums:
    sums = Sums()
    async for _, found in pages(database.query, READ, None, hour.start_ns, hour.end_ns, _PAGE):
        for start in range(0, len(found), _STEP):
            for kind, point in found[start : start + _STEP]:
                sums.add(kind, point)
            await asyncio.sleep(0)
    return sums


def _wrong(
    rows: Sequence[Row], hour: Hour, sales: Mapping[Key, Fields]
) -> tuple[Collection[Key], Sequence[Row]]:
    """Of what InfluxDB has: sales that are other ones there, and rows that should not be there."""
    there: dict[Key, Row] = {
        (row["currency"], row["machine"]): row for row in rows if row["time"] == hour.start_ns
    }
    other = {key for key, fields in sales.items() if not is_same(fields, there.get(key))}
    return other, [row for row in rows if not is_nothing(row) and not _is_wanted(row, hour, sales)]


def _is_wanted(row: Row, hour: Hour, sales: Collection[Key]) -> bool:
    return row["time"] == hour.start_ns and (row["currency"], row["machine"]) in sales


async def _zeros(database: Database, hour: Hour, sums: Sums) -> list[str]:
    """Of products that should not be there: in another zone hours began at other times. Not every generation
    of InfluxDB can delete.
    """
    found = [
        ((row["currency"], row["machine"], row["product"]), row["time"])
        for row in await _there(database, "product_hour", hour)
    ]
    return [
        line("product_hour", key, {}, at_ns)
        for key, at_ns in found
        if at_ns != hour.start_ns or key not in sums.products
    ]


async def _there(database: Database, measurement: str, hour: Hour) -> list[Row]:
    return await database.query(  # by machine: more than 10,000 rows of one series count as cut off
        f'SELECT * FROM "{measurement}" '  # noqa: S608  # a name of our table
        f'WHERE time >= {hour.start_ns} AND time < {hour.end_ns} GROUP BY "machine"'
    )


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
    at_ns, step_ns = start_ns - start_ns % HOUR_NS, _WEEK_NS  # what InfluxDB keeps together
    while at_ns < end_ns:
        stop_ns = min(at_ns + step_ns, end_ns)
        hours: set[int] = set()
        for measurements, field in kinds:
            names = ", ".join(f'"{name}"' for name in measurements)
            rows = await database.query(
                f'SELECT count("{field}") FROM {names} '  # noqa: S608  # names of our tables
                f"WHERE time >= {at_ns} AND time < {stop_ns} GROUP BY time(1h) fill(none)"
            )
            hours.update(row["time"] for row in rows)
        yield stop_ns, hours
        at_ns, step_ns = stop_ns, _WEEK_NS if hours else min(step_ns * 2, _LONGEST_NS)
