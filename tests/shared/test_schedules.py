"""Schedules hold by the clock on the wall, also where that clock skips an hour or shows one twice."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.messages import PriceList
from shared.schedules import DAYS, Priced, Schedule, wall

BERLIN = "Europe/Berlin"
MINUTE_NS = 60 * 10**9


def listed(*schedules: Schedule, zone: str = BERLIN, **prices: int) -> PriceList:
    return PriceList(
        version=1, currency="EUR", prices=prices or {"A1": 150}, time_zone=zone, schedules=schedules
    )


def happy(start: str, end: str, **more: Any) -> Schedule:  # noqa: ANN401  # any field
    return Schedule.model_validate({"name": "happy", "start": start, "end": end, "percent_off": 20, **more})


def utc(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def minutes_of(prices: PriceList, start: str, hours: int) -> list[str]:
    """What the wall clock shows while the first schedule holds, minute by minute of real time."""
    times = (utc(start) + n * MINUTE_NS for n in range(hours * 60))
    return [f"{wall(at_ns, BERLIN):%H:%M}" for at_ns in times if prices.holding(at_ns)]


def price_at(prices: PriceList, slot: str, tender: Priced, at_ns: int | None) -> int:
    return prices.of(slot, tender, prices.holding(at_ns))


def test_the_first_minute_belongs_to_it_and_the_last_does_not() -> None:
    held = minutes_of(listed(happy("17:00", "19:00")), "2026-07-01T00:00", 24)
    assert (held[0], held[-1], len(held)) == ("17:00", "18:59", 120)


def test_in_the_spring_the_hour_that_is_skipped_is_in_no_schedule() -> None:
    """On 2026-03-29 the clock in Berlin goes from 01:59 to 03:00."""
    assert minutes_of(listed(happy("02:15", "02:45")), "2026-03-28T23:00", 24) == []
    held = minutes_of(listed(happy("02:30", "03:30")), "2026-03-28T23:00", 24)
    assert (held[0], held[-1], len(held)) == ("03:00", "03:29", 30)


def test_in_the_autumn_the_hour_that_comes_twice_is_in_its_schedule_twice() -> None:
    """On 2026-10-25 the clock in Berlin shows 02:00 to 02:59 twice."""
    held = minutes_of(listed(happy("02:15", "02:45")), "2026-10-24T22:00", 24)
    assert len(held) == 60
    assert held.count("02:15") == held.count("02:44") == 2
    assert len(minutes_of(listed(happy("01:00", "04:00")), "2026-10-24T22:00", 24)) == 240


def test_past_midnight_it_belongs_to_the_day_on_which_it_begins() -> None:
    """2026-07-03 is a Friday."""
    night = happy("22:00", "02:00", days=("fri",), first=date(2026, 7, 3), last=date(2026, 7, 3))
    held = minutes_of(listed(night), "2026-07-02T00:00", 24 * 10)
    assert (held[0], held[-1], len(held)) == ("22:00", "01:59", 240)


def test_prices_by_tender_and_the_lowest_of_several() -> None:
    prices = listed(
        happy("17:00", "19:00", step_minor=5),
        happy("18:00", "20:00", name="cards", tenders=("card",), percent_off=None, prices={"A1": 99}),
        happy("18:00", "20:00", name="dear", percent_off=None, prices={"B1": 300}),
        A1=149,
        B1=200,
    )
    times = {hour: utc(f"2026-07-01T{hour - 2}:30") for hour in (16, 17, 18, 19)}
    asked = {
        h: (price_at(prices, "A1", "cash", t), price_at(prices, "A1", "card", t)) for h, t in times.items()
    }
    assert asked == {16: (149, 149), 17: (115, 115), 18: (115, 99), 19: (149, 99)}
    assert price_at(prices, "B1", "cash", times[19]) == 300, "a schedule may be dearer"
    assert price_at(prices, "B1", "cash", times[18]) == 160
    assert price_at(prices, "A1", "card", None) == 149, "nobody knows the time"


@pytest.mark.parametrize(
    ("listed_minor", "off", "step", "asked"), [(1, 99, 1, 1), (5, 99, 10, 5), (3, 50, 5, 3)]
)
def test_a_price_never_becomes_nothing_nor_dearer(listed_minor: int, off: int, step: int, asked: int) -> None:
    schedule = happy("00:00", "24:00", percent_off=off, step_minor=step)
    assert schedule.price_minor("A1", "cash", listed_minor) == asked


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"start": "19:00"}, "has a length"),
        ({"start": "24:00"}, "has a length"),
        ({"start": "7:00"}, "start"),
        ({"end": "25:00"}, "end"),
        ({"days": ()}, "days"),
        ({"days": ("monday",)}, "days"),
        ({"percent_off": None}, "either percent_off or prices"),
        ({"prices": {"A1": 1}}, "either percent_off or prices"),
        ({"first": date(2026, 2, 1), "last": date(2026, 1, 1)}, "first day is after its last"),
        ({"percent_off": 100}, "percent_off"),
    ],
)
def test_a_schedule_that_makes_no_sense(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        happy(**{"start": "17:00", "end": "19:00", **changes})


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "Europe", "../etc/passwd", ""])
def test_a_zone_that_is_none(zone: str) -> None:
    with pytest.raises(ValidationError, match=r"time_zone|not known here"):
        listed(happy("17:00", "19:00"), zone=zone)


# --- against a model that writes down every minute ----------------------------------------------------------

clocks = st.integers(0, 1439).map(lambda m: f"{m // 60:02}:{m % 60:02}")
near = st.dates(date(2026, 3, 26), date(2026, 4, 2))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    start, end = draw(clocks), draw(st.one_of(clocks, st.just("24:00")))
    if start == end:
        end = "24:00" if start != "00:00" else "00:01"
    days = tuple(draw(st.lists(st.sampled_from(DAYS), min_size=1, unique=True)))
    first, last = draw(st.none() | near), draw(st.none() | near)
    if first and last and first > last:
        first, last = last, first
    return happy(start, end, days=days, first=first, last=last)


def shown(schedule: Schedule, around: date) -> set[tuple[date, int, int]]:
    """Every reading of the wall clock in it, by walking from its start to its end, near a day."""
    readings = set()
    for offset in range(-3, 4):
        day = around + timedelta(days=offset)
        if DAYS[day.weekday()] not in schedule.days:
            continue
        if (schedule.first and day < schedule.first) or (schedule.last and day > schedule.last):
            continue
        at = datetime(day.year, day.month, day.day, int(schedule.start[:2]), int(schedule.start[3:]))  # noqa: DTZ001
        while True:
            readings.add((at.date(), at.hour, at.minute))
            at += timedelta(minutes=1)
            if f"{at:%H:%M}" == schedule.end.replace("24:00", "00:00"):
                break
    return readings


@given(schedule=schedules(), zone=st.sampled_from([BERLIN, "America/Sao_Paulo", "Australia/Lord_Howe"]))
@example(schedule=happy("02:30", "03:30"), zone=BERLIN)
def test_it_holds_exactly_when_the_wall_clock_shows_one_of_its_minutes(schedule: Schedule, zone: str) -> None:
    """Around the clock changes of spring and autumn in Berlin and on Lord Howe Island, half an hour there."""
    prices, place = listed(schedule, zone=zone), ZoneInfo(zone)
    for start in ("2026-03-28T22:00", "2026-10-24T22:00", "2026-04-04T12:00"):
        begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
        minutes = shown(schedule, begin.date())
        for n in range(0, 30 * 60, 7):
            local = (begin + timedelta(minutes=n)).astimezone(place)
            at_ns = utc(start) + n * MINUTE_NS + n  # anywhere in the minute
            holds = (local.date(), local.hour, local.minute) in minutes
            assert bool(prices.holding(at_ns)) == holds, local
