"""Messages of all topics but those that carry records (shared/records.py), as frozen models."""

from collections.abc import Iterable
from functools import reduce
from operator import xor
from typing import Annotated, Final, Literal

from pydantic import Field

from shared.fields import (
    Code,
    Count,
    Currency,
    Epoch,
    Frozen,
    PriceMinor,
    Product,
    Seq,
    Slot,
    Tender,
    Text,
    Version,
)

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
    """All prices of one machine, and those that differ for cards.

    `version` only goes up; a machine starts at 0 with its own settings.
    """

    v: Version = 1
    version: Count
    currency: Currency
    prices: Annotated[dict[Slot, PriceMinor], Field(min_length=1, max_length=1_000)]
    card_prices: dict[Slot, PriceMinor] = Field(default_factory=dict, max_length=1_000)

    def of(self, slot: str, tender: Literal["cash", "card"]) -> int:
        """The price of a slot, minor units. Raises KeyError for a slot that has none."""
        price_minor = self.prices[slot]
        return self.card_prices.get(slot, price_minor) if tender == "card" else price_minor


class PricesRefused(Frozen):
    version: Count | None
    reason: Text


class Reported(Frozen):
    """What a machine has in force, and why it refused the last list where it did."""

    v: Version = 1
    at_ns: Count
    prices: PriceList
    refused: PricesRefused | None = None


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
    product: Product
    count: Count
    capacity: Count
    par: Count


class Stock(Frozen):
    v: Version = 1
    at_ns: Count
    slots: Annotated[dict[Slot, SlotStock], Field(max_length=1_000)]
