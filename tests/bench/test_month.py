"""The fast month is what ingest would write, and rollups answer as its records do."""

import asyncio
import random
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


def test_rollups_answer_as_the_records_do(own_influx: InfluxServer, tmp_path: Path) -> None:
    settings = InfluxSettings(url=own_influx.url, database=own_influx.database)
    asyncio.run(panels.fill(settings, SIZE))
    panels.roll(settings, tmp_path / "store.db", SIZE)
    asked = {question.panel: question for question in panels.questions(SIZE)}
    figures = asyncio.run(panels.answers(settings, list(asked.values()), 1))
    assert len(figures) == len(asked)

    async def both(panel: str) -> tuple[list[dict[str, Any]], ...]:
        async with Influx(settings) as influx:
            return await influx.query(asked[panel].influxql), await influx.query(asked[panel].raw)

    for panel in ("by day", "by machine", "top 10 machines", "revenue, vends, failed"):
        rolled, raw = asyncio.run(both(panel))
        assert [row.get("sold", row.get("top")) for row in rolled] == [
            row.get("sold", row.get("top")) for row in raw
        ], panel
