"""Hours of any zone cover all time once, and say what the clock on the wall shows."""

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloud.rollups.hours import HOUR_NS, hour_of, hours_over

ZONES = (
    *("UTC", "Europe/Vilnius", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"),
    *("America/New_York", "Pacific/Chatham", "Africa/Monrovia", "Pacific/Apia"),
)
YEAR_NS = 366 * 24 * HOUR_NS


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 10**9


@given(st.sampled_from(ZONES), st.integers(0, 80 * YEAR_NS))
@example("America/St_Johns", ns("2006-10-29T00:01:00-02:30"))
@example("Africa/Monrovia", ns("1972-01-07T00:44:30+00:00"))
def test_an_hour_is_a_span_in_which_the_clock_shows_that_hour(zone: str, at_ns: int) -> None:
    place = ZoneInfo(zone)
    hour = hour_of(at_ns, place)
    assert hour.start_ns <= at_ns < hour.end_ns
    assert 0 < hour.end_ns - hour.start_ns <= HOUR_NS
    for moment_ns in (hour.start_ns, at_ns, hour.end_ns - 1):
        assert hour_of(moment_ns, place) == hour
        wall = datetime.fromtimestamp(moment_ns // 10**9, place)
        assert (wall.isoweekday(), wall.hour) == (hour.weekday, hour.hour)
    for edge_ns in (hour.start_ns, hour.end_ns):
        wall, before = (datetime.fromtimestamp(edge_ns // 10**9 - s, place) for s in (0, 1))
        assert (wall.minute, wall.second) == (0, 0) or wall.utcoffset() != before.utcoffset()


@given(st.sampled_from(ZONES), st.integers(0, 80 * YEAR_NS), st.integers(1, 4 * HOUR_NS))
def test_hours_over_a_span_leave_nothing_out_and_do_not_overlap(
    zone: str, start_ns: int, span_ns: int
) -> None:
    hours = list(hours_over(start_ns, start_ns + span_ns, ZoneInfo(zone)))
    assert hours[0].start_ns <= start_ns
    assert hours[-1].end_ns >= start_ns + span_ns
    assert hours[-1].start_ns < start_ns + span_ns
    assert all(early.end_ns == late.start_ns for early, late in pairwise(hours))


@pytest.mark.parametrize(
    ("zone", "start", "end", "shown"),
    [
        ("Europe/Vilnius", "2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z", [(60, 3), (60, 3), (60, 4)]),
        ("Europe/Vilnius", "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z", [(60, 2), (60, 4)]),
        ("Asia/Kolkata", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", [(60, 5), (60, 6)]),
        ("Australia/Lord_Howe", "2026-04-04T14:00:00Z", "2026-04-04T16:00:00Z", [(60, 1), (30, 1), (60, 2)]),
    ],
)
def test_a_clock_that_is_put_back_or_forward(
    zone: str, start: str, end: str, shown: list[tuple[int, int]]
) -> None:
    hours = hours_over(ns(start), ns(end), ZoneInfo(zone))
    assert [((h.end_ns - h.start_ns) // (60 * 10**9), h.hour) for h in hours] == shown
