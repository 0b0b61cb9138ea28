"""What the outside world tells the sale: every event is a frozen value.

Drivers make these from bytes; the loop hands them to `step`. Money is minor units of the machine's currency,
coin types are the changer's own numbers (0..15), slots are the operator's names ("A1").
"""

from dataclasses import dataclass, field
from enum import StrEnum

from edge.sale.card_events import CardEvent
from edge.sale.operator_events import OperatorEvent
from edge.sale.visit_events import CabinetEvent, ClockSet, Overdue, TechnicianRequest
from shared.messages import Config, PriceList


class Route(StrEnum):
    """Where an accepted coin went (MDB 3.4: only these two routings are credit)."""

    TUBE = "tube"
    CASHBOX = "cashbox"


class BillRoute(StrEnum):
    """Where a note that counts lies."""

    CASHBOX = "cashbox"
    RECYCLER = "recycler"


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
    there is no tube or the tube is defective. Of no matter to the sale, and so not compared: the types that
    have a tube, and those whose tube is full.
    """

    values_minor: tuple[int, ...]
    tubes: tuple[int, ...]
    fitted: frozenset[int] = field(default=frozenset(), compare=False)
    full: frozenset[int] = field(default=frozenset(), compare=False)


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
class CoinsLoaded:
    """Coins put into the tubes by hand, by coin type, and the tubes with them; never credit."""

    coins: tuple[int, ...]
    tubes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CoinsTaken:
    """Coins taken out of the tubes by hand, by coin type, and the tubes without them; no payout."""

    coins: tuple[int, ...]
    tubes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BillsReady:
    """The bill validator finished its initialisation; sent after each one. No note is in escrow then.

    values_minor: value of bill type 0..15, 0 where unused; recycled: notes of each type in the recycler, all
    0 without one; escrow: notes wait for SettleBill, otherwise they are stacked at once. Of no matter to
    the sale, and so not compared: whether there is a recycler.
    """

    values_minor: tuple[int, ...]
    recycled: tuple[int, ...]
    escrow: bool
    recycler: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class BillsLost:
    """A note in escrow is out of reach too; if it turns out to be secure, its BillIn comes later."""

    reason: str


@dataclass(frozen=True, slots=True)
class BillEscrowed:
    """A note waits for SettleBill; the validator itself returns it after 30 s.

    Ends with BillIn or BillReturned, or with BillsLost.
    """

    bill: int
    value_minor: int


@dataclass(frozen=True, slots=True)
class BillIn:
    """A note is secure and counts, exactly once, whatever was decided on it."""

    bill: int
    value_minor: int
    route: BillRoute


@dataclass(frozen=True, slots=True)
class BillReturned:
    """The note of the last BillEscrowed left escrow without being credited."""

    bill: int
    value_minor: int


@dataclass(frozen=True, slots=True)
class BillPayoutEnded:
    """A PayOutBills is over; recycled are the counts afterwards, and what they lack was paid out."""

    recycled: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RecyclerChanged:
    """Notes were put into or taken out of the recycler by other ways than BillIn and PayOutBills."""

    recycled: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StackerChanged:
    """Told after each initialisation and when it changes. A full stacker takes no notes."""

    full: bool
    bills: int


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
    """A peripheral reported trouble; code is the table name of the protocol fact, such as `coin_jam`.

    lasts: it is there until it is cleared; else it happened, and nobody says when it is over. Of no matter to
    the sale, and so not compared.
    """

    device: str
    code: str
    lasts: bool = field(default=True, compare=False)


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
class ConfigWanted:
    """A config that passed every check; it is put in force between customers."""

    config: Config


@dataclass(frozen=True, slots=True)
class PricesDue:
    """Between customers: by the clock other schedules hold than those in force."""


@dataclass(frozen=True, slots=True)
class ClaimEntered:
    """A customer typed a claim code; `code` as typed."""

    code: str


@dataclass(frozen=True, slots=True)
class FreeVend:
    """The operator gives one product away."""

    slot: str


@dataclass(frozen=True, slots=True)
class ServiceChanged:
    """A technician says that he is here, or that he leaves."""

    on: bool


@dataclass(frozen=True, slots=True)
class Booted:
    """First event of every run; what an unfinished effect needs is decided here.

    boot: names the start of the board that monotonic time counts from; empty where nobody knows.
    """

    boot: str = ""


@dataclass(frozen=True, slots=True)
class AuditDue:
    """An hour has passed: write down the running totals."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The sale's own deadline has passed."""


BillEvent = (
    BillsReady
    | BillsLost
    | BillEscrowed
    | BillIn
    | BillReturned
    | BillPayoutEnded
    | RecyclerChanged
    | StackerChanged
)
HandEvent = CoinsLoaded | CoinsTaken
DriverEvent = (
    ChangerReady
    | ChangerLost
    | CoinIn
    | Lever
    | PayoutEnded
    | BoardReady
    | BoardLost
    | SlotSelected
    | ClaimEntered
    | VendEnded
    | DeviceFault
    | DeviceFaultCleared
    | BillEvent
    | CardEvent
    | HandEvent
    | CabinetEvent
)
TechnicianEvent = ServiceChanged | TechnicianRequest
PersonEvent = FreeVend | TechnicianEvent | OperatorEvent
TimeEvent = Booted | AuditDue | PricesDue | Tick | Overdue | ClockSet
Event = DriverEvent | PersonEvent | LinkChanged | DiskChanged | PricesWanted | ConfigWanted | TimeEvent
