"""What is usual for a machine, and what follows from it: simple estimates. Pure.

Whatever is not known is UNKNOWN, and never a guess of 0.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

UNKNOWN: Final = -1.0
HOUR_NS: Final = 3_600 * 10**9
DAY_NS: Final = 24 * HOUR_NS
WEEK_NS: Final = 7 * DAY_NS
PROFILE_WEEKS: Final = 4
_WEEK_HOURS: Final = 168
_FIRST_HOUR: Final = 3 * 24  # 1970 began on a Thursday

Profile = Mapping[int, float]  # usual sales by hour of the week: 0 is Monday's first


@dataclass(frozen=True, slots=True)
class Usual:
    """`profile`: None for a machine that sells for less than a week. `sold`: by slot in the last seven days.

    `sold_days`: how many of these days the machine has been selling, at least one; 0.0 without a sale.
    `coins`: what left the tubes in these days, by coin; no entry where nothing is known.
    """

    profile: Profile | None = None
    sold: Mapping[str, int] = field(default_factory=dict)
    sold_days: float = 0.0
    coins: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recent:
    """Of the last 24 hours. `jammed`: slots whose last run jammed."""

    vends: int = 0
    failed: int = 0
    jammed: int = 0


def profile_of(hours: Iterable[tuple[int, int, int, int]], as_of_ns: int) -> Profile | None:
    """From hours of the last four weeks: start, weekday (1 is Monday), hour, sales.

    The mean of each hour of the week over the weeks since the machine's first hour with a sale. An hour
    without a sale has no row and counts as one with none.
    """
    rows = list(hours)
    first_ns = min((row[0] for row in rows), default=as_of_ns)
    weeks = min(float(PROFILE_WEEKS), (as_of_ns - first_ns) / WEEK_NS)
    if weeks < 1.0:
        return None
    sold: dict[int, int] = {}
    for _, weekday, hour, sales in rows:
        key = (weekday - 1) * 24 + hour
        sold[key] = sold.get(key, 0) + sales
    return {key: sales / weeks for key, sales in sold.items()}


def missed_sales(profile: Profile | None, from_ns: int, to_ns: int, offset_s: int) -> float:
    """How many sales are usual between two times; UNKNOWN without a profile. Part of an hour is that part.

    `offset_s`: of the operator's zone now. On the day of a time change an hour is taken for its neighbour.
    """
    if profile is None:
        return UNKNOWN
    start, end = (at_ns + offset_s * 10**9 for at_ns in (from_ns, max(from_ns, to_ns)))
    whole_weeks, rest_ns = divmod(end - start, WEEK_NS)
    usual = whole_weeks * sum(profile.values())
    end = start + rest_ns
    for hour in range(start // HOUR_NS, end // HOUR_NS + 1):
        part_ns = min(end, (hour + 1) * HOUR_NS) - max(start, hour * HOUR_NS)
        usual += profile.get((hour + _FIRST_HOUR) % _WEEK_HOURS, 0.0) * part_ns / HOUR_NS
    return round(usual, 1)


def runout_days(count: int, sold: int, days: float) -> float:
    """Until a slot is empty if it sells on as in the last days; UNKNOWN where it sold nothing."""
    if not sold or not days:
        return UNKNOWN
    return round(count * days / sold, 1)


def coins_to_bring(count: int, capacity: int | None, used: int | None) -> int | None:
    """What a week uses beyond what is there, and no more than fits; None where either is not known.

    A week's coins that customers put in are not counted on: it is on the safe side.
    """
    if capacity is None or used is None:
        return None
    return max(0, min(used - count, capacity - count))
