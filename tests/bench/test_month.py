"""The fast month is what ingest would write, and rollups answer as its records do."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any

from cloud.config import InfluxSettings
from cloud.influx import Influx
from cloud.points import record_line
from deploy.demo.servers import Influx as InfluxServer
from tests.bench import panels
from tests.bench.month import Size, lines, sold

SIZE = Size(machines=4, days=1, sales=60)


def test_a_fast_line_is_the_line_of_its_record() -> None:
    sales = list(sold(Size(machines=5, days=1, sales=100), 0, random.Random(1)))
    assert {sale.tender for sale in sales} == {"cash", "card", "wallet", "free", "test"}
    assert [parts(sale.line()) for sale in sales] == [parts(record_line(sale.record())) for sale in sales]


def parts(line: str) -> tuple[str, list[str], str]:
    """The order of fields is no part of a point."""
    series, fields, at_ns = line.split(" ")
    return series, sorted(fields.split(",")), at_ns


def test_the_same_month_each_time_and_every_record_a_point_of_its_own() -> None:
    month = [list(lines(SIZE, 0, random.Random(7))) for _ in range(2)]
    assert month[0] == month[1]
    times = {(line.partition(",machine=")[2][:5], line.rpartition(" ")[2]) for line in month[0]}
    assert len(times) == len(month[0]) >= SIZE.all_sales


def test_panels_answer_as_the_records_do(own_influx: InfluxServer, tmp_path: Path) -> None:
    size = SIZE.until(time.time())
    settings = InfluxSettings(url=own_influx.url, database=own_influx.database)
    asyncio.run(panels.fill(settings, size))
    panels.roll(settings, tmp_path / "store.db", size)
    asked = list(panels.questions(size))
    figures = asyncio.run(panels.answers(settings, size, asked, 1))
    assert [figure.name for figure in figures] == [question.name for question in asked]
    compared = [question for question in asked if question.raw]
    assert len(compared) == 5

    async def both(question: panels.Asked) -> tuple[list[dict[str, Any]], ...]:
        async with Influx(settings) as influx:
            return await influx.query(question.influxql), await influx.query(question.raw)

    for question in compared:
        rolled, raw = asyncio.run(both(question))
        assert rolled == raw, question.name
