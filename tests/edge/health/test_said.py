"""What of a machine's health leaves its core, and when."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.core import Core
from edge.link_events import Command, Connected, CoreEvent, Disconnected, Inbound, PubAcked, Publish, Wake
from edge.sale import events as ev
from edge.sale.state import SlotSetting
from edge.sale.step import Machine, ProductGroup
from edge.sale.visit_events import DoorChanged, TemperatureRead
from edge.store.journal import Journal
from shared import codec, topics
from shared.clock import Now
from shared.messages import Health, PriceList, Receipt

ONLINE = Connected(session_present=False, max_packet_bytes=None)
CHANGER = ev.ChangerReady((50, 100), (9, 0), frozenset({0}))
SALE = (
    ev.CoinIn(1, 100, ev.Route.CASHBOX, 0),
    ev.SlotSelected("A1"),
    ev.VendEnded("A1", ev.VendResult.DELIVERED),
)


class Line:
    def __init__(self, core: Core) -> None:
        self.core = core
        self.now_s = 5.0
        self.sent: list[Publish] = []

    def feed(self, *events: CoreEvent) -> list[dict[str, Any]]:
        """The healths that leave with these."""
        now = Now(1_790_000_000 * 10**9 + round(self.now_s * 10**9), self.now_s, "synced", "boot")
        commands: list[Command] = [c for event in events for c in self.core.handle(event, now)]
        new = [command for command in commands if isinstance(command, Publish)]
        self.sent += new
        return [json.loads(said.payload) for said in new if said.topic == topics.HEALTH.of("m1")]

    def confirm(self) -> None:
        """Broker and cloud have all of it."""
        self.feed(*(PubAcked(message.token, 0) for message in self.sent if message.token is not None))
        journal = self.core.journal
        receipt = Receipt(epoch=journal.epoch, stored=((1, journal.last_seq),))
        self.feed(Inbound(topics.RECEIPT.of("m1"), codec.pack(receipt.model_dump())))

    def wait(self, seconds: float) -> list[dict[str, Any]]:
        """As the loop does: woken by the core, or after a second."""
        said, until_s = [], self.now_s + seconds
        while self.now_s < until_s:
            wake_s = self.core.next_wake_s()
            self.now_s = min(until_s, self.now_s + 1.0, max(self.now_s + 0.001, wake_s or until_s))
            said += self.feed(Wake())
        return said

    def sent_bytes(self, *, health: bool) -> int:
        name = topics.HEALTH.of("m1")
        return sum(len(m.topic) + len(m.payload) for m in self.sent if (m.topic == name) == health)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    slots = (SlotSetting("A1", "cola", 200, 200),)
    groups = {"fresh": ProductGroup(("A1",), "board", 0, 80, 1_800.0)}
    machine = Machine({"A1": "cola"}, "test", items={"A1": 1}, groups=groups)
    prices = PriceList(version=0, currency="EUR", prices={"A1": 100})
    with Journal(tmp_path / "journal.db", "m1") as journal:
        made = Line(Core(journal, machine, slots, prices, random.Random(1), disk_free_mb=lambda: 321))
        made.feed(ev.Booted("boot"), ev.BoardReady(), CHANGER)
        yield made


def test_each_connection_begins_with_a_whole_health(line: Line) -> None:
    line.now_s = 25.0
    (said,) = line.feed(ONLINE)
    assert (said["disk_free_mb"], said["tubes_minor"], said["clock"]) == (321, 450, "synced")
    assert said["link"] == {"reconnects_24h": 0, "up_since_ns": 1_790_000_025 * 10**9}
    assert Health.model_validate_json(json.dumps(said)).stacker_minor is None
    line.feed(Disconnected("cut"))
    assert line.feed(Wake(), DoorChanged(open=True)) == [], "nobody would hear it"
    line.now_s = 30.0
    (again,) = line.feed(ONLINE)
    assert (again["link"]["reconnects_24h"], again["door_open"]) == (1, True)
    assert len(line.feed(Disconnected("cut"), ONLINE)) == 1, "though nothing changed"


def test_the_first_health_waits_for_devices_that_start_but_not_for_those_that_are_not_there(
    line: Line,
) -> None:
    line.feed(ev.Booted("boot"))
    assert line.feed(ONLINE) == []
    line.feed(ev.BoardReady())
    (said,) = line.feed(CHANGER)
    assert said["tubes"]
    line.feed(ev.Booted("boot"))
    assert line.feed(ONLINE) == []
    (late,) = line.wait(10)
    assert late["cashbox_minor"] == 0


def test_the_topic_is_retained(line: Line) -> None:
    line.feed(ONLINE)
    (said,) = [m for m in line.sent if m.topic == topics.HEALTH.of("m1")]
    assert (said.retain, said.qos) == (True, 1)


def test_an_opened_door_is_said_at_once_and_the_core_wakes_for_what_waits(line: Line) -> None:
    line.feed(ONLINE)
    line.wait(30)
    (said,) = line.feed(DoorChanged(open=True))
    assert said["door_open"] is True
    assert line.feed(DoorChanged(open=False)) == []
    line.confirm()
    wake_s = line.core.next_wake_s()
    assert wake_s is not None
    assert wake_s <= line.now_s + 5.0
    (closed,) = line.wait(5)
    assert closed["door_open"] is False


def test_food_that_gets_warm_is_said_at_once_and_not_each_degree(line: Line) -> None:
    line.feed(ONLINE, TemperatureRead("board", 40))
    line.wait(70)
    assert line.feed(TemperatureRead("board", 50)) == []
    line.wait(70)
    (said,) = line.feed(TemperatureRead("board", 90))
    assert said["temperatures"] == {"board": 9.0}
    assert line.feed(TemperatureRead("board", 120)) == []


def test_a_sale_a_minute_costs_less_than_half_again_as_much(line: Line) -> None:
    line.feed(ONLINE)
    before = [line.sent_bytes(health=health) for health in (False, True)]
    for _ in range(60):
        line.feed(TemperatureRead("board", 40), *SALE)
        line.confirm()
        line.wait(30)
        line.feed(TemperatureRead("board", 50))
        line.wait(30)
    sales, health = (
        line.sent_bytes(health=is_health) - bytes_before
        for is_health, bytes_before in zip((False, True), before, strict=True)
    )
    assert line.core.state.totals.sales == 60
    assert health < sales / 2


def test_the_round_trip_is_that_of_messages_under_way_anyway(line: Line) -> None:
    line.feed(ONLINE)
    tokens = [message.token for message in line.sent if message.token is not None]
    line.now_s += 0.080
    line.feed(*(PubAcked(token, 0) for token in tokens), PubAcked(999, 0))
    (said,) = line.wait(900)
    assert said["link"]["round_trip_ms"] == 80
