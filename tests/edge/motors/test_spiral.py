"""The motor's rules by samples written by hand: 20 ms apart unless a test says otherwise."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.motors.spiral import ENDINGS, Ending, Phase, Spiral, Timing, Turn
from edge.sale.events import VendResult

SAMPLE_S = 0.02
TIMING = Timing()
Wave = Callable[[float], bool]  # what an input reads, by the time since the first sample


def between(*spans: tuple[float, float]) -> Wave:
    return lambda now_s: any(start_s <= now_s < end_s for start_s, end_s in spans)


def away(*spans: tuple[float, float]) -> Wave:
    return lambda now_s: not between(*spans)(now_s)


def never(_now_s: float) -> bool:
    return False


def always(_now_s: float) -> bool:
    return True


class Bench:
    """Samples a spiral until it ends, and acknowledges what it wants at the next sample."""

    def __init__(self, home: Wave, drop: Wave, timing: Timing = TIMING, *, off_home: bool = False) -> None:
        self.spiral = Spiral(timing, off_home=off_home)
        self.home, self.drop = home, drop
        self.now_s = 0.0
        self.switches: list[tuple[float, bool]] = []
        self.phases: list[Phase] = [Phase.CHECKING]

    def step(self, pause_s: float = SAMPLE_S) -> None:
        spiral = self.spiral
        spiral.sample(home=self.home(self.now_s), drop=self.drop(self.now_s), now_s=self.now_s)
        if spiral.motor_on != (bool(self.switches) and self.switches[-1][1]):
            self.switches.append((round(self.now_s, 3), spiral.motor_on))
        if spiral.phase is not self.phases[-1]:
            self.phases.append(spiral.phase)
        if spiral.phase in {Phase.LEAVING, Phase.RETURNING, Phase.STOPPING}:
            spiral.acknowledged(self.now_s)
        self.now_s += pause_s

    def run(self) -> Ending:
        while self.spiral.ending is None:
            self.step()
            assert self.now_s < 20
        assert not self.spiral.motor_on
        return self.spiral.ending

    def on_s(self) -> list[float]:
        """How long the motor was on, each time."""
        ons = [at for at, on in self.switches if on]
        offs = [at for at, on in self.switches if not on]
        return [round(off - on, 2) for on, off in zip(ons, offs, strict=True)]


TURN = away((0.2, 2.5))  # home again at 2.5 s, and no further


def test_the_table_has_a_row_for_all_that_can_be_said() -> None:
    assert set(ENDINGS) == set(product(Turn, (True, False)))
    assert all((row.result is VendResult.DELIVERED) == dropped for (_, dropped), row in ENDINGS.items())


def test_a_product() -> None:
    bench = Bench(TURN, between((2.3, 2.5)))
    assert bench.run() == Ending(VendResult.DELIVERED)
    assert bench.on_s() == [2.5]  # stopped by the first sample of home
    assert bench.phases == [phase for phase in Phase if phase is not Phase.WATCHING]
    assert 2.6 <= bench.now_s < 2.7  # the settling, not the window
    assert not bench.spiral.off_home


@pytest.mark.parametrize("drop_s", [0.0 + SAMPLE_S, 0.3, 2.49, 2.6, 3.0, 4.45])
def test_a_drop_counts_from_the_first_movement_to_the_end_of_the_window(drop_s: float) -> None:
    bench = Bench(TURN, between((drop_s, drop_s + 0.15)))
    assert bench.run() == Ending(VendResult.DELIVERED)
    assert len(bench.on_s()) == 1


def test_no_drop_after_two_half_turns() -> None:
    bench = Bench(away((0.2, 2.5), (4.8, 7.9)), never)
    assert bench.run() == Ending(VendResult.NO_DROP)
    whole, first, second = bench.on_s()
    assert whole == 2.5
    assert first == pytest.approx(whole / 2, abs=0.05)
    assert second == pytest.approx(7.9 - (4.5 + first + 2.0), abs=0.1)  # until home
    assert not bench.spiral.off_home


def test_no_parts_if_none_are_wanted() -> None:
    bench = Bench(TURN, never, replace(TIMING, extra_parts=0))
    assert bench.run() == Ending(VendResult.NO_DROP)
    assert len(bench.on_s()) == 1
    assert bench.phases == list(Phase)
    assert 4.5 <= bench.now_s < 4.6


def test_one_part_is_a_whole_turn_to_home() -> None:
    bench = Bench(away((0.2, 2.5), (4.8, 7.0)), never, replace(TIMING, extra_parts=1))
    assert bench.run() == Ending(VendResult.NO_DROP)
    assert bench.on_s() == [2.5, pytest.approx(2.5, abs=0.05)]


def test_a_drop_ends_a_part_at_once_and_the_next_run_goes_on_from_there() -> None:
    bench = Bench(away((0.2, 2.5), (4.8, 99)), between((5.0, 5.2)))
    assert bench.run() == Ending(VendResult.DELIVERED)
    assert bench.on_s()[1] == pytest.approx(5.0 - 4.5, abs=0.05)
    assert bench.spiral.off_home
    again = Bench(away((0.0, 1.9)), between((1.8, 2.0)), off_home=True)
    assert again.run() == Ending(VendResult.DELIVERED)
    assert again.on_s() == [1.9]
    assert not again.spiral.off_home


def test_a_drop_in_the_window_after_a_part() -> None:
    bench = Bench(away((0.2, 2.5), (4.8, 99)), between((6.5, 6.7)))
    assert bench.run() == Ending(VendResult.DELIVERED)
    assert len(bench.on_s()) == 2
    assert bench.spiral.off_home


def test_a_motor_that_is_missing() -> None:
    bench = Bench(always, never)
    assert bench.run() == Ending(VendResult.MOTOR_MISSING)
    assert bench.on_s() == [pytest.approx(TIMING.leave_home_s, abs=0.05)]


def test_a_home_switch_that_is_stuck_while_the_product_falls() -> None:
    assert Bench(always, between((0.5, 0.7))).run() == Ending(VendResult.DELIVERED, "home_switch_stuck")


def test_a_jam() -> None:
    bench = Bench(away((0.2, 99)), never)
    assert bench.run() == Ending(VendResult.JAMMED)
    assert bench.on_s() == [pytest.approx(0.2 + TIMING.return_home_s, abs=0.1)]
    assert not bench.spiral.off_home  # it does not go on by itself: somebody must look


def test_a_jam_after_the_drop() -> None:
    assert Bench(away((0.2, 99)), between((1.0, 1.2))).run() == Ending(VendResult.DELIVERED, "jammed")


def test_a_motor_that_does_not_stop() -> None:
    bench = Bench(away((0.2, 2.5), (2.9, 5.0)), never)
    assert bench.run() == Ending(VendResult.MOTOR_STUCK)
    assert bench.spiral.runs_on
    assert len(bench.on_s()) == 1
    late = Bench(away((0.2, 2.5), (2.9, 5.0)), between((3.5, 3.7)))
    assert late.run() == Ending(VendResult.DELIVERED, "motor_stuck")


def test_a_blocked_sensor_refuses_after_a_while() -> None:
    bench = Bench(always, always)
    assert bench.run() == Ending(VendResult.NOT_STARTED, "drop_sensor_blocked")
    assert bench.now_s == pytest.approx(TIMING.clear_s, abs=0.05)
    assert bench.switches == []


def test_the_last_customers_hand_is_waited_for_and_is_no_drop() -> None:
    bench = Bench(away((1.2, 3.5)), between((0.0, 1.0)), replace(TIMING, extra_parts=0))
    assert bench.run() == Ending(VendResult.NO_DROP)
    assert bench.switches[0] == (1.0, True)


def test_a_motor_that_is_not_home_is_not_started() -> None:
    bench = Bench(never, never)
    assert bench.run() == Ending(VendResult.NOT_STARTED, "not_home")
    assert bench.switches == []
    assert not bench.spiral.off_home
    refused = Bench(never, always, off_home=True)
    refused.run()
    assert refused.spiral.off_home  # as it was


def test_bounces_of_the_home_switch() -> None:
    bouncing = away((0.2, 0.21), (0.23, 0.24), (0.25, 2.5))
    bench = Bench(bouncing, between((2.3, 2.5)))
    assert bench.run() == Ending(VendResult.DELIVERED)
    assert bench.on_s() == [2.5]


def test_noise_on_the_home_switch_is_made_good_by_the_parts() -> None:
    bench = Bench(away((0.2, 1.0), (1.02, 5.9)), between((5.8, 6.0)))
    assert bench.run() == Ending(VendResult.DELIVERED)
    assert bench.spiral.off_home


def test_the_limit_ends_a_part_without_a_fault() -> None:
    bench = Bench(away((0.2, 2.5), (4.8, 99)), never, replace(TIMING, limit_s=8.5))
    assert bench.run() == Ending(VendResult.NO_DROP)
    assert bench.now_s < 8.5 + 0.3
    assert bench.spiral.off_home


@pytest.mark.parametrize("gap_from_s", [1.5, 2.2])
def test_samples_that_are_too_rare_leave_the_run_in_doubt(gap_from_s: float) -> None:
    bench = Bench(away((0.2, 2.5), (2.9, 99)), never)
    while bench.now_s < gap_from_s:
        bench.step()
    bench.now_s += TIMING.hold_s + SAMPLE_S
    assert bench.run() == Ending(None, "drop_unwatched")
    assert len(bench.on_s()) == 1  # no part, and no search for a home that may have passed


def test_a_drop_after_the_gap_is_certain() -> None:
    bench = Bench(away((0.2, 2.5), (2.9, 99)), between((3.0, 3.2)))
    while bench.now_s < 2.4:
        bench.step()
    bench.now_s += 0.5  # home passed meanwhile
    assert bench.run() == Ending(VendResult.DELIVERED)
    assert bench.spiral.off_home


def test_a_gap_before_anything_can_be_due_is_no_doubt() -> None:
    bench = Bench(TURN, between((2.3, 2.5)))
    while bench.now_s < 0.3:
        bench.step()
    bench.now_s += 0.5
    assert bench.run() == Ending(VendResult.DELIVERED)
    assert bench.on_s() == [2.5]


def test_a_gap_before_a_missing_motor_is_no_doubt() -> None:
    bench = Bench(always, never)
    bench.step()
    bench.now_s += 2.0
    assert bench.run() == Ending(VendResult.MOTOR_MISSING)


def test_nothing_happens_after_the_end() -> None:
    bench = Bench(TURN, between((2.3, 2.5)))
    ending = bench.run()
    bench.step()
    assert bench.spiral.ending is ending


samples = st.lists(
    st.tuples(
        st.booleans(), st.sampled_from([False, False, False, True]), st.floats(0.001, 0.5), st.booleans()
    ),
    min_size=1,
    max_size=300,
)


@given(samples, st.booleans(), st.integers(0, 3))
def test_whatever_the_inputs_say(
    said: list[tuple[bool, bool, float, bool]], off_home: bool, parts: int
) -> None:
    """It ends in time, delivers only what was seen, and never wants a motor after its end."""
    spiral = Spiral(replace(TIMING, extra_parts=parts), off_home=off_home)
    now_s = 0.0
    seen = started = False
    for home, drop, pause_s, heard in said:
        spiral.sample(home=home, drop=drop, now_s=now_s)
        seen |= started and drop
        started |= spiral.motor_on
        if heard and spiral.phase in {Phase.LEAVING, Phase.RETURNING, Phase.STOPPING}:
            spiral.acknowledged(now_s)
        if spiral.ending is not None:
            break
        if spiral.phase is not Phase.STOPPING:
            assert now_s <= TIMING.limit_s + 0.5
        now_s += pause_s
    if spiral.ending is None:
        return
    assert not spiral.motor_on
    assert (spiral.ending.result is VendResult.DELIVERED) == seen
    assert (spiral.ending.result is VendResult.NOT_STARTED) == (not started)
