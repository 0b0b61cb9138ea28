"""Estimates of what is usual: right where the answer is known, and unknown where it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.gauges.usual import UNKNOWN, coins_to_bring, missed_sales, profile_of, runout_days
from tests.cloud.gauges.rig import DAY_NS, HOUR_NS, NOW_NS, WEEK_NS

FLAT = dict.fromkeys(range(168), 2.0)
NOON_MONDAY = {12: 8.0, 13: 4.0}


def hours(weeks: int, sales: int) -> list[tuple[int, int, int, int]]:
    """Monday's noon hour of some weeks."""
    return [(NOW_NS - week * WEEK_NS, 1, 12, sales) for week in range(1, weeks + 1)]


@pytest.mark.parametrize(
    ("weeks", "expected"), [(0, None), (1, {12: 6.0}), (2, {12: 6.0}), (4, {12: 6.0})], ids=str
)
def test_a_profile_is_the_mean_of_the_weeks_that_the_machine_has_been_selling(
    weeks: int, expected: dict[int, float] | None
) -> None:
    assert profile_of(hours(weeks, 6), NOW_NS) == expected


def test_less_than_a_week_is_no_profile() -> None:
    assert profile_of([(NOW_NS - 6 * DAY_NS, 2, 12, 50)], NOW_NS) is None
    assert missed_sales(None, NOW_NS, NOW_NS + DAY_NS, 0) == UNKNOWN


def test_a_week_without_a_sale_in_that_hour_counts_as_none() -> None:
    rows = [*hours(4, 0)[3:], (NOW_NS - WEEK_NS, 1, 12, 8)]
    assert profile_of(rows, NOW_NS) == {12: 2.0}


@pytest.mark.parametrize(
    ("from_ns", "to_ns", "offset_s", "expected"),
    [
        (NOW_NS, NOW_NS + HOUR_NS, 0, 8.0),
        (NOW_NS + HOUR_NS // 2, NOW_NS + HOUR_NS, 0, 4.0),
        (NOW_NS + HOUR_NS // 4, NOW_NS + HOUR_NS // 2, 0, 2.0),
        (NOW_NS, NOW_NS + 5 * HOUR_NS, 0, 12.0),
        (NOW_NS, NOW_NS + HOUR_NS, 3_600, 4.0),
        (NOW_NS - 5 * HOUR_NS - HOUR_NS // 2, NOW_NS - 4 * HOUR_NS - HOUR_NS // 2, 19_800, 8.0),
        (NOW_NS, NOW_NS + 3 * WEEK_NS + HOUR_NS // 2, 0, 40.0),
        (NOW_NS + HOUR_NS, NOW_NS, 0, 0.0),
    ],
    ids=["hour", "half", "quarter", "later", "zone", "half an hour's zone", "weeks", "clock set back"],
)
def test_what_is_usual_between_two_times(from_ns: int, to_ns: int, offset_s: int, expected: float) -> None:
    assert missed_sales(NOON_MONDAY, from_ns, to_ns, offset_s) == expected


@given(
    start=st.integers(0, 4 * WEEK_NS),
    parts=st.lists(st.integers(0, WEEK_NS), min_size=1, max_size=3),
    offset_s=st.sampled_from([0, -18_000, 19_800, 20_700]),
)
def test_a_flat_week_is_its_rate_whenever_it_begins(start: int, parts: list[int], offset_s: int) -> None:
    end = start + sum(parts)
    expected = round(2.0 * (end - start) / HOUR_NS, 1)
    assert missed_sales(FLAT, start, end, offset_s) == pytest.approx(expected, abs=0.11)


def test_a_slot_is_empty_when_the_usual_rate_says_so() -> None:
    assert runout_days(10, 35, 7.0) == 2.0
    assert runout_days(10, 5, 1.0) == 2.0
    assert runout_days(0, 5, 7.0) == 0.0
    assert runout_days(10, 0, 7.0) == UNKNOWN


@pytest.mark.parametrize(
    ("count", "capacity", "used", "expected"),
    [
        (50, 70, 20, 0),
        (10, 70, 40, 30),
        (60, 70, 90, 10),
        (80, 70, 90, 0),
        (10, None, 40, None),
        (1, 70, None, None),
    ],
    ids=["enough", "short", "no more fits", "over full", "no capacity", "no history"],
)
def test_coins_to_bring(count: int, capacity: int | None, used: int | None, expected: int | None) -> None:
    assert coins_to_bring(count, capacity, used) == expected
