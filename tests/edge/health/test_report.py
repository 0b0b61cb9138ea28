"""A machine's health: what it says is so by the books, and what it does not have is not said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.health.desk import HealthDesk
from edge.sale import card_events as cev
from edge.sale import events as ev
from edge.sale import operator_events as op
from edge.sale.collection import collected
from edge.sale.machine import step
from edge.sale.state import State
from edge.sale.step import Machine, Policy
from edge.sale.visit_events import ClockSet, Collected, DoorChanged, TemperatureRead
from shared.messages import Health, PriceList
from tests.edge.sale.floor import COINS, Floor, opened, walk

BARE = Machine({"A1": "cola"}, "test")
FULL = Machine({"A1": "cola"}, "test", validator=True, readers=(1,))
START_NS = 1_790_000_000 * 10**9


class Cabinet:
    """A machine by the sale's table, and what it would say of itself. One second passes with each event."""

    def __init__(self, machine: Machine = BARE) -> None:
        self.machine = machine
        self.desk = HealthDesk(machine, lambda: None)
        prices = PriceList(version=0, currency="EUR", prices={"A1": 150})
        self.state = State(prices=prices, stock={"A1": 9})
        self.now_s = 0.0
        self.feed(ev.Booted("boot"))

    def feed(self, *events: ev.Event) -> "Cabinet":
        for event in events:
            self.now_s += 1.0
            self.state = step(self.machine, self.state, event, self.now_s).state
            self.desk.handled(event, self.state, self.now_s)
        return self

    def health(self, *, synced: bool = True, ahead_ns: int = 0) -> Health:
        wall_ns = START_NS + round(self.now_s * 10**9) + ahead_ns
        return self.desk.report(self.state, wall_ns, self.now_s, synced=synced)


CHANGER = ev.ChangerReady((10, 50, 200), (4, 7, 0), fitted=frozenset({0, 1}))
VALIDATOR = ev.BillsReady((500, 1_000), (0, 0), escrow=True)


def test_a_machine_without_anything_says_nothing_and_no_zero() -> None:
    said = Cabinet().feed(ev.BoardReady(), ev.ChangerLost("silent")).health().model_dump(exclude_none=True)
    assert {name for name, value in said.items() if value == 0 and name != "link"} == set()
    assert set(said) == {
        *("v", "at_ns", "clock", "link", "temperatures", "lockouts", "tubes", "faults", "locked_slots")
    }
    assert said["link"] == {"reconnects_24h": 0}


@pytest.mark.parametrize(
    ("events", "has"),
    [
        ((CHANGER,), {"cashbox_minor": 0, "tubes_minor": 390, "stacker_minor": None, "recycler_minor": None}),
        ((VALIDATOR,), {"cashbox_minor": None, "tubes_minor": None, "stacker_minor": 0, "stacker_notes": 0}),
        ((VALIDATOR,), {"recycler_minor": None}),
        ((ev.BillsReady((500,), (0,), escrow=True, recycler=True),), {"recycler_minor": 0}),
        ((ev.BillsReady((500,), (3,), escrow=True, recycler=True),), {"recycler_minor": 1_500}),
        ((DoorChanged(open=False),), {"door_open": False}),
        ((DoorChanged(open=True), ev.BoardLost("gone")), {"door_open": None}),
    ],
    ids=["coins", "notes", "no recycler", "empty recycler", "recycler", "door", "nobody sees the door"],
)
def test_what_is_there_is_told_and_what_is_not_is_none(
    events: tuple[ev.Event, ...], has: dict[str, object]
) -> None:
    said = Cabinet(FULL).feed(*events).health().model_dump()
    assert {name: said[name] for name in has} == has


def test_money_in_a_device_that_is_gone_is_still_told() -> None:
    s = Cabinet(FULL).feed(CHANGER, VALIDATOR, ev.BillIn(0, 500, ev.BillRoute.CASHBOX))
    s.feed(ev.BillsLost("silent"), ev.ChangerLost("silent"))
    assert (s.health().stacker_minor, s.health().stacker_notes, s.health().tubes_minor) == (500, 1, 390)
    after = HealthDesk(BARE, lambda: None).report(s.state, START_NS, s.now_s, synced=True)
    assert (after.stacker_minor, after.stacker_notes) == (500, 1), "taken out of the settings, not emptied"


def test_a_tube_shows_what_it_takes_when_it_is_full() -> None:
    s = Cabinet().feed(CHANGER)

    def tubes() -> list[tuple[int, int, int | None, bool]]:
        return [(t.coin_minor, t.count, t.capacity, t.full) for t in s.health().tubes]

    assert tubes() == [(10, 4, None, False), (50, 7, None, False)], "the large coin has no tube"
    s.feed(ev.CoinIn(1, 50, ev.Route.CASHBOX, 7), ev.CoinIn(2, 200, ev.Route.CASHBOX, 0))
    assert tubes() == [(10, 4, None, False), (50, 7, 7, True)]
    s.feed(ev.CoinsTaken((0, 2, 0), (4, 5, 0)))
    assert tubes() == [(10, 4, None, False), (50, 5, 7, False)]
    s.feed(ev.CoinsLoaded((0, 3, 0), (4, 8, 0)))
    assert tubes()[1] == (50, 8, 8, True), "never more than it takes"
    s.feed(ev.CoinIn(1, 50, ev.Route.TUBE, 9))
    assert tubes()[1] == (50, 9, None, False), "it was not full"
    s.feed(ev.ChangerReady((10, 50, 200), (40, 9, 0), frozenset({0, 1}), full=frozenset({0})))
    assert tubes()[0] == (10, 40, 40, True)
    s.feed(ev.ChangerReady((20, 50), (5, 9), frozenset({0, 1})))
    assert tubes()[0] == (20, 5, None, False), "another changer"


def test_two_types_of_one_coin_are_one_tube() -> None:
    changer = ev.ChangerReady((50, 50), (3, 4), frozenset({0, 1}), full=frozenset({0}))
    (tube,) = Cabinet().feed(changer).health().tubes
    assert (tube.count, tube.capacity, tube.full) == (7, None, False)


def test_exact_change_only() -> None:
    s = Cabinet().feed(ev.BoardReady(), CHANGER)
    assert s.health().change_low is False
    s.feed(ev.CoinsTaken((0, 7, 0), (4, 0, 0)))
    assert s.health().change_low, "two euros for 1.50"
    s.feed(ev.ChangerLost("silent"))
    assert s.health().change_low is None, "nobody can tell"


def test_faults_are_those_that_last_with_the_time_since_when() -> None:
    s = Cabinet(FULL).feed(ev.BoardReady(), CHANGER, VALIDATOR)
    s.feed(ev.DeviceFault("changer", "coin_jam", lasts=False), ev.DeviceFault("board", "drop_sensor_blocked"))
    blocked_ns = START_NS + round(s.now_s * 10**9)
    s.feed(ev.ChangerLost("silent"), ev.StackerChanged(full=True, bills=9), cev.CardLost(1, "offline"))
    assert {(f.device, f.code) for f in s.health().faults} == {
        ("board", "drop_sensor_blocked"),
        ("changer", "offline"),
        ("validator", "stacker_full"),
        ("reader_1", "offline"),
    }
    assert {f.since_ns for f in s.health().faults if f.device == "board"} == {blocked_ns}
    s.feed(
        ev.DeviceFaultCleared("board", "drop_sensor_blocked"), CHANGER, ev.StackerChanged(full=False, bills=9)
    )
    assert [(f.device, f.code) for f in s.health().faults] == [("reader_1", "offline")]


def test_a_sensor_that_is_silent_has_no_temperature() -> None:
    s = Cabinet().feed(TemperatureRead("board", -45))
    assert s.health().temperatures == {"board": -4.5}
    s.now_s += 61
    assert s.health().temperatures == {}


def test_locks_and_who_locked() -> None:
    s = Cabinet(FULL).feed(ev.BoardReady(), op.Locked(None, "recall"))
    assert s.health().lockouts == ("all",)


def test_a_clock_is_synced_carried_on_or_unknown() -> None:
    s = Cabinet()
    assert (s.health(synced=False).clock, s.health(synced=False).clock_offset_ms) == ("unknown", None)
    s.feed(ClockSet(START_NS + 2 * 10**9))
    assert s.health().clock == "synced"
    said = s.health(synced=False, ahead_ns=-1_500 * 10**6)
    assert (said.clock, said.clock_offset_ms) == ("estimated", -1_500)


def money_minor(health: Health) -> int:
    kept = (health.cashbox_minor, health.stacker_minor, health.recycler_minor, health.tubes_minor)
    return sum(amount for amount in kept if amount is not None)


def told(floor: Floor, desk: HealthDesk) -> Health:
    return desk.report(floor.state, START_NS, floor.now_s, synced=True)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from((Policy(), Policy(without_change="owe", reserve=2))))
def test_the_money_in_a_health_is_what_the_records_say_and_what_a_bag_must_hold(
    seed: int, policy: Policy
) -> None:
    floor = opened(seed, policy)
    desk = HealthDesk(floor.machine, lambda: None)
    desk.handled(ev.ChangerReady(COINS, floor.state.tubes, frozenset(range(5))), floor.state, floor.now_s)
    for _ in range(40):
        walk(floor, 1)
        health, paying = told(floor, desk), floor.state.paying
        counted_minor = paying.paid_minor if paying else 0  # left already, and not booked yet
        assert money_minor(health) + counted_minor == floor.books_minor
        assert sum(tube.coin_minor * tube.count for tube in health.tubes) <= (health.tubes_minor or 0)
    floor.state = collected(floor.machine, floor.state, Collected("7"), floor.now_s).state
    after = told(floor, desk)
    assert (after.cashbox_minor, after.stacker_minor) == (0, 0)


def test_such_walks_have_money_in_every_place() -> None:
    """Else the property above would compare zeros."""
    found: set[str] = set()
    for seed in range(20):
        floor = opened(seed)
        walk(floor, 40)
        said = told(floor, HealthDesk(floor.machine, lambda: None)).model_dump()
        found |= {name for name, value in said.items() if name.endswith("_minor") and value}
    assert found == {"cashbox_minor", "stacker_minor", "recycler_minor", "tubes_minor"}
