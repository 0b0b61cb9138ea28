"""What the core adds for cabinet and technician: the time, the wake-up, and a journal that keeps it all."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.core import Core
from edge.link_events import Command, Connected, Publish, Wake
from edge.sale import events as ev
from edge.sale.state import SlotSetting
from edge.sale.step import Machine, ProductGroup
from edge.sale.visit_events import Collected, GroupReleased, Overdue, Refilled, TemperatureRead
from edge.store.journal import Journal, JournalFull
from shared import codec, topics
from shared.clock import Now
from shared.messages import PriceList

LIMIT_S = 1_800.0
SLOTS = (SlotSetting("A1", "salad", 10, 8), SlotSetting("B1", "cola", 10, 10))
SETTING = Machine(
    {"A1": "salad", "B1": "cola"},
    "test",
    items={"A1": 1, "B1": 2},
    slots={setting.slot: setting for setting in SLOTS},
    groups={"fresh": ProductGroup(("A1",), "board", 0, 50, LIMIT_S)},
)
PRICES = PriceList(version=0, currency="EUR", prices={"A1": 350, "B1": 150})
START_NS = 1_790_000_000 * 10**9
READING = TemperatureRead("board", 40)


class Bench:
    """A machine whose board may lose its power. `true_s` goes on meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.true_s = 0.0
        self.boots = 0
        self.synced = True
        self.journal: Journal | None = None
        self.power_up(0.0)

    def power_up(self, off_s: float) -> None:
        if self.journal is not None:
            self.journal.close()
        self.true_s += off_s
        self.booted_s = self.true_s
        self.boots += 1
        self.journal = Journal(self.folder / "journal.db", "m1")
        self.core = Core(self.journal, SETTING, SLOTS, PRICES, random.Random(1))
        self.feed(ev.Booted(self.now().boot))
        self.feed(ev.BoardReady())

    def now(self) -> Now:
        wall_ns = START_NS + round(self.true_s * 10**9) if self.synced else 0
        trust = "synced" if self.synced else "estimated"
        return Now(wall_ns, 5.0 + self.true_s - self.booted_s, trust, f"boot {self.boots}")  # type: ignore[arg-type]

    def feed(self, *events: ev.Event | Wake | Connected) -> list[Command]:
        return [command for event in events for command in self.core.handle(event, self.now())]

    def wait(self, seconds: float) -> None:
        self.true_s += seconds
        self.feed(Wake())

    def kinds(self) -> list[str]:
        assert self.journal is not None
        found = [codec.unpack(body) for _, _, body in self.journal.records()]
        return [record["kind"] for record in found if isinstance(record, dict)]

    def sells(self) -> bool:
        self.feed(ev.ServiceChanged(on=False), ev.FreeVend("A1"))
        running = self.core.state.vend is not None
        self.feed(ev.VendEnded("A1", ev.VendResult.JAMMED))
        self.feed(ev.ServiceChanged(on=True))
        return running


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    assert made.journal is not None
    made.journal.close()


def test_the_core_wakes_to_write_a_lockout_down(bench: Bench) -> None:
    bench.feed(READING)
    wake_s = bench.core.next_wake_s()
    assert wake_s == 5.0 + LIMIT_S
    bench.wait(LIMIT_S)
    assert "lockout" not in bench.kinds()
    bench.wait(0.1)
    assert bench.kinds().count("lockout") == 1
    bench.wait(LIMIT_S)
    assert bench.kinds().count("lockout") == 1


def test_a_lockout_is_in_the_journal_and_so_is_its_end(bench: Bench) -> None:
    bench.wait(LIMIT_S + 1)
    bench.power_up(3.0)
    bench.feed(READING)
    assert not bench.sells()
    bench.feed(GroupReleased("fresh"))
    bench.power_up(3.0)
    assert bench.sells()


def test_a_short_cut_is_bridged_once_the_clock_is_trusted(bench: Bench) -> None:
    bench.feed(READING)
    bench.synced = False
    bench.power_up(600.0)
    bench.feed(READING)
    assert not bench.sells()
    bench.synced = True
    bench.wait(1.0)
    assert bench.sells()
    assert "lockout" not in bench.kinds()


def test_a_long_cut_is_found_out(bench: Bench) -> None:
    bench.feed(READING)
    bench.power_up(LIMIT_S + 1)
    assert bench.kinds().count("lockout") == 1
    assert not bench.sells()


def test_the_time_is_told_once_and_after_a_jump(bench: Bench) -> None:
    known_ns = bench.core.state.cabinet.clock_ns
    assert known_ns == START_NS - 5 * 10**9
    bench.wait(100.0)
    assert bench.core.state.cabinet.clock_ns == known_ns
    bench.booted_s += 60.0  # the wall clock was put forward by a minute
    bench.wait(0.0)
    assert bench.core.state.cabinet.clock_ns == known_ns + 60 * 10**9


def test_readings_cost_a_write_a_minute(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench.journal is not None
    commits = 0
    commit = bench.journal.commit

    def counted(*args: object) -> None:
        nonlocal commits
        commits += 1
        commit(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.journal, "commit", counted)
    for reading in range(600):  # every fourth one is too warm: somebody looks into it
        bench.true_s += 5.0
        bench.feed(READING if reading % 4 else TemperatureRead("board", 90))
    assert commits <= 1.3 * 3_000 / (LIMIT_S / 32)
    assert "lockout" not in bench.kinds()


def test_a_full_disk_piles_nothing_up_and_sells_nothing_unfit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench.journal is not None

    def full(*_: object) -> None:
        raise JournalFull("full")

    with monkeypatch.context() as patch:
        patch.setattr(bench.journal, "commit", full)
        for _ in range(10):
            bench.wait(LIMIT_S / 3)
        assert bench.core.pending.count(Overdue()) <= 1
        bench.feed(ev.FreeVend("A1"))
    bench.wait(1.0)
    assert (bench.core.state.vend, bench.kinds().count("lockout")) == (None, 1)


def test_a_refill_is_published_as_stock(bench: Bench) -> None:
    bench.feed(Connected(session_present=False, max_packet_bytes=None), ev.ServiceChanged(on=True))
    sent = bench.feed(Refilled({"A1": 3}, others_to_par=True), Collected("bag 1"))
    stock = [c for c in sent if isinstance(c, Publish) and c.topic == topics.STOCK.of("m1")]
    assert {slot: s["count"] for slot, s in json.loads(stock[-1].payload)["slots"].items()} == {
        "A1": 3,
        "B1": 10,
    }
    assert bench.kinds()[-2:] == ["refill", "collection"]
