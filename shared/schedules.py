"""Price schedules: what a slot costs at some times of the week, such as a happy hour.

A schedule holds whenever the clock on the wall at the machine shows a time in it, the first minute included
and the last not. So the hour that a clock skips in spring is in no schedule, and the hour that it shows twice
in autumn is in its schedules twice: what the customer reads on the sign and on the clock is what is asked.
One that ends before it begins runs past midnight; its days and dates are those on which it begins. Where
several hold, the lowest of their prices is asked; where none does, or nobody knows the time, the price of the
list.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, model_validator

from shared.fields import Frozen, PriceMinor, Slot

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_SCHEDULES: Final = 32

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Priced = Literal["cash", "card"]  # tenders that may have prices of their own
Clock = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
Zone = Annotated[
    str, StringConstraints(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$")
]


class Schedule(Frozen):
    """Either `percent_off` the list's price, for `slots` or for all, or `prices` by slot.

    `step_minor`: a price with percent off is rounded down to a multiple of it, so that coins can pay it.
    """

    name: Name
    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=7)] = DAYS
    start: Clock
    end: Clock
    first: date | None = None
    last: date | None = None
    tenders: Annotated[tuple[Priced, ...], Field(min_length=1, max_length=2)] = ("cash", "card")
    percent_off: Annotated[int, Field(ge=1, le=99)] | None = None
    step_minor: Annotated[int, Field(ge=1, le=10_000)] = 1
    slots: Annotated[tuple[Slot, ...], Field(max_length=1_000)] = ()
    prices: dict[Slot, PriceMinor] = Field(default_factory=dict, max_length=1_000)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.percent_off is None) == (not self.prices):
            raise ValueError(f"schedule {self.name}: it has either percent_off or prices")
        if self.start in {self.end, "24:00"}:
            raise ValueError(
                f"schedule {self.name}: 00:00 to 24:00 is the whole day, anything else has a length"
            )
        if self.first and self.last and self.first > self.last:
            raise ValueError(f"schedule {self.name}: its first day is after its last")
        return self

    def holds(self, local: datetime) -> bool:
        """Whether it holds while the clock on the wall shows this."""
        now, start, end = local.hour * 60 + local.minute, _minutes(self.start), _minutes(self.end)
        today = local.date()
        if start < end:
            return start <= now < end and self._begins(today)
        return (now >= start and self._begins(today)) or (
            now < end and self._begins(today - timedelta(days=1))
        )

    def _begins(self, day: date) -> bool:
        in_range = (self.first or day) <= day <= (self.last or day)
        return in_range and DAYS[day.weekday()] in self.days

    def price_minor(self, slot: str, tender: Priced, listed_minor: int) -> int | None:
        """What it asks for a slot whose price in the list is `listed_minor`; None where it says nothing."""
        if tender not in self.tenders:
            return None
        if self.percent_off is None:
            return self.prices.get(slot)
        if self.slots and slot not in self.slots:
            return None
        exact_minor = listed_minor * (100 - self.percent_off) // 100
        return max(exact_minor // self.step_minor * self.step_minor, min(self.step_minor, listed_minor))


def wall(at_ns: int, zone: str) -> datetime:
    """What the clock on the wall shows there. Raises ValueError for a zone that is not known here."""
    return datetime.fromtimestamp(at_ns // 10**9, UTC).astimezone(zone_of(zone))


def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError):
        raise ValueError(f"time zone {name} is not known here") from None


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])
