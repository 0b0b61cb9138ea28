"""Every query of the dashboards Today and Sales report, asked of a large fleet's month.

The month ends about now, as `deploy/grafana` asks of the last hours too. The database is warm: every query is
asked once before it is timed. Some are also asked of the records' own points, without rollups.
"""

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
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
from deploy.grafana.interpolate import ALL, Shown
from deploy.grafana.interpolate import questions as asked_by_grafana
from tests.bench.figures import Figure
from tests.bench.month import DAY_S, Size, lines, states

SIZE: Final = Size(machines=1_000, days=30, sales=100)
RUNS: Final = 7
AIM: Final = "< 1,000 ms"
ONE: Final = "m0001"
_AT_ONCE: Final = 20_000  # lines
_BEFORE: Final = "the period before"
# The same without rollups, by dashboard and panel; `$time` is the panel's period.
_RAW: Final[Mapping[tuple[str, str], str]] = {
    ("Today", "Sold ($currency)"): 'SELECT sum("paid_minor") / 100 AS "sold" FROM "sale" WHERE $time',
    ("Today", "Vends"): 'SELECT count("seq") AS "vends" FROM "sale" WHERE $time AND "paid_minor" > 0',
    ("Sales report", "Sold by day ($currency)"): (
        'SELECT sum("paid_minor") / 100 AS "sold" FROM "sale" WHERE $time GROUP BY time(1d) fill(0)'
    ),
    ("Sales report", "Sold by machine ($currency)"): (
        'SELECT sum("paid_minor") / 100 AS "sold" FROM "sale" WHERE $time GROUP BY "machine"'
    ),
    ("Sales report", "Arrived late"): (
        'SELECT count("seq") AS "late" FROM "sale" WHERE $time AND "paid_minor" > 0 AND "link_down" = true'
    ),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """`raw`: the same, asked of the records' points; "" where it is not."""

    dashboard: str
    panel: str
    name: str
    influxql: str
    raw: str = ""


def questions(size: Size) -> Iterator[Asked]:
    """Today of the last day, the report of all days: of the fleet, and of one machine where asked."""
    for dashboard, days, machine in (
        ("Today", 1.0, ALL),
        ("Sales report", size.days, ALL),
        ("Sales report", size.days, ONE),
    ):
        of = dashboard if machine == ALL else f"{dashboard} of one machine"
        for query in asked_by_grafana(_shown(size, days, machine)):
            if query.dashboard != dashboard or (machine == ONE and ONE not in query.influxql):
                continue
            name = f"{of}: {query.panel.removesuffix(' ($currency)')}"
            if _BEFORE in query.influxql:  # there is nothing before the month
                (half,) = (
                    one.influxql
                    for one in asked_by_grafana(_shown(size, days / 2, machine))
                    if (one.dashboard, one.panel, one.ref) == (dashboard, query.panel, query.ref)
                )
                yield Asked(dashboard, query.panel, f"{name}, {_BEFORE} of {days / 2:g} days", half)
                continue
            raw = _RAW.get((dashboard, query.panel), "") if machine == ALL else ""
            yield Asked(dashboard, query.panel, name, query.influxql, raw.replace("$time", _time(size, days)))


def _shown(size: Size, days: float, machine: str) -> Shown:
    """To the last whole hour, and not its first point."""
    from_s = size.end_s - round(days * DAY_S)
    return Shown(from_s * 1_000, size.end_s * 1_000 - 1, {"currency": "EUR", "machine": machine})


def _time(size: Size, days: float) -> str:
    return f"time >= {size.end_s - round(days * DAY_S)}s AND time < {size.end_s}s"


def measure(folder: Path) -> list[Figure]:
    size = SIZE.until(time.time())
    with InfluxServer(folder / "influxd") as server:
        settings = InfluxSettings(url=server.url, database=server.database, timeout_s=120)
        loaded_s = asyncio.run(fill(settings, size, _bar))
        rolled_s = roll(settings, folder / "store.db", size, _bar)
        asked = asyncio.run(answers(settings, size, list(questions(size)), RUNS))
    how = f"{size.machines:,} machines, {size.days} days, {size.all_sales:,} sales"
    slowest = max(asked, key=lambda figure: figure.value)
    return [
        Figure("a month loaded", (size.all_sales / loaded_s,), "sales/s", how),
        Figure("rollups of a month", (rolled_s,), "s", f"{how}; each hour looked at twice"),
        Figure("the slowest of all panels", slowest.runs, "ms", slowest.name, AIM),
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
            await _write(influx, lines(size, day, random.Random(day)))
    return time.perf_counter() - start_s


async def _write(influx: Influx, made: Iterable[str]) -> None:
    found: list[str] = []
    for line in made:
        found.append(line)
        if len(found) == _AT_ONCE:
            assert await influx.write(found) == {}
            found = []
    assert await influx.write(found) == {}


def roll(settings: InfluxSettings, store: Path, size: Size, bar: Bar = _quiet) -> float:
    """Make the month's rollups, day by day; returns the seconds that it took."""
    make(store)
    start_s = time.perf_counter()

    async def run() -> None:
        async with Influx(settings) as influx:
            with closing(DirtyHours(store)) as dirty:
                for day in bar(range(size.days), "rollups"):
                    first_ns = (size.start_s + day * DAY_S) * 10**9
                    dirty.add(first_ns + hour * HOUR_NS for hour in range(24))
                    await finish(dirty, influx, ZoneInfo("UTC"))

    asyncio.run(run())
    return time.perf_counter() - start_s


async def answers(settings: InfluxSettings, size: Size, asked: Sequence[Asked], runs: int) -> list[Figure]:
    """The gauges and books of the last hours are written first: nothing of it is too old then."""
    figures: list[Figure] = []
    async with Influx(settings) as influx:
        await _write(influx, states(size.until(time.time())))
        for question in asked:
            times_ms = await _times_ms(influx, question.influxql, runs)
            how = ""
            if question.raw:
                raw_ms = statistics.median(await _times_ms(influx, question.raw, 3))
                ratio = raw_ms / statistics.median(times_ms)
                how = f"from the records' points {raw_ms:,.0f} ms: {ratio:,.0f} times that"
            figures.append(Figure(question.name, times_ms, "ms", how, AIM))
    return figures


async def _times_ms(influx: Influx, influxql: str, runs: int) -> tuple[float, ...]:
    """Warm."""
    taken_ms = []
    for _ in range(runs + 1):
        start_s = time.perf_counter()
        assert await influx.query(influxql), f"nothing for {influxql}"
        taken_ms.append((time.perf_counter() - start_s) * 1_000)
    return tuple(taken_ms[1:])
