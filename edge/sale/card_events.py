"""What card readers tell the sale (edge/mdb/cashless/driver.py). `reader` is 1 or 2; money is minor units."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CardReady:
    """The reader can sell: sent after each initialisation, and when what stopped it is gone.

    always_idle: a vend may be requested before a card is shown; refunds: it can give money back to the card;
    reports_cash: it wants to know of cash sales.
    """

    reader: int
    always_idle: bool
    refunds: bool
    reports_cash: bool


@dataclass(frozen=True, slots=True)
class CardLost:
    """The reader cannot sell until CardReady."""

    reader: int
    reason: str


@dataclass(frozen=True, slots=True)
class SessionBegan:
    """A card is in the reader. Its funds, None where unknown, are never a reason to refuse a vend."""

    reader: int
    funds_minor: int | None


@dataclass(frozen=True, slots=True)
class SessionEnded:
    reader: int


@dataclass(frozen=True, slots=True)
class VendApproved:
    """Charged; the amount may differ from the price (discount, surcharge)."""

    reader: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class VendDenied:
    reader: int
    reason: str


@dataclass(frozen=True, slots=True)
class RefundEnded:
    """`ok`: the money is back on the card; otherwise it is not, or nobody knows."""

    reader: int
    ok: bool


@dataclass(frozen=True, slots=True)
class RevalueEnded:
    reader: int
    ok: bool


@dataclass(frozen=True, slots=True)
class RevalueLimit:
    """The most the card may be charged up now; 0 where it cannot be."""

    reader: int
    amount_minor: int


CardEvent = (
    CardReady
    | CardLost
    | SessionBegan
    | SessionEnded
    | VendApproved
    | VendDenied
    | RefundEnded
    | RevalueEnded
    | RevalueLimit
)
