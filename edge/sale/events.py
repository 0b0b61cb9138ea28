"""What the outside world tells the sale: every event is a frozen value.

Drivers make these from bytes; the loop hands them to `step`. Money is minor units of the machine's currency,
coin types are the changer's own numbers (0..15), slots are the operator's names ("A1").
"""

from dataclasses import dataclass
from enum import StrEnum

from shared.messages import PriceList


class Route(StrEnum):
    """Where an accepted coin went (MDB 3.4: only these two routings are credit)."""

    TUBE = "tube"
    CASHBOX = "cashbox"


class VendResult(StrEnum):
    """How a motor run ended; only DELIVERED is a product in the customer's hand."""

    DELIVERED = "delivered"
    NO_DROP = "no_drop"
    JAMMED = "jammed"
    MOTOR_STUCK = "motor_stuck"
    MOTOR_MISSING = "motor_missing"
    LIFT_ERROR = "lift_error"
    ABORTED = "aborted"
    NOT_STARTED = "not_started"  # the board certainly never took the command


@dataclass(frozen=True, slots=True)
class ChangerReady:
    """The changer finished its initialisation; sent after each one.

    values_minor: value of coin type 0..n, 0 where unused; tubes: coins in the tube of each type, 0 where
    there is no tube or the tube is defective.
    """

    values_minor: tuple[int, ...]
    tubes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ChangerLost:
    reason: str


@dataclass(frozen=True, slots=True)
class CoinIn:
    """A coin that counts: in_tube is the changer's own count of that type afterwards."""

    coin: int
    value_minor: int
    route: Route
    in_tube: int


@dataclass(frozen=True, slots=True)
class Lever:
    """The customer asked for the money back."""


@dataclass(frozen=True, slots=True)
class PayoutEnded:
    """The changer finished, or gave up on, a PayOut; tubes are its counts read afterwards."""

    tubes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BoardReady:
    pass


@dataclass(frozen=True, slots=True)
class BoardLost:
    reason: str


@dataclass(frozen=True, slots=True)
class SlotSelected:
    slot: str


@dataclass(frozen=True, slots=True)
class VendEnded:
    slot: str
    result: VendResult


@dataclass(frozen=True, slots=True)
class DeviceFault:
    """A peripheral reported trouble; code is the table name of the protocol fact, such as `coin_jam`."""

    device: str
    code: str


@dataclass(frozen=True, slots=True)
class DeviceFaultCleared:
    device: str
    code: str


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The machine's own network: up when the broker has accepted this machine."""

    up: bool


@dataclass(frozen=True, slots=True)
class DiskChanged:
    """Whether the journal has room for more sales."""

    ok: bool


@dataclass(frozen=True, slots=True)
class PricesWanted:
    """A price list that passed every check; it is put in force between customers."""

    prices: PriceList


@dataclass(frozen=True, slots=True)
class Booted:
    """First event of every run; what an unfinished effect needs is decided here."""


@dataclass(frozen=True, slots=True)
class AuditDue:
    """An hour has passed: write down the running totals."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The sale's own deadline has passed."""


# --- card readers: `reader` is 1 or 2; the order of these events is promised in edge/mdb/cashless.py


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
DriverEvent = (
    ChangerReady
    | ChangerLost
    | CoinIn
    | Lever
    | PayoutEnded
    | BoardReady
    | BoardLost
    | SlotSelected
    | VendEnded
    | DeviceFault
    | DeviceFaultCleared
)
Event = DriverEvent | LinkChanged | DiskChanged | PricesWanted | Booted | AuditDue | Tick
