"""How long a machine waits before it connects again."""

import random
from itertools import pairwise

import pytest

from edge.lineage import WATERMARK_WAIT_S
from edge.uplink import next_pause_s

STEADY_S = 60.0


def test_a_steady_link_that_breaks_is_tried_again_at_once_and_then_ever_less_often() -> None:
    pauses_s = [next_pause_s(30.0, STEADY_S)]
    for _ in range(10):
        pauses_s.append(next_pause_s(pauses_s[-1], 0.0))
    assert pauses_s[0] <= 0.5
    assert all(earlier < later or later == pauses_s[-1] for earlier, later in pairwise(pauses_s))
    assert pauses_s[-1] == 30.0


@pytest.mark.parametrize("seed", range(20))
def test_two_clones_that_take_the_link_from_one_another_both_have_turns_to_be_heard(seed: int) -> None:
    """In virtual time: who connects throws the other one out, who then waits its pause."""
    rng = random.Random(seed)
    pause_s = {"one": 0.0, "other": 0.0}
    returns_s = {"one": 0.0, "other": rng.random()}
    turns_s: dict[str, list[float]] = {"one": [], "other": []}
    holder, since_s = "", 0.0
    for _ in range(30):
        comer = min(returns_s, key=lambda name: returns_s[name])
        now_s = returns_s.pop(comer)
        if holder:
            turns_s[holder].append(now_s - since_s)
            pause_s[holder] = next_pause_s(pause_s[holder], now_s - since_s)
            returns_s[holder] = now_s + pause_s[holder] * rng.uniform(0.5, 1.0)
        holder, since_s = comer, now_s
    for lasted_s in turns_s.values():
        # Nothing is sent before the watermark's wait is over; a slow cloud needs as long again for receipts.
        assert sum(turn_s > 3 * WATERMARK_WAIT_S for turn_s in lasted_s) >= 2
