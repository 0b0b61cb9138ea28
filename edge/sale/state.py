"""The sale's state: a frozen value, stored in the journal with every step. Restart reads it back."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from shared.messages import PriceList


class Phase(StrEnum):
    IDLE = "idle"  # nobody's money is in the machine
    CREDIT = "credit"  # a customer's session: credit to spend or to give back
    VENDING = "vending"  # a motor is running, or may be
    PAYING = "paying"  # coins are leaving, or may be


@dataclass(frozen=True, slots=True)
class SlotSetting:
    """One slot as the settings file describes it."""

    slot: str
    product: str
    capacity: int
    par: int


@dataclass(frozen=True, slots=True)
class Vend:
    """A product between money and drop. `price_minor` is held: no longer credit, not yet a sale."""

    slot: str
    product: str
    price_minor: int
    price_version: int
    started_s: float
    link_down: bool


@dataclass(frozen=True, slots=True)
class Paying:
    """Coins ordered and the tubes before: what was paid is the difference of counts, never the order."""

    wanted_minor: int
    reason: str
    tubes_before: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """Never reset while this journal lives: the independent side of the books."""

    sales: int = 0
    sold_minor: int = 0
    cash_in_minor: int = 0
    paid_out_minor: int = 0
    owed_minor: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """Everything the sale knows. What only this run can know is below the line and reset by Booted."""

    prices: PriceList
    stock: dict[str, int]
    phase: Phase = Phase.IDLE
    credit_minor: int = 0
    vend: Vend | None = None
    paying: Paying | None = None
    totals: Totals = field(default_factory=Totals)
    values_minor: tuple[int, ...] = ()
    tubes: tuple[int, ...] = ()
    pending: PriceList | None = None
    # --- this run only
    changer: str = "starting"  # "" = ready, else why not
    board: str = "starting"
    disk_ok: bool = True
    link_up: bool = False
    accepting: bool | None = None  # what the changer was last told
    deadline_s: float | None = None
    message: str = ""  # what the customer is told

    @property
    def held_minor(self) -> int:
        return self.vend.price_minor if self.vend else 0

    def balanced(self) -> bool:
        """Money in = sold + paid out + still owed to somebody, in every reachable state."""
        t = self.totals
        return t.cash_in_minor == (
            t.sold_minor + t.paid_out_minor + t.owed_minor + self.credit_minor + self.held_minor
        )


def add_totals(state: State, **more: int) -> State:
    """The state with running totals raised: `add_totals(s, sales=1, sold_minor=150)`."""
    totals = replace(state.totals, **{k: getattr(state.totals, k) + v for k, v in more.items()})
    return replace(state, totals=totals)
