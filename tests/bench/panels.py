"""What dashboards ask of a large fleet's month: from rollups, and the same from the records' own points.

The database is warm: every question is asked once before it is timed.
"""

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import track

from cloud.config import InfluxSettings
from cloud.database import make
from cloud.influx import Influx
from cloud.rollups.dirty import DirtyHours
from cloud.rollups.hours import HOUR_NS
from cloud.rollups.work import finish
from deploy.demo.servers import Influx as InfluxServer
from tests.bench.figures import Figure
from tests.bench.month import DAY_S, START_S, Size, lines

SIZE = Size(machines=1_000, days=30, sales=100)
RUNS = 7
AIM = "< 1,000 ms"
_AT_ONCE = 20_000  # lines


@dataclass(frozen=True, slots=True)
class Question:
    """`raw`: the same, asked of the records' points; "" where it is asked of them anyway."""

    dashboard: str
    panel: str
    influxql: str
    raw: str = ""


def questions(size: Size) -> list[Question]:
    """Likely ones, of the whole period or of its last day."""
    month = _span(START_S, size.end_s)
    day = _span(size.end_s - DAY_S, size.end_s)
    half = _span(START_S, START_S + size.days * DAY_S // 2)
    fleet, each = "\"machine\" = '_all'", "\"machine\" <> '_all'"
    revenue = 'sum("sold_minor") AS "sold"'
    paid = 'sum("paid_minor") AS "sold"'
    hour = _span(size.end_s - 3_600, size.end_s)
    last = '"machine", "product", "paid_minor", "tender", "link_down"'
    return [
        Question(
            "Today",
            "revenue, vends, failed",
            f'SELECT {revenue}, sum("sales"), sum("failed") FROM "sales_hour" WHERE {fleet} AND {day}',
            f'SELECT {paid}, count("seq") FROM "sale" WHERE {day}',
        ),
        Question(
            "Today",
            "average sale",
            f'SELECT sum("sold_minor") / sum("sales") FROM "sales_hour" WHERE {fleet} AND {day}',
            f'SELECT mean("paid_minor") FROM "sale" WHERE {day}',
        ),
        Question(
            "Today",
            "last sales",
            f'SELECT {last} FROM "sale" WHERE {day} ORDER BY time DESC LIMIT 20',
        ),
        Question(
            "Today",
            "last sales of an hour",
            f'SELECT {last} FROM "sale" WHERE {hour} ORDER BY time DESC LIMIT 20',
        ),
        Question(
            "Sales report",
            "by day",
            f'SELECT {revenue}, sum("sales") FROM "sales_hour" WHERE {fleet} AND {month} GROUP BY time(1d)',
            f'SELECT {paid}, count("seq") FROM "sale" WHERE {month} GROUP BY time(1d)',
        ),
        Question(
            "Sales report",
            "by hour of the day",
            f'SELECT "hour", "weekday", "sold_minor", "sales" FROM "sales_hour" WHERE {fleet} AND {month}',
            f'SELECT {paid}, count("seq") FROM "sale" WHERE {month} GROUP BY time(1h)',
        ),
        Question(
            "Sales report",
            "by tender",
            f'SELECT sum("cash_minor"), sum("card_minor"), sum("wallet_minor") FROM "sales_hour" '
            f"WHERE {fleet} AND {month}",
            f'SELECT {paid} FROM "sale" WHERE {month} GROUP BY "tender"',
        ),
        Question(
            "Sales report",
            "by machine",
            f'SELECT {revenue}, sum("sales") FROM "sales_hour" WHERE {each} AND {month} GROUP BY "machine"',
            f'SELECT {paid}, count("seq") FROM "sale" WHERE {month} GROUP BY "machine"',
        ),
        Question(
            "Sales report",
            "top 10 machines",
            f'SELECT top("sold", "machine", 10) FROM (SELECT {revenue} FROM "sales_hour" '
            f'WHERE {each} AND {month} GROUP BY "machine")',
            f'SELECT top("sold", "machine", 10) FROM (SELECT {paid} FROM "sale" '
            f'WHERE {month} GROUP BY "machine")',
        ),
        Question(
            "Sales report",
            "by product (one alone from the records' points)",
            f'SELECT {revenue}, sum("sales") FROM "product_hour" WHERE {fleet} AND {month} '
            'GROUP BY "product"',
            f'SELECT {paid}, count("seq") FROM "sale" WHERE "product" = \'product-7\' AND {month}',
        ),
        Question(
            "Sales report",
            "failed",
            f'SELECT sum("failed") FROM "sales_hour" WHERE {fleet} AND {month} GROUP BY time(1d)',
            f'SELECT count("seq") FROM "vend_failed" WHERE {month} GROUP BY time(1d)',
        ),
        Question(
            "Sales report",
            "the period before",
            f'SELECT {revenue}, sum("sales") FROM "sales_hour" WHERE {fleet} AND {half}',
            f'SELECT {paid}, count("seq") FROM "sale" WHERE {half}',
        ),
        Question(
            "Sales report",
            "by machine and product, of one",
            f'SELECT {revenue} FROM "product_hour" WHERE "machine" = \'m0001\' AND {month} '
            'GROUP BY "product"',
            f'SELECT "product", "paid_minor" FROM "sale" WHERE "machine" = \'m0001\' AND {month}',
        ),
    ]


def _span(start_s: int, end_s: int) -> str:
    return f"time >= {start_s}s AND time < {end_s}s"


def measure(folder: Path) -> list[Figure]:
    with InfluxServer(folder / "influxd") as server:
        settings = InfluxSettings(url=server.url, database=server.database, timeout_s=120)
        loaded_s = asyncio.run(fill(settings, SIZE, _bar))
        rolled_s = roll(settings, folder / "store.db", SIZE, _bar)
        asked = asyncio.run(answers(settings, questions(SIZE), RUNS))
    how = f"{SIZE.machines:,} machines, {SIZE.days} days, {SIZE.all_sales:,} sales"
    return [
        Figure("a month loaded", (SIZE.all_sales / loaded_s,), "sales/s", how),
        Figure(
            "rollups of a month",
            (SIZE.days * 24 / rolled_s,),
            "hours/s",
            f"{how}; each looked at twice",
            digits=1,
        ),
        *asked,
    ]


Bar = Callable[[Sequence[int], str], Iterator[int]]


def _bar(steps: Sequence[int], what: str) -> Iterator[int]:
    yield from track(steps, what, console=Console(stderr=True), disable=not sys.stderr.isatty())


def _quiet(steps: Sequence[int], _what: str) -> Iterator[int]:
    yield from steps


async def fill(settings: InfluxSettings, size: Size, bar: Bar = _quiet) -> float:
    """Write the month; returns the seconds that it took."""
    start_s = time.perf_counter()
    async with Influx(settings) as influx:
        await influx.create_database()
        for day in bar(range(size.days), "loading"):
            found: list[str] = []
            for line in lines(size, day, random.Random(day)):
                found.append(line)
                if len(found) == _AT_ONCE:
                    assert await influx.write(found) == {}
                    found = []
            assert await influx.write(found) == {}
    return time.perf_counter() - start_s


def roll(settings: InfluxSettings, store: Path, size: Size, bar: Bar = _quiet) -> float:
    """Make the month's rollups, day by day; returns the seconds that it took."""
    make(store)
    start_s = time.perf_counter()

    async def run() -> None:
        async with Influx(settings) as influx:
            with closing(DirtyHours(store)) as dirty:
                for day in bar(range(size.days), "rollups"):
                    first_ns = (START_S + day * DAY_S) * 10**9
                    dirty.add(first_ns + hour * HOUR_NS for hour in range(24))
                    await finish(dirty, influx, ZoneInfo("UTC"))

    asyncio.run(run())
    return time.perf_counter() - start_s


async def answers(settings: InfluxSettings, asked: Sequence[Question], runs: int) -> list[Figure]:
    figures: list[Figure] = []
    async with Influx(settings) as influx:
        for question in asked:
            times_ms = await _times_ms(influx, question.influxql, runs)
            how = "from the records' points"
            if question.raw:
                raw_ms = statistics.median(await _times_ms(influx, question.raw, 3))
                ratio = raw_ms / statistics.median(times_ms)
                how = f"from the records' points {raw_ms:,.0f} ms: {ratio:,.0f} times that"
            figures.append(Figure(f"{question.dashboard}: {question.panel}", times_ms, "ms", how, AIM))
    return figures


async def _times_ms(influx: Influx, influxql: str, runs: int) -> tuple[float, ...]:
    """Warm."""
    taken_ms = []
    for _ in range(runs + 1):
        start_s = time.perf_counter()
        assert await influx.query(influxql), f"nothing for {influxql}"
        taken_ms.append((time.perf_counter() - start_s) * 1_000)
    return tuple(taken_ms[1:])
