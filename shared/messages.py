"""Messages of all topics but those that carry records (shared/records.py), as frozen models."""

from collections.abc import Iterable
from functools import reduce
from operator import xor
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from shared.fields import (
    MAX_INT,
    Celsius,
    Code,
    Count,
    Currency,
    Epoch,
    Frozen,
    Minor,
    Pem,
    PriceMinor,
    Product,
    Seq,
    Serial,
    Slot,
    Tender,
    Text,
    Version,
)
from shared.schedules import MAX_SCHEDULES, Name, Priced, Schedule, Zone, wall, zone_of

Switchable = Literal["cash", "card", "wallet"]
WithoutChange = Literal["refuse", "owe"]

NUMBER_TAKEN: Final = "number_taken"  # why a record is refused whose number another record has


class Refusal(Frozen):
    """`at_ns`: the record's own time. A machine that has another record under this number was copied."""

    seq: Seq
    reason: Code
    at_ns: Count | None = None


class Receipt(Frozen):
    """The cloud has these records of one journal: `stored` as inclusive ranges. Only this settles a debt.

    `checks`: of each range the `at_ns` of all its records, combined by `check`. A machine whose own records
    give another one was copied, and its twin sent some of them.
    """

    v: Version = 1
    epoch: Epoch
    stored: Annotated[tuple[tuple[Seq, Seq], ...], Field(max_length=1_000)] = ()
    checks: Annotated[tuple[Count, ...], Field(max_length=1_000)] = ()
    refused: Annotated[tuple[Refusal, ...], Field(max_length=1_000)] = ()


def check(times_ns: Iterable[int]) -> int:
    """One number that another set of times hardly has."""
    return reduce(xor, times_ns, 0)


class PriceList(Frozen):
    """All prices of one machine, those that differ for cards, and schedules with the time zone they are in.

    `version` only goes up; a machine starts at 0 with its own settings.
    """

    v: Version = 1
    version: Count
    currency: Currency
    prices: Annotated[dict[Slot, PriceMinor], Field(min_length=1, max_length=1_000)]
    card_prices: dict[Slot, PriceMinor] = Field(default_factory=dict, max_length=1_000)
    time_zone: Zone | None = None
    schedules: Annotated[tuple[Schedule, ...], Field(max_length=MAX_SCHEDULES)] = ()

    @model_validator(mode="after")
    def _schedules_have_a_clock(self) -> Self:
        if len({schedule.name for schedule in self.schedules}) != len(self.schedules):
            raise ValueError("two schedules have the same name; each needs its own")
        if self.schedules and self.time_zone is None:
            raise ValueError("schedules need a time_zone")
        if self.time_zone is not None:
            zone_of(self.time_zone)
        return self

    def holding(self, at_ns: int | None) -> tuple[int, ...]:
        """Which schedules hold at a time, by position; none while nobody knows the time."""
        if at_ns is None or self.time_zone is None or not self.schedules:
            return ()
        local = wall(at_ns, self.time_zone)
        return tuple(n for n, schedule in enumerate(self.schedules) if schedule.holds(local))

    def of(self, slot: str, tender: Priced, holding: tuple[int, ...] = ()) -> int:
        """The price of a slot under these schedules. Raises KeyError for a slot that has none."""
        price_minor = self.prices[slot]
        if tender == "card":
            price_minor = self.card_prices.get(slot, price_minor)
        offers = (self.schedules[n].price_minor(slot, tender, price_minor) for n in holding)
        return min((offer for offer in offers if offer is not None), default=price_minor)


class PricesRefused(Frozen):
    version: Count | None
    reason: Text


class PlannedSlot(Frozen):
    """What belongs into a slot. `group`: products that spoil together, by the machine's own settings."""

    product: Product
    capacity: Annotated[int, Field(ge=0, le=255)]
    par: Annotated[int, Field(ge=0, le=255)]
    group: Product | None = None

    @model_validator(mode="after")
    def _par_fits(self) -> Self:
        if self.par > self.capacity:
            raise ValueError(f"par {self.par} is more than the capacity {self.capacity}")
        return self


class Config(Frozen):
    """What is wanted of one machine beside its prices. None: as the machine's own settings say.

    `slots`, where they are given, are all slots of the machine. `tenders_off`: what must not be taken now,
    and why, as the customer is told. `version` only goes up; a machine starts at 0 with its own settings.
    """

    v: Version = 1
    version: Count
    slots: Annotated[dict[Slot, PlannedSlot], Field(min_length=1, max_length=1_000)] | None = None
    largest_note_minor: Minor | None = None
    without_change: WithoutChange | None = None
    tenders_off: dict[Switchable, Annotated[Text, Field(min_length=1)]] = Field(default_factory=dict)


class ConfigRefused(Frozen):
    version: Count | None
    reason: Text


class Reported(Frozen):
    """What a machine has in force, and why it refused the last list or config where it did.

    `schedules`: the names of those that hold now.
    """

    v: Version = 1
    at_ns: Count
    prices: PriceList
    refused: PricesRefused | None = None
    schedules: Annotated[tuple[Name, ...], Field(max_length=MAX_SCHEDULES)] = ()
    config_version: Count = 0
    config_refused: ConfigRefused | None = None


class Mark(Frozen):
    """The highest record of one journal that the cloud holds."""

    epoch: Epoch
    seq: Seq
    at_ns: Count


class Watermark(Frozen):
    """How a machine notices that its journal is an old copy: retained, and said anew when it connects.

    `journals`: of this machine, the one heard last first. `heard_ns`: `since_ns` of the status that the cloud
    heard last; a machine that finds its own knows that nothing it sent before is still on its way.
    """

    v: Version = 1
    heard_ns: Count = 0
    journals: Annotated[tuple[Mark, ...], Field(max_length=16)] = ()


class Availability(Frozen):
    """`reason`: in words for the customer, where it cannot be used."""

    available: bool
    reason: Text = ""


class Status(Frozen):
    """Retained; the last will says offline. `since_ns`: when this connection (or silence) began.

    Of the journal, when this was said: `last_seq` is its newest record, `owed_from` the oldest that is not
    confirmed (None when all are), `owed` how many are not, `parked` how many the cloud refused.
    `forked_from`: the epoch before, when this file is a copy: what was not sent then has new numbers.
    """

    v: Version = 1
    online: bool
    since_ns: Count
    epoch: Epoch
    software: Text
    tenders: dict[Tender, Availability]
    last_seq: Count | None = None
    owed_from: Seq | None = None
    owed: Count = 0
    parked: Count = 0
    forked_from: Epoch | None = None


class SlotStock(Frozen):
    """`wanted`: another product is planned, and this one is in the slot until it is refilled."""

    product: Product
    count: Count
    capacity: Count
    par: Count
    wanted: Product | None = None


class Stock(Frozen):
    """What is in each slot, by the machine's books."""

    v: Version = 1
    at_ns: Count
    slots: Annotated[dict[Slot, SlotStock], Field(max_length=1_000)]


class TubeLevel(Frozen):
    """All tubes of one coin together.

    `capacity`: no changer says it; None until a tube was full, when its count was the capacity.
    """

    coin_minor: Annotated[int, Field(ge=1, le=MAX_INT)]
    count: Count
    capacity: Count | None = None
    full: bool


class Link(Frozen):
    """`round_trip_ms`: from a publish to its acknowledgement, the median of the last ones."""

    reconnects_24h: Count
    up_since_ns: Count | None = None
    round_trip_ms: Count | None = None


class OpenFault(Frozen):
    device: Code
    code: Code
    since_ns: Count


class Health(Frozen):
    """How the machine is, beside what it sells. What it does not have, or does not know, is None or empty and
    never 0.

    `temperatures`: degrees Celsius by sensor. `lockouts`: what is not sold for a reason of safety or by
    order, `all` or the names of groups. `change_low`: only exact change is taken. `locked_slots`: not sold
    for any reason. `clock_offset_ms`: how far its clock is off.
    """

    v: Version = 1
    at_ns: Count
    temperatures: Annotated[dict[Product, Celsius], Field(max_length=64)] = Field(default_factory=dict)
    lockouts: Annotated[tuple[Product, ...], Field(max_length=1_000)] = ()
    door_open: bool | None = None
    tubes: Annotated[tuple[TubeLevel, ...], Field(max_length=16)] = ()
    change_low: bool | None = None
    cashbox_minor: Minor | None = None
    stacker_minor: Minor | None = None
    stacker_notes: Count | None = None
    recycler_minor: Minor | None = None
    tubes_minor: Minor | None = None
    clock: Literal["synced", "estimated", "unknown"] = "unknown"
    clock_offset_ms: Annotated[int, Field(ge=-MAX_INT, le=MAX_INT)] | None = None
    link: Link | None = None
    faults: Annotated[tuple[OpenFault, ...], Field(max_length=256)] = ()
    locked_slots: Annotated[tuple[Slot, ...], Field(max_length=1_000)] = ()
    disk_free_mb: Count | None = None


class CertificateRequest(Frozen):
    """A machine wants its next certificate. `serial`: of the one it has now."""

    v: Version = 1
    serial: Serial
    csr: Pem


class CertificateIssued(Frozen):
    """The answer to a request that named `serial`: a certificate, or why there is none."""

    v: Version = 1
    serial: Serial
    certificate: Pem | None = None
    refused: Code | None = None
