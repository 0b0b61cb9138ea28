"""Nothing is left out: killed anywhere, trouble, a sale in between, an upgrade, a rebuild, another zone."""

import asyncio
import json
import math
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cloud import database
from cloud.config import InfluxSettings
from cloud.desk import Seat
from cloud.influx import Influx, QueryError
from cloud.rollups import work
from cloud.rollups.dirty import Dirty, DirtyHours
from cloud.rollups.hours import HOUR_NS
from cloud.rollups.sums import ALL, Fields, Key
from cloud.rollups.work import finish, keep_rollups, work_off
from cloud.rollups.written import Written
from deploy.demo.servers import Influx as InfluxServer
from tests.cloud.rebuild.day import System, live_day
from tests.cloud.records import EPOCH, START_NS, arrived, sale
from tests.cloud.rollups.test_rollups import Rows, in_zone, new_system, roll, rows, server

__all__ = ["server"]
UTC = ZoneInfo("UTC")
NEVER = 1_000_000
TAGS = ("time", "machine", "currency", "product")


@pytest.fixture
def system(tmp_path: Path, server: InfluxServer) -> System:
    return new_system(tmp_path / "system", server)


class Killed(BaseException):
    """As kill -9: nobody cleans up."""


class Database:
    """InfluxDB. At one call, before or after it was made, something else happens."""

    def __init__(self, influx: Influx, at: int, *, after: bool = False) -> None:
        self._influx = influx
        self._left = at
        self._after = after

    def happens(self) -> None:
        raise Killed

    async def query(self, influxql: str) -> list[dict[str, Any]]:
        self._step(after=False)
        rows = await self._influx.query(influxql)
        self._step(after=True)
        return rows

    async def write(self, lines: list[str]) -> dict[int, str]:
        self._step(after=False)
        refused = await self._influx.write(lines)
        self._step(after=True)
        return refused

    def _step(self, *, after: bool) -> None:
        if after is self._after:
            self._left -= 1
            if self._left == -1:
                self.happens()


async def worked(system: System, kind: type[Database], at: int, *, after: bool) -> None:
    async with Influx(InfluxSettings(url=system.url, database=system.database)) as influx:
        with closing(DirtyHours(system.data / "store.db")) as dirty:
            await finish(dirty, kind(influx, at, after=after), UTC)


def fleet(system: System) -> dict[str, int]:
    found = [row for row in rows(system, "sales_hour") if row["machine"] == ALL]
    return {name: sum(row[name] for row in found) for name in ("sales", "sold_minor", "late_sales")}


def waiting(system: System) -> int:
    with closing(DirtyHours(system.data / "store.db")) as dirty:
        return dirty.count()


def points(system: System) -> tuple[Rows, ...]:
    return tuple(
        sorted(rows(system, name), key=lambda row: [str(row.get(tag)) for tag in TAGS])
        for name in ("sales_hour", "product_hour")
    )


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(0, 12, 2))
def test_killed_at_any_point_it_goes_on(system: System, at: int, *, after: bool) -> None:
    records = [sale("m1", n, at_ns=START_NS + n * 50 * 60 * 10**9) for n in (1, 2)]
    system.live([arrived("m1", *records)])
    with suppress(Killed):
        asyncio.run(worked(system, Database, at, after=after))
    roll(system)
    assert fleet(system) == {"sales": 2, "sold_minor": 300, "late_sales": 0}
    assert waiting(system) == 0


def test_a_late_sale_at_any_moment_of_the_work_is_in_the_sum(system: System) -> None:
    """Another computer takes it in and writes it between: what this one read before is older."""
    system.live([arrived("m1", sale("m1", 1))])
    other = System(system.data.parent / "other", system.url, system.database)

    class Late(Database):
        def happens(self) -> None:
            apart(lambda: other.live([arrived("m1", sale("m1", number, link_down=True))], f"late-{number}"))
            apart(lambda: roll(other))

    sales = 1
    for number in (2, 5, 8, 9, 12, 16):
        asyncio.run(worked(system, Late, (number - 2) // 2, after=number % 2 == 0))
        sales += 1
        assert fleet(system) == {"sales": sales, "sold_minor": sales * 150, "late_sales": sales - 1}
        assert waiting(system) == 0
        system.live([arrived("m1", sale("m1", 1))], f"again-{number}")  # marks the hour


def apart(work: Callable[[], None]) -> None:
    """In another thread, as in another process."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def test_trouble_with_one_hour_does_not_hold_up_the_others(system: System) -> None:
    live_day(system)

    class Refusing(Database):
        async def query(self, influxql: str) -> list[dict[str, Any]]:
            if f"time >= {START_NS // HOUR_NS * HOUR_NS} " in influxql:
                raise QueryError("too much in this hour")
            return await self._influx.query(influxql)

    before = waiting(system)

    async def two_rounds() -> None:
        async with Influx(InfluxSettings(url=system.url, database=system.database)) as influx:
            with closing(DirtyHours(system.data / "store.db")) as dirty:
                written = Written()
                for _ in range(2):
                    with pytest.raises(QueryError, match="too much"):
                        await work_off(dirty, Refusing(influx, NEVER), UTC, written, math.inf)

    asyncio.run(two_rounds())
    assert before > 5
    assert waiting(system) == 1
    roll(system)
    assert waiting(system) == 0


def test_the_latest_hour_is_left_alone_while_others_are_worked_off(system: System) -> None:
    """It has a sale every few seconds, and each look reads all of it."""

    class Looked(Database):
        def __init__(self, influx: Influx) -> None:
            super().__init__(influx, NEVER)
            self.asked = ""

        async def query(self, influxql: str) -> list[dict[str, Any]]:
            self.asked += influxql
            return await self._influx.query(influxql)

    async def looks(written: Written) -> list[tuple[bool, bool]]:
        """In each of two rounds: at the latest hour, at the one before?"""
        found = []
        async with Influx(InfluxSettings(url=system.url, database=system.database)) as influx:
            with closing(DirtyHours(system.data / "store.db")) as dirty:
                for _ in range(2):
                    dirty.add((hour_ns - HOUR_NS, hour_ns))
                    database = Looked(influx)
                    await work_off(dirty, database, UTC, written, math.inf)
                    latest, before = (f"time >= {at_ns} " for at_ns in (hour_ns, hour_ns - HOUR_NS))
                    found.append((latest in database.asked, before in database.asked))
        return found

    hour_ns = START_NS // HOUR_NS * HOUR_NS
    system.live([arrived("m1", sale("m1", 1))])
    assert asyncio.run(looks(Written(rest=math.inf))) == [(True, True), (False, True)]
    assert waiting(system) == 1
    assert asyncio.run(looks(Written())) == [(True, True), (True, True)]
    assert fleet(system)["sales"] == 1


def test_what_was_written_is_known_while_the_latest_hour_rests() -> None:
    """Else all of it would be written again after each rest."""
    written, latest = Written(rest=2), Dirty(HOUR_NS, 1, 0)
    sales: dict[Key, Fields] = {("EUR", "m1"): {"sales": 1}}
    written.next_round()
    assert written.swap(HOUR_NS, sales) == {("EUR", "m1")}
    written.looked(10, 15)
    for now_s in (16, 20, 24):
        written.next_round()
        assert written.leaves_alone(latest, now_s)
    written.next_round()
    assert not written.leaves_alone(latest, 25)
    assert written.swap(HOUR_NS, sales) == set()


def test_an_hour_of_more_sales_than_a_page_is_whole(system: System) -> None:
    hour_ns = START_NS // HOUR_NS * HOUR_NS
    system.live([arrived("m1", sale("m1", 1, at_ns=hour_ns))])
    lines = [
        f"sale,epoch={EPOCH},machine=m{n % 3},tender=cash cash_minor={n}i,paid_minor={n}i,"
        f'product="cola",currency="EUR",link_down=true {hour_ns + n}'
        for n in range(1, 10_010)
    ]

    async def write() -> dict[int, str]:
        async with Influx(InfluxSettings(url=system.url, database=system.database)) as influx:
            return await influx.write(lines)

    assert asyncio.run(write()) == {}
    roll(system)
    assert fleet(system) == {"sales": 10_010, "sold_minor": 150 + 10_009 * 5_005, "late_sales": 10_009}


def test_an_upgrade_finds_the_sales_that_came_before_it(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_day(system)
    with closing(sqlite3.connect(system.data / "store.db")) as db:
        db.executescript("DROP TABLE dirty_hour; DROP TABLE unmarked_past")
        db.executescript(database.STEPS[9].read_text(encoding="utf-8"))
    assert not points(system)[0]
    with closing(DirtyHours(system.data / "store.db")) as dirty:
        assert not dirty.past_is_marked()
        assert dirty.oldest_ns() is not None
    roll(system)
    found = points(system)
    assert sum(row["sales"] for row in found[0] if row["machine"] == ALL) > 10
    again = System(tmp_path / "again", system.url, f"{system.database}x")
    live_day(again)
    roll(again)
    assert points(again) == found


def test_a_rebuild_makes_the_same_rollups(system: System) -> None:
    live_day(system)
    roll(system)
    before = points(system)
    system.lose_influx()
    assert system.call("rebuild", "--json").exit_code == 0
    said = json.loads(system.call("rollups", "--json").stdout)
    assert said["waiting"] > 0
    roll(system)
    assert points(system) == before


def test_another_zone_moves_the_hours_and_leaves_nothing_behind(system: System) -> None:
    live_day(system)
    roll(system)
    in_utc, sums = points(system), fleet(system)
    hours = set()
    for zone in ("Asia/Kolkata", "Europe/Vilnius", "Asia/Kathmandu", "UTC"):
        in_zone(system, zone)
        done = system.call("rollups", "--rebuild", "--json")
        assert (done.exit_code, json.loads(done.stdout)["waiting"]) == (0, 0), done.stderr
        assert fleet(system) == sums
        hours.add(tuple(row["time"] for row in points(system)[0] if row["sales"]))
    assert len(hours) == 3  # Vilnius differs from UTC by whole hours
    for before, after in zip(in_utc, points(system), strict=True):
        assert [row for row in after if row["sales"] or row["failed"]] == [
            row for row in before if row["sales"] or row["failed"]
        ]


def test_a_period_is_rewritten_and_what_is_asked_wrongly_is_refused(system: System) -> None:
    live_day(system)
    roll(system)
    before = points(system)
    for measurement in ("sales_hour", "product_hour"):
        system.ask(f'DROP MEASUREMENT "{measurement}"')
    done = system.call("rollups", "--rebuild", "--from", "2026-09-21", "--to", "2026-09-21")
    assert done.stdout == "all hours are up to date\n", done.stderr
    midnight_ns = START_NS // (24 * HOUR_NS) * 24 * HOUR_NS + 24 * HOUR_NS
    for was, now in zip(before, points(system), strict=True):
        assert now == [row for row in was if row["time"] < midnight_ns]
        assert len(now) < len(was)
    assert system.call("rollups", "--from", "2026-09-21").exit_code == 2
    assert system.call("rollups", "--rebuild", "--from", "2026-09-22", "--to", "2026-09-21").exit_code == 2


def test_what_is_marked_again_while_it_is_read_stays_marked(system: System) -> None:
    system.live([arrived("m1", sale("m1", 1))])
    with closing(DirtyHours(system.data / "store.db")) as dirty:
        (read,) = dirty.waiting(9)
        system.live([arrived("m1", sale("m1", 2))], "two")
        dirty.done(read)
        assert dirty.count() == 1
        dirty.done(dirty.waiting(9)[0])
        assert dirty.oldest_ns() is None


def test_an_hour_that_was_written_is_as_old_as_the_look_at_it(tmp_path: Path) -> None:
    """While machines sell the latest hour is never clean, and yet its sums are some seconds old."""
    database.make(tmp_path / "store.db")
    with closing(DirtyHours(tmp_path / "store.db")) as dirty:
        dirty.add([HOUR_NS])
        (marked,) = dirty.waiting(1)
        assert dirty.oldest_ns() is not None
        look = replace(marked, asked_ns=marked.asked_ns + 60 * 10**9)
        dirty.add([HOUR_NS])  # more came meanwhile
        dirty.written(look)
        dirty.done(look)
        assert dirty.oldest_ns() == look.asked_ns
        dirty.written(marked)  # a look that began earlier and ends later
        assert dirty.oldest_ns() == look.asked_ns


def test_while_influx_is_away_it_waits_and_goes_on(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "PERIOD_S", 0.01)
    system.live([arrived("m1", sale("m1", 1))])

    class Away(Database):
        times = 0

        async def query(self, influxql: str) -> list[dict[str, Any]]:
            self.times += 1
            if self.times < 5:
                raise QueryError("InfluxDB does not answer")
            return await self._influx.query(influxql)

    async def run() -> None:
        async with Influx(InfluxSettings(url=system.url, database=system.database)) as influx:
            with (
                closing(DirtyHours(system.data / "store.db")) as dirty,
                closing(Seat(system.data / work.SEAT)) as seat,
            ):
                work_for_ever = asyncio.create_task(keep_rollups(seat, dirty, Away(influx, NEVER), UTC))
                while dirty.count():
                    await asyncio.sleep(0)
                    assert not work_for_ever.done()
                work_for_ever.cancel()

    asyncio.run(run())
    assert fleet(system)["sales"] == 1
