"""Hours of the operator's zone, as spans of time without gap or overlap.

An hour begins when the clock on the wall shows a whole one, or when it is put forward or back. So an hour is
as long as it was: where a clock changes within one, both parts stand for themselves, and the hour that comes
twice in autumn is two.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

HOUR_NS: Final = 3_600 * 10**9
_HOUR_S: Final = 3_600
_S_NS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Hour:
    """`weekday`: 1 is Monday. `hour`: 0 to 23; both on the wall."""

    start_ns: int
    end_ns: int
    weekday: int
    hour: int


def hour_of(at_ns: int, zone: tzinfo) -> Hour:
    at_s = at_ns // _S_NS
    offset_s = _offset_s(at_s, zone)
    start_s = at_s - (at_s + offset_s) % _HOUR_S
    end_s = start_s + _HOUR_S
    if _offset_s(start_s, zone) != offset_s:
        start_s = _change(start_s, at_s, zone)
    if _offset_s(end_s - 1, zone) != offset_s:
        end_s = _change(at_s, end_s - 1, zone)
    wall = datetime.fromtimestamp(start_s, zone)
    return Hour(start_s * _S_NS, end_s * _S_NS, wall.isoweekday(), wall.hour)


def hours_over(start_ns: int, end_ns: int, zone: tzinfo) -> Iterator[Hour]:
    """All that have a part of this span."""
    at_ns = start_ns
    while at_ns < end_ns:
        hour = hour_of(at_ns, zone)
        yield hour
        at_ns = hour.end_ns


def _offset_s(at_s: int, zone: tzinfo) -> int:
    offset = datetime.fromtimestamp(at_s, zone).utcoffset()
    assert offset is not None  # it was made with a zone
    return round(offset.total_seconds())


def _change(before_s: int, after_s: int, zone: tzinfo) -> int:
    """The first second with the later of two offsets."""
    offset_s = _offset_s(before_s, zone)
    while after_s - before_s > 1:
        middle_s = (before_s + after_s) // 2
        if _offset_s(middle_s, zone) == offset_s:
            before_s = middle_s
        else:
            after_s = middle_s
    return after_s
