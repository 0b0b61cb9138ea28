"""A small fleet in a real InfluxDB, through the cloud's own ingest, rollups, gauges and books."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Final

from cloud.bags import Bag, Counted, Counts
from cloud.batch import Arrived
from cloud.books import Books
from cloud.config import InfluxSettings
from cloud.figures import write_once
from cloud.gauges.broker import CONNECTED, DROPPED, RECEIVED, RETAINED, STORED, BrokerFigures
from cloud.gauges.fleet import Fleet
from cloud.gauges.process import broker_line, cloud_line
from cloud.gauges.writer import Gauges
from cloud.influx import Influx
from cloud.watch import Watch
from shared import topics
from tests.cloud.rebuild.day import System
from tests.cloud.records import arrived
from tests.grafana.history import END_NS, MINUTE_NS, records_of
from tests.grafana.said import health, reported, status, stock, word
from tests.rollups import make_rollups

MACHINES: Final = ("vm-1", "vm-2", "vm-3")


def told_before(now_ns: int) -> list[Arrived]:
    """All records; and two days ago all machines were online, and vm-1 had more coins."""
    before_ns = now_ns - 2 * 24 * 60 * MINUTE_NS
    records = [
        arrived(machine, one, topic=topics.SALE if one["kind"] == "sale" else topics.EVENT, at_ns=END_NS)
        for machine in MACHINES
        for one in records_of(machine, now_ns)
    ]
    states = [
        word(topics.STATUS, machine, status(machine, before_ns, online=True), before_ns)
        for machine in MACHINES
    ]
    return [*records, *states, word(topics.HEALTH, "vm-1", health("vm-1", before_ns, coins=40), before_ns)]


def told_now(now_ns: int) -> list[Arrived]:
    return [
        word(topic, machine, said, now_ns)
        for machine in MACHINES
        for topic, said in (
            (topics.STATUS, status(machine, now_ns, online=machine != "vm-2")),
            (topics.STOCK, stock(machine, now_ns)),
            (topics.HEALTH, health(machine, now_ns)),
            (topics.REPORTED, reported(now_ns)),
        )
    ]


def build(folder: Path, url: str, database: str, now_ns: int, zone: str = "UTC") -> System:
    """All of it in a real InfluxDB, as the cloud would have written it by now."""
    system = System(folder, url, database)
    system.live(told_before(now_ns), "one", batch=100)
    system.live(told_now(now_ns), "two", batch=100)
    store = system.data / "store.db"
    influx = InfluxSettings(url=url, database=database)
    make_rollups(influx, store, zone)

    async def write() -> None:
        async with Influx(influx) as client:
            with closing(Fleet(store)) as fleet:
                await Gauges(fleet).once(client, now_ns, everything=True)
            with closing(Counts(store)) as counts, closing(Books(store)) as books:
                counts.add(_BAG, Counted(1_400, "anna", now_ns))
                for at in (END_NS, now_ns):  # bags are looked at for two months, machines now
                    await write_once(client, books, counts, {}, at)
            assert await client.write(_process_lines(now_ns)) == {}

    asyncio.run(write())
    return system


_BAG: Final = Bag("vm-1", "B 1", 0, 450, 1_000, 800, 500, "EUR")


def _process_lines(now_ns: int) -> list[str]:
    """Four minutes of one process and its broker, as they tell it of themselves."""
    watch, figures = Watch(), BrokerFigures()
    watch.connected(lambda: (5, 500))
    lines = []
    for minute in range(4):
        watch.metrics.count("records_stored_total", 120)
        if minute == 2:
            watch.metrics.count("dead_letters_total", 3, "bad_body")
        watch.live_lags_s.extend((0.1, 0.2, 0.1 * (minute + 3)))
        watch.wrote(0.02, "")
        for topic, said in (
            (CONNECTED, b"4"),
            (STORED, b"30"),
            (RETAINED, b"25"),
            (DROPPED, b"0"),
            (RECEIVED, b"120"),
        ):
            figures.hear(topic, said)
        at_ns = now_ns - (4 - minute) * MINUTE_NS
        dirty_ns = at_ns - 40 * 10**9 if minute == 3 else None
        lines.append(cloud_line(watch, "desk", now_ns - 10 * MINUTE_NS, at_ns, dirty_ns))
        broker = broker_line(figures, at_ns)
        assert broker is not None
        lines.append(broker)
    return lines
