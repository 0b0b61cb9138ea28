"""A store that is fed as ingest feeds it, and the gauges on it."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cloud.batch import Arrived, digest, settle
from cloud.database import make
from cloud.gauges.fleet import Fleet
from cloud.gauges.writer import ALWAYS, BrokerLink, Gauges
from cloud.store import Store
from shared import topics
from shared.messages import Health, Status, Stock
from tests.cloud.records import EPOCH

SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
WEEK_NS = 7 * DAY_NS
NOW_NS = 1_789_992_000 * SECOND_NS  # a Monday, noon in UTC


class Memory:
    """A database that holds nothing, and keeps what it is told: fields by series and time."""

    def __init__(self) -> None:
        self.points: dict[tuple[str, int], str] = {}
        self.asked = 0
        self.written: list[str] = []

    async def query(self, _influxql: str) -> list[dict[str, Any]]:
        self.asked += 1
        return []

    async def write(self, lines: Sequence[str]) -> dict[int, str]:
        self.written += lines
        for line in lines:
            series, fields, at_ns = _split(line)
            self.points[series, at_ns] = fields
        return {}

    def machine(self, name: str) -> dict[str, Any]:
        """The newest `machine_now` of a machine."""
        series = f"machine_now,machine={name}"
        return fields_of(self.points[series, max(at_ns for s, at_ns in self.points if s == series)])

    def count(self) -> dict[str, int]:
        found: dict[str, int] = defaultdict(int)
        for series, _ in self.points:
            found[series.partition(",")[0]] += 1
        return dict(found)


def _split(line: str) -> tuple[str, str, int]:
    series, _, rest = line.partition(" ")
    fields, _, at_ns = rest.rpartition(" ")
    return series, fields, int(at_ns)


def fields_of(text: str) -> dict[str, Any]:
    """Of line protocol whose texts have no comma."""
    return {name: _value(value) for name, _, value in (part.partition("=") for part in text.split(","))}


def _value(text: str) -> int | float | str:
    if text.startswith('"'):
        return text[1:-1]
    return int(text[:-1]) if text.endswith("i") else float(text)


class Site:
    def __init__(self, folder: Path) -> None:
        make(folder / "store.db")
        self.path = folder / "store.db"
        self.store = Store(self.path)
        self.fleet = Fleet(self.path)
        self.gauges = Gauges(self.fleet)
        self.database = Memory()
        self.lines: list[str] = []  # of what was taken in

    def close(self) -> None:
        self.fleet.close()
        self.store.close()

    def restart(self) -> None:
        self.fleet.close()
        self.fleet = Fleet(self.path)
        self.gauges = Gauges(self.fleet)

    def take(self, *messages: Arrived) -> None:
        batch = digest(messages)
        self.store.screen(batch)
        assert not batch.dead
        settle(batch, {})
        self.store.keep(batch, max(message.arrived_ns for message in messages))
        self.lines += [line.text for line in batch.lines]

    def look(self, now_ns: int = NOW_NS, broker: BrokerLink = ALWAYS) -> int:
        return asyncio.run(self.gauges.once(self.database, now_ns, broker))


def said(value: Status | Stock | Health, machine: str, at_ns: int, *, retain: bool = False) -> Arrived:
    topic = {Status: topics.STATUS, Stock: topics.STOCK, Health: topics.HEALTH}[type(value)]
    return Arrived(topic.of(machine), value.model_dump_json().encode(), 1, retain, at_ns)


def status(machine: str, at_ns: int, *, online: bool = True, retain: bool = False, **more: object) -> Arrived:
    fields = {
        "online": online,
        "since_ns": NOW_NS - DAY_NS,
        "epoch": EPOCH,
        "software": "1.2.3",
        "tenders": {"cash": {"available": True}, "card": {"available": False, "reason": "reader offline"}},
        **more,
    }
    return said(Status.model_validate(fields), machine, at_ns, retain=retain)


def stock(machine: str, at_ns: int, **counts: int) -> Arrived:
    """Every slot has a par of 8 and a capacity of 10."""
    slots = {
        slot: {"product": "cola", "count": count, "capacity": 10, "par": 8} for slot, count in counts.items()
    }
    return said(Stock.model_validate({"at_ns": at_ns, "slots": slots}), machine, at_ns)
