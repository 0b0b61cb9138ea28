"""Food that was too warm for too long is not sold until released: the rule model-checked, and in cases.

The model knows the true time, also while the machine has no power, and what the sensor really told.
"""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.sale import events as ev
from edge.sale.accept import takes_cash
from edge.sale.visit_events import ClockSet, DoorChanged, GroupReleased, Overdue, TemperatureRead
from shared import records as m
from shared import visit_records as vr
from tests.edge.sale.cabinet import FRESH, LIMIT_S
from tests.edge.sale.floor import ADAPTER, COINS, Floor

WARM, COLD, FAIR = 90, -10, 30


class Fridge(Floor):
    """A floor of which only cabinet and motor matter: vends are given away, so that no money is needed."""

    def __post_init__(self) -> None:
        self.lockouts: list[tuple[str, str, str]] = []
        super().__post_init__()

    def _record(self, record: m.Body) -> None:
        super()._record(record)
        if isinstance(record, vr.Lockout):
            self.lockouts.append((record.event, record.name, record.reason))

    def wait(self, seconds: float) -> None:
        """So long with nothing told."""
        self.now_s += seconds - 0.5
        self.cabinet.pass_time(seconds - 0.5)
        self.feed(Overdue())

    def reads(self, decidegrees: int, sensor: str = "board") -> None:
        self.feed(TemperatureRead(sensor, decidegrees))

    def keeps(self, seconds: float, decidegrees: int = FAIR) -> None:
        """So long at one temperature, told every ten seconds."""
        for _ in range(round(seconds / 10)):
            self.now_s += 9.5
            self.cabinet.pass_time(9.5)
            self.reads(decidegrees)

    def restart(self, off_s: float, *, new_boot: bool = True) -> None:
        self.cabinet.pass_time(off_s)
        self.cabinet.boot += new_boot
        self.now_s = 1.0 if new_boot else self.now_s + off_s
        self.state = ADAPTER.validate_json(ADAPTER.dump_json(self.state))
        self.feed(ev.Booted(f"boot {self.cabinet.boot}"))
        self.feed(ev.BoardReady())

    def knows_time(self, error_s: float = 0.0) -> None:
        self.cabinet.pass_time(0.0)
        self.feed(ClockSet(self.cabinet.wall_ns() + round((0.5 + error_s) * 10**9)))

    def sells(self, slot: str = "A1") -> bool:
        """Whether somebody gets it now."""
        self.feed(ev.FreeVend(slot))
        if not self.motor:
            return False
        self.motor, self.drops = "", self.drops + 1
        self.feed(ev.VendEnded(slot, ev.VendResult.DELIVERED))
        return True

    def release(self) -> None:
        self.feed(ev.ServiceChanged(on=True))
        self.feed(GroupReleased("fresh"))
        self.feed(ev.ServiceChanged(on=False))


def fridge() -> Fridge:
    floor = Fridge(random.Random(1))
    floor.feed(ev.BoardReady())
    return floor


class Warmth(RuleBasedStateMachine):
    """Readings, silence, power cuts, clocks and technicians in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.fridge = fridge()

    @rule(decidegrees=st.sampled_from((WARM, COLD, FAIR, FAIR, 0, 50, 51, -1)))
    def reading(self, decidegrees: int) -> None:
        self.fridge.reads(decidegrees)

    @rule(seconds=st.sampled_from((0.5, 3.0, 30.0, 99.0, 99.5, 100.0, 100.5, 101.0, 500.0)))
    def silence(self, seconds: float) -> None:
        self.fridge.wait(seconds)

    @rule(seconds=st.floats(0.0, 130.0), new_boot=st.booleans())
    def power_cut(self, seconds: float, new_boot: bool) -> None:
        self.fridge.restart(seconds, new_boot=new_boot)

    @rule()
    def clock(self) -> None:
        self.fridge.knows_time()

    @rule(is_open=st.booleans())
    def door(self, is_open: bool) -> None:
        self.fridge.feed(DoorChanged(is_open))

    @rule(on=st.booleans())
    def technician(self, on: bool) -> None:
        self.fridge.feed(ev.ServiceChanged(on))

    @rule()
    def released(self) -> None:
        self.fridge.feed(GroupReleased("fresh"))

    @precondition(lambda self: not self.fridge.motor)
    @rule(slot=st.sampled_from(("A1", "B1")), free=st.booleans())
    def somebody_wants_it(self, slot: str, free: bool) -> None:
        self.fridge.feed(ev.FreeVend(slot) if free else ev.SlotSelected(slot))
        if self.fridge.motor:
            self.fridge.motor = ""
            self.fridge.drops += 1
            self.fridge.feed(ev.VendEnded(slot, ev.VendResult.DELIVERED))

    @invariant()
    def unfit_is_not_for_sale(self) -> None:
        """Beside what the floor asserts whenever a motor starts."""
        state, cabinet = self.fridge.state, self.fridge.cabinet
        assert cabinet.spoiled <= (state.closed.keys() >= set(FRESH.slots))
        assert "B1" not in state.closed, "other groups go on"


TestWarmth = Warmth.TestCase
TestWarmth.settings = settings(max_examples=300, stateful_step_count=30)


# --- one case each ----------------------------------------------------------------------------------------


def test_warm_for_the_limit_is_sold_and_for_longer_is_not() -> None:
    f = fridge()
    f.reads(FAIR)
    f.keeps(90, WARM)
    assert f.sells()
    f.wait(LIMIT_S)
    assert f.lockouts == [("began", "fresh", "too_warm")]
    assert not f.sells("A1")
    assert not f.sells("D1")
    assert f.state.message == "not for sale: it was too warm for too long"
    assert f.sells("B1")


def test_the_moment_of_the_choice_counts_and_not_the_moment_it_is_noticed() -> None:
    f = fridge()
    f.reads(FAIR)
    f.now_s += LIMIT_S  # nobody woke the sale meanwhile
    f.cabinet.pass_time(LIMIT_S)
    f.feed(ev.FreeVend("A1"))
    assert not f.motor
    assert f.lockouts == [("began", "fresh", "no_reading")]


@pytest.mark.parametrize(("decidegrees", "reason"), [(51, "too_warm"), (-1, "too_cold")])
def test_both_ends_of_the_range(decidegrees: int, reason: str) -> None:
    f = fridge()
    for fair in (0, 50):
        f.keeps(LIMIT_S + 20, fair)
    assert f.lockouts == []
    f.keeps(LIMIT_S + 20, decidegrees)
    assert f.lockouts == [("began", "fresh", reason)]


def test_a_sensor_that_says_nothing_is_no_better_than_a_warm_one() -> None:
    f = fridge()
    f.keeps(50)
    for _ in range(20):
        f.wait(8.0)
        f.reads(FAIR, sensor="other")
    assert f.lockouts == [("began", "fresh", "no_reading")]


def test_cold_air_opens_nothing_and_only_a_technician_in_service_does() -> None:
    f = fridge()
    f.wait(LIMIT_S + 1)
    f.keeps(10 * LIMIT_S)
    f.restart(5.0)
    f.feed(GroupReleased("fresh"))
    assert f.state.message == "begin a visit first: an open door does not answer for food and motors"
    f.feed(DoorChanged(open=True))
    f.feed(GroupReleased("fresh"))
    f.feed(DoorChanged(open=False))
    f.feed(ev.ServiceChanged(on=False))
    assert not f.sells()
    f.release()
    assert f.lockouts[1:] == [("ended", "fresh", "released")]
    assert f.sells()


def test_a_released_group_that_stays_warm_is_locked_out_again() -> None:
    f = fridge()
    f.keeps(LIMIT_S + 20, WARM)
    f.release()
    f.keeps(LIMIT_S + 20, WARM)
    assert [event for event, _, _ in f.lockouts] == ["began", "ended", "began"]


def test_a_group_that_is_fit_has_nothing_to_be_released_from() -> None:
    f = fridge()
    f.keeps(90, WARM)
    f.release()
    f.wait(30.0)
    assert f.lockouts == [("began", "fresh", "too_warm")], "no fresh start by the way"


def test_a_short_power_cut_is_judged_when_the_time_is_known() -> None:
    f = fridge()
    f.knows_time()
    f.keeps(200)
    f.restart(30.0)
    assert not f.sells()
    assert f.state.message == "not for sale yet: the power was off, and it is not known how long"
    f.keeps(200)  # cold, and the network comes late
    assert not f.sells()
    f.knows_time()
    assert f.lockouts == []
    assert f.sells()


def test_a_long_power_cut_locks_out_when_the_time_is_known() -> None:
    f = fridge()
    f.knows_time()
    f.keeps(200)
    f.restart(LIMIT_S)
    f.keeps(50)
    f.knows_time()
    assert f.lockouts == [("began", "fresh", "power_cut")]


def test_a_warm_period_goes_on_through_a_power_cut() -> None:
    f = fridge()
    f.knows_time()
    f.reads(FAIR)
    f.keeps(60, WARM)
    f.restart(20.0)
    f.knows_time()
    f.reads(WARM)
    assert f.sells()
    f.wait(20.0)
    f.reads(FAIR)
    assert f.lockouts == [("began", "fresh", "too_warm")]


def test_the_time_after_a_cut_until_the_first_good_reading_counts() -> None:
    f = fridge()
    f.knows_time()
    f.keeps(200)
    f.restart(50.0)
    f.keeps(60, WARM)
    f.keeps(200)
    f.knows_time()
    assert f.lockouts == [("began", "fresh", "power_cut")]


def test_a_cut_that_no_trusted_clock_saw_begin_locks_out_at_once() -> None:
    f = fridge()
    f.keeps(200)
    f.restart(1.0)
    assert f.lockouts == [("began", "fresh", "power_cut")]


def test_two_short_cuts_are_judged_as_one() -> None:
    f = fridge()
    f.knows_time()
    f.keeps(200)
    for _ in range(2):
        f.restart(20.0)
        f.reads(FAIR)
    assert f.lockouts == []
    f.knows_time()
    assert f.sells()


def test_a_second_cut_before_the_first_is_judged_adds_to_it() -> None:
    f = fridge()
    f.knows_time()
    f.keeps(200)
    f.restart(40.0)
    f.reads(FAIR)
    f.wait(10.0)
    f.restart(60.0)
    f.reads(FAIR)
    f.knows_time()
    assert f.lockouts == [("began", "fresh", "power_cut")]


def test_clocks_that_contradict_each_other_prove_nothing() -> None:
    f = fridge()
    f.knows_time()
    f.keeps(200)
    f.restart(10.0)
    f.knows_time(error_s=-3_600.0)
    assert f.lockouts == [("began", "fresh", "power_cut")]


def test_a_new_process_in_the_same_boot_needs_no_clock() -> None:
    f = fridge()
    f.keeps(200)
    f.restart(30.0, new_boot=False)
    assert f.sells()
    f.restart(LIMIT_S, new_boot=False)
    assert f.lockouts == [("began", "fresh", "no_reading")]


def test_a_technician_may_answer_for_what_no_clock_knows() -> None:
    f = fridge()
    f.knows_time()
    f.restart(10.0)
    f.release()
    assert f.lockouts == [("began", "fresh", "power_cut"), ("ended", "fresh", "released")]
    assert f.sells()


def test_a_lockout_outlives_the_settings_of_its_group() -> None:
    f = fridge()
    f.wait(LIMIT_S + 1)
    f.machine = f.machine.__class__(products=f.machine.products, software="test", slots=f.machine.slots)
    f.restart(5.0)
    assert not f.sells()
    f.release()
    assert f.sells()
    f.restart(5.0)
    assert f.lockouts[-1] == ("ended", "fresh", "released")


def test_no_money_is_taken_for_a_machine_of_which_nothing_is_fit() -> None:
    f = fridge()
    f.feed(ev.ChangerReady(COINS, tuple(f.tubes)))
    assert takes_cash(f.state)
    f.state = replace(f.state, stock={"A1": 5, "D1": 5})
    f.wait(LIMIT_S + 1)
    assert not takes_cash(f.state)
    assert f.state.accepting is False


@given(st.lists(st.tuples(st.sampled_from((WARM, FAIR)), st.floats(0.5, 40.0)), max_size=40))
def test_no_lockout_comes_more_than_a_32nd_of_the_limit_too_early(told: list[tuple[int, float]]) -> None:
    f = fridge()
    longest_s = 0.0
    for decidegrees, seconds in told:
        f.wait(seconds)
        longest_s = max(longest_s, f.cabinet.true_s + 0.5 - f.cabinet.good_s)
        f.reads(decidegrees)
        if f.lockouts:
            assert longest_s > LIMIT_S * (1 - 1 / 32)
            return
