"""Rollups for tests of what reads them."""

import asyncio
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

from cloud.config import InfluxSettings
from cloud.influx import Influx
from cloud.rollups.dirty import DirtyHours
from cloud.rollups.work import finish


def make_rollups(influx: InfluxSettings, store: Path, zone: str = "UTC") -> None:
    """Of all hours that ingest marked in this store, as the cloud's own worker makes them."""

    async def run() -> None:
        async with Influx(influx) as database:
            with closing(DirtyHours(store)) as dirty:
                await finish(dirty, database, ZoneInfo(zone))

    asyncio.run(run())
