"""The time in a record, and the topic it goes to. Pure."""

from typing import Final

from shared import topics
from shared.clock import Now, Trust
from shared.records import Body, Sale

_TICK_NS: Final = 1_000  # the digits below are seq mod 1000, so no two records share a nanosecond
_TRUSTED_SHIFT_NS: Final = 1_000_000_000


def stream_of(body: Body) -> str:
    return topics.SALE.name if isinstance(body, Sale) else topics.EVENT.name


def ns(seconds: float) -> int:
    return round(seconds * 10**9)


def stamp(wall_ns: int, last_ns: int, seq: int) -> int:
    """A time that rises strictly with seq, however the wall clock jumps or stands still."""
    below = seq % _TICK_NS
    at_ns = wall_ns // _TICK_NS * _TICK_NS + below
    return at_ns if at_ns > last_ns else (last_ns // _TICK_NS + 1) * _TICK_NS + below


def trusted(now: Now, at_ns: int, wall_ns: int) -> Trust:
    """A stamp that must lie behind one from a clock that ran ahead is no time of day any more."""
    return now.trust if at_ns - wall_ns < _TRUSTED_SHIFT_NS else "estimated"
