"""Messages of all topics but those that carry records (shared/records.py), as frozen models."""

from typing import Annotated, Literal

from pydantic import Field

from shared.fields import (
    Code,
    Count,
    Currency,
    Epoch,
    Frozen,
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


class Refusal(Frozen):
    seq: Seq
    reason: Code


class Receipt(Frozen):
    """The cloud has these records of one journal: `stored` as inclusive ranges. Only this settles a debt."""

    v: Version = 1
    epoch: Epoch
    stored: Annotated[tuple[tuple[Seq, Seq], ...], Field(max_length=1_000)] = ()
    refused: Annotated[tuple[Refusal, ...], Field(max_length=1_000)] = ()


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


class Availability(Frozen):
    available: bool
    reason: Text = ""


class Status(Frozen):
    """Retained; the last will says offline. `since_ns`: when this connection (or silence) began."""

    v: Version = 1
    online: bool
    since_ns: Count
    epoch: Epoch
    software: Text
    tenders: dict[Tender, Availability]


class SlotStock(Frozen):
    product: Product
    count: Count
    capacity: Count
    par: Count


class Stock(Frozen):
    v: Version = 1
    at_ns: Count
    slots: Annotated[dict[Slot, SlotStock], Field(max_length=1_000)]


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
