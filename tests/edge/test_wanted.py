"""What the cloud wants of a machine is taken whole or refused whole, and only between customers."""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.catalog import MAX_BYTES, judge, judge_config
from edge.core import Core
from edge.link_events import Command, Connected, Inbound, Publish, Wake
from edge.sale import card_events as cev
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale import visit_events as vev
from edge.sale.state import SlotSetting
from edge.sale.step import Machine, Policy, ProductGroup
from edge.store.journal import Journal
from shared import topics
from shared.clock import Now
from shared.messages import Config, ConfigRefused, PlannedSlot, PriceList, PricesRefused
from shared.records import Applied, Body, Sale
from shared.schedules import Schedule
from shared.visit_records import Refill

SLOTS = (SlotSetting("A1", "cola", 10, 10), SlotSetting("B1", "milk", 8, 6))
MACHINE = Machine(
    {"A1": "cola", "B1": "milk"},
    "test",
    items={"A1": 1, "B1": 2},
    validator=True,
    readers=(1,),
    policy=Policy(largest_note_minor=1_000),
    slots={s.slot: s for s in SLOTS},
    groups={"fresh": ProductGroup(("B1",), "board", 0, 80, 600.0)},
)
PRICES = PriceList(version=0, currency="EUR", prices={"A1": 150, "B1": 90})
HAPPY = Schedule(name="happy hour", start="17:00", end="19:00", percent_off=20)
WITH_HAPPY_HOUR = PriceList(
    version=1, currency="EUR", prices=PRICES.prices, time_zone="Europe/Berlin", schedules=(HAPPY,)
)
PLAN = {
    "A1": PlannedSlot(product="water", capacity=12, par=9),
    "B1": PlannedSlot(product="milk", capacity=8, par=6),
}
FIVE_NS = 1_790_002_800 * 10**9  # 17:00 in Berlin


class Session:
    """A machine that is switched on at five to five in Berlin, and knows the time or does not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_s, self.trust, self.boot = 0.0, "synced", "boot 1"
        self.commands: list[Command] = []
        self.journal = Journal(folder / "journal.db", "m1")
        self.start()

    def start(self) -> None:
        self.core = Core(self.journal, MACHINE, SLOTS, PRICES, random.Random(1))
        self.run(ev.Booted(self.boot), ev.BoardReady(), ev.ChangerReady((50, 10), (60, 9)))
        self.run(ev.BillsReady((1_000, 2_000), (0, 0), escrow=True))
        self.run(cev.CardReady(1, always_idle=False, refunds=True, reports_cash=False))

    def run(self, *events: Any) -> None:  # noqa: ANN401  # the core's events
        for event in events:
            wall_ns = FIVE_NS - 300 * 10**9 + round(self.now_s * 10**9)
            now = Now(wall_ns, self.now_s, self.trust, self.boot)  # type: ignore[arg-type]
            self.commands += self.core.handle(event, now)

    def at(self, seconds_from_five: float) -> None:
        self.now_s = 300 + seconds_from_five
        self.run(Wake())

    def wants(self, message: PriceList | Config, machine: str = "m1") -> None:
        topic = topics.PRICES if isinstance(message, PriceList) else topics.CONFIG
        self.run(Inbound(topic.of(machine), message.model_dump_json().encode()))

    def buys(self, slot: str, coins: int) -> Sale:
        self.pays(coins)
        return self.takes(slot)

    def pays(self, coins: int) -> None:
        for _ in range(coins):
            self.run(ev.CoinIn(0, 50, ev.Route.CASHBOX, 60))

    def takes(self, slot: str) -> Sale:
        self.run(ev.SlotSelected(slot), ev.VendEnded(slot, ev.VendResult.DELIVERED))
        while self.core.state.paying:
            plan = self.core.state.paying.plan[:2]
            tubes = self.core.state.tubes
            self.run(ev.PayoutEnded((tubes[0] - plan[0], tubes[1] - plan[1])))
        (sale,) = [r for r in self.records()[-4:] if isinstance(r, Sale)]
        return sale

    def records(self) -> list[Body]:
        kept = self.journal.between(1, 1_000)
        return [record.body for k in kept if (record := k.record()) is not None]

    def said(self, topic: topics.Topic) -> dict[str, Any]:
        """The last message, after a new connection."""
        self.commands.clear()
        self.run(Connected(session_present=False, max_packet_bytes=None))
        texts = [c.payload for c in self.commands if isinstance(c, Publish) and c.topic == topic.of("m1")]
        answer: dict[str, Any] = json.loads(texts[-1])
        return answer


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    session = Session(tmp_path)
    yield session
    session.journal.close()


# ---- schedules


def test_a_happy_hour_begins_and_ends_by_itself_between_customers(session: Session) -> None:
    session.wants(WITH_HAPPY_HOUR)
    assert session.core.next_wake_s() == 60.0, "schedules are looked at each minute"
    asked = {}
    for second in (-1, 0, 7_199, 7_200):
        session.at(second)
        asked[second] = session.core.state.price_minor("A1", "cash")
    assert asked == {-1: 150, 0: 120, 7_199: 120, 7_200: 150}
    session.at(7_199)
    assert session.said(topics.REPORTED)["schedules"] == ["happy hour"]


def test_the_price_for_which_the_money_came_in_is_the_price_of_the_sale(session: Session) -> None:
    session.wants(WITH_HAPPY_HOUR)
    session.at(-10)
    session.pays(3)
    session.at(+10)
    sale = session.takes("A1")
    assert (sale.price_minor, sale.price_version) == (150, 1)
    assert session.buys("A1", 3).price_minor == 120
    session.at(7_190)
    session.run(cev.SessionBegan(1, None))
    session.at(7_210)
    session.run(ev.SlotSelected("A1"))
    assert act.RequestVend(1, 120, 1) in session.commands


def test_a_clock_that_was_right_once_stays_right_without_a_network(session: Session) -> None:
    session.wants(WITH_HAPPY_HOUR)
    session.trust = "estimated"
    session.at(3_600 * 24)
    assert session.core.state.price_minor("A1", "cash") == 120


def test_while_nobody_knows_the_time_the_price_on_the_label_is_asked(session: Session) -> None:
    session.wants(WITH_HAPPY_HOUR)
    session.at(60)
    session.trust, session.boot = "estimated", "boot 2"
    session.start()
    assert session.core.state.price_minor("A1", "cash") == 150
    session.trust = "synced"
    session.run(Wake())
    assert session.core.state.price_minor("A1", "cash") == 120


def test_a_restart_with_a_customer_keeps_his_price(session: Session) -> None:
    session.wants(WITH_HAPPY_HOUR)
    session.at(-10)
    session.pays(3)
    session.at(10)
    session.start()
    assert session.core.state.price_minor("A1", "cash") == 150
    assert session.takes("A1").price_minor == 150


# ---- planogram, limits, tenders


def test_a_config_waits_for_the_customer_to_leave_and_is_written_down(session: Session) -> None:
    session.pays(2)
    session.wants(Config(version=3, slots=PLAN, largest_note_minor=2_000))
    assert session.core.state.config is None
    assert session.said(topics.REPORTED)["config_version"] == 0
    session.start()
    session.takes("B1")
    assert session.records()[-1] == Applied(price_version=0, config_version=3)
    assert session.said(topics.REPORTED)["config_version"] == 3
    assert session.core.state.notes_accepted == frozenset({0, 1}), "20 EUR notes too"
    session.start()
    assert session.said(topics.REPORTED)["config_version"] == 3


def test_a_slot_has_its_new_product_once_it_was_refilled(session: Session) -> None:
    session.wants(Config(version=1, slots=PLAN))
    assert session.buys("A1", 3).product == "cola"
    stock = session.said(topics.STOCK)["slots"]["A1"]
    assert stock == {"product": "cola", "count": 9, "capacity": 12, "par": 9, "wanted": "water"}
    session.start()
    assert session.said(topics.STOCK)["slots"]["A1"] == stock
    session.run(ev.ServiceChanged(on=True), vev.Refilled({}, others_to_par=True), ev.ServiceChanged(on=False))
    refills = [r for r in session.records() if isinstance(r, Refill)]
    assert refills[0] == Refill(slot="A1", product="water", before=9, after=9, added=0)
    assert session.said(topics.STOCK)["slots"]["A1"]["wanted"] is None
    assert session.buys("A1", 3).product == "water"


def test_a_tender_that_is_off_says_why_and_is_not_taken(session: Session) -> None:
    off = {"card": "the reader is being changed", "cash": "the lock is broken"}
    session.commands.clear()
    session.wants(Config.model_validate({"version": 1, "tenders_off": off}))
    tenders = session.said(topics.STATUS)["tenders"]
    assert {t: tenders[t] for t in off} == {t: {"available": False, "reason": why} for t, why in off.items()}
    state = session.core.state
    assert (state.accepting, state.notes_accepted, state.readers[1].enabled) == (False, frozenset(), False)
    session.wants(Config(version=2))
    state = session.core.state
    assert (state.accepting, state.readers[1].enabled) == (True, True)


def test_a_config_adds_slots_to_products_that_spoil_and_takes_none_away(session: Session) -> None:
    salad = PlannedSlot(product="salad", capacity=10, par=10, group="fresh")
    session.wants(Config(version=1, slots={**PLAN, "A1": salad}))
    assert session.core.machine.groups["fresh"].slots == ("B1", "A1")


# ---- whole or not at all (T5: older, empty, for another machine)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 4}, "version 4 is not newer than 5"),
        ({"version": 5}, "version 5 is not newer than 5"),
        ({"slots": {"A1": PLAN["A1"].model_dump()}}, "slot B1 is not planned"),
        (
            {"slots": {**{s: p.model_dump() for s, p in PLAN.items()}, "C9": PLAN["A1"].model_dump()}},
            "slot C9",
        ),
        ({"slots": {}}, "slots"),
        ({"slots": {"A1": {"product": "rum", "capacity": 5, "par": 6}}}, "par 6 is more than the capacity 5"),
        ({"slots": {"A1": {"product": "rum", "capacity": 500, "par": 6}}}, "capacity"),
        ({"tenders_off": {"gold": "x"}}, "tenders_off"),
        ({"tenders_off": {"cash": ""}}, "tenders_off"),
        ({"largest_note_minor": -1}, "largest_note_minor"),
        ({"without_change": "keep"}, "without_change"),
        ({"v": 2}, "v"),
    ],
)
def test_a_config_that_does_not_fit_is_refused_whole(changes: dict[str, Any], words: str) -> None:
    latest = Config(version=5, slots=PLAN, largest_note_minor=1)
    payload = json.dumps({"version": 6, "slots": None, "largest_note_minor": 500, **changes}).encode()
    verdict = judge_config(payload, latest, ("A1", "B1"), ("fresh",))
    assert isinstance(verdict, ConfigRefused)
    assert words in verdict.reason


def test_groups_that_the_machine_does_not_watch_are_refused() -> None:
    slots = {**PLAN, "A1": PlannedSlot(product="x", capacity=1, par=1, group="frozen")}
    payload = Config(version=1, slots=slots).model_dump_json().encode()
    verdict = judge_config(payload, None, ("A1", "B1"), ("fresh",))
    assert verdict == ConfigRefused(version=1, reason="product group frozen is not watched by this machine")


def test_neither_an_old_nor_an_empty_nor_a_strange_message_changes_anything(session: Session) -> None:
    """T5, by whoever got so far as to publish it."""
    session.wants(WITH_HAPPY_HOUR.model_copy(update={"version": 5}))
    session.wants(Config(version=5, slots=PLAN))
    before = session.core.state
    for topic in (topics.PRICES, topics.CONFIG):
        session.run(Inbound(topic.of("m1"), b""))
        session.run(Inbound(topic.of("m1"), b"\xff" * (MAX_BYTES + 1)))
        session.run(Inbound(topic.of("m2"), Config(version=9).model_dump_json().encode()))
    session.wants(PRICES.model_copy(update={"version": 4}))
    session.wants(Config(version=4))
    assert session.core.state == before
    said = session.said(topics.REPORTED)
    assert said["refused"] == {"version": 4, "reason": "version 4 is not newer than 5"}
    assert said["config_refused"] == {"version": 4, "reason": "version 4 is not newer than 5"}
    session.wants(Config(version=5, slots=PLAN))
    assert session.said(topics.REPORTED)["config_refused"] is None


def test_prices_of_a_schedule_must_be_of_slots_that_are_there() -> None:
    stray = HAPPY.model_copy(update={"percent_off": None, "prices": {"C9": 1}})
    payload = WITH_HAPPY_HOUR.model_copy(update={"schedules": (stray,)}).model_dump_json().encode()
    verdict = judge(payload, PRICES, ("A1", "B1"))
    assert verdict == PricesRefused(version=1, reason="slot C9 does not exist in this machine")


_VALUES = (
    st.none() | st.integers(-2, 300) | st.sampled_from(["A1", "B1", "C9", "cola", "owe", "cash", "fresh", ""])
)
_JSON = st.recursive(
    _VALUES,
    lambda inner: st.dictionaries(st.sampled_from(["A1", "B1", "cash", "product", "capacity", "par"]), inner),
)
_CONFIGS = st.fixed_dictionaries(
    {"version": st.integers(0, 9) | _JSON},
    optional={
        "v": st.integers(0, 2),
        "slots": st.sampled_from([None, {s: p.model_dump() for s, p in PLAN.items()}]) | _JSON,
        "largest_note_minor": _VALUES,
        "without_change": _VALUES,
        "tenders_off": _JSON,
    },
)


@given(st.lists(_CONFIGS, max_size=8))
def test_whatever_comes_versions_only_go_up_and_what_is_refused_leaves_no_trace(
    messages: Sequence[dict[str, Any]],
) -> None:
    latest: Config | None = None
    for message in messages:
        verdict = judge_config(json.dumps(message).encode(), latest, ("A1", "B1"), ("fresh",))
        if isinstance(verdict, Config):
            assert verdict.version == message["version"] > (latest.version if latest else 0)
            assert verdict.slots is None or verdict.slots.keys() == {"A1", "B1"}
            assert verdict == Config.model_validate_json(json.dumps(message))
            latest = verdict
        elif verdict is not None:
            assert 0 < len(verdict.reason) <= 256
