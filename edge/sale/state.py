"""The sale's state: a frozen value, stored in the journal with every step. Restart reads it back."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

from shared.fields import Tender
from shared.messages import Config, PriceList, Switchable
from shared.schedules import Priced

NOT_FITTED = "not fitted"
STARTING = "starting"


class Phase(StrEnum):
    IDLE = "idle"  # nobody's money is in the machine
    CREDIT = "credit"  # a customer's session: cash credit to spend or to give back
    SESSION = "session"  # a card is in the reader, nothing is chosen
    AUTHORISING = "authorising"  # a reader was asked for the price of a product
    VENDING = "vending"  # a motor is running, or may be
    PAYING = "paying"  # coins or notes are leaving, or may be
    REVALUING = "revaluing"  # a reader was told to put the customer's cash on the card
    REFUNDING = "refunding"  # a reader was told that nothing was delivered
    CLOSING = "closing"  # a reader was told to let the card go


@dataclass(frozen=True, slots=True)
class SlotSetting:
    """One slot as the settings file describes it."""

    slot: str
    product: str
    capacity: int
    par: int


@dataclass(frozen=True, slots=True)
class Vend:
    """A product between money and drop. `paid_minor` is held: no longer credit, not yet a sale.

    It is the price, but for a card that was charged another amount, and for free and test vends, which cost
    nothing. `sealed`: the reader was reset since it approved, and counts this as a sale whatever we say.
    """

    slot: str
    product: str
    price_minor: int
    price_version: int
    paid_minor: int
    tender: Tender
    started_s: float
    link_down: bool
    reader: int | None = None
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """The reader that a customer uses now. `choice`: the slot that was chosen, from asking until the drop.

    `session`: a card is in the reader and must be let go; without one it was asked before it saw a card.
    `cancelled`: the customer changed his mind; an approval that comes all the same is refunded. `room_minor`:
    what the card may be charged up with, 0 where it cannot be or nobody asked.
    """

    reader: int
    session: bool = False
    choice: str | None = None
    cancelled: bool = False
    refund_minor: int = 0  # charged, not delivered, and not yet known to be back on the card
    room_minor: int = 0
    revalue_minor: int = 0  # cash on its way to the card, and not yet known to be there


@dataclass(frozen=True, slots=True)
class Paying:
    """Coins and notes ordered, and the counts before: what was paid is the difference, never the order.

    `cut`: a restart or a loss came in between, so that less may have been ordered than was planned. `lost`:
    another changer or recycler is there now, and nobody can say what the old one paid. `avoid`: coin and note
    types (the latter counted on from the former) that did not come when they were ordered.
    """

    wanted_minor: int
    reason: Literal["change", "refund"]
    plan: tuple[int, ...]
    tubes_before: tuple[int, ...]
    recycled_before: tuple[int, ...] = ()
    coins_open: bool = True
    notes_open: bool = False
    cut: bool = False
    lost: bool = False
    avoid: frozenset[int] = frozenset()
    paid_minor: int = 0
    paid_notes_minor: int = 0


@dataclass(frozen=True, slots=True)
class Stacking:
    """A note that was sent to the stacker and is not known to be there; `bills_before`: notes in it then.

    `cut`: the validator started anew since, and only its counts can tell.
    """

    bill: int
    bills_before: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """What is known of a card reader in this run. `reason`: why it cannot be used; empty when it can."""

    reason: str = STARTING
    always_idle: bool = False
    reports_cash: bool = False
    enabled: bool | None = None  # what it was last told
    range_minor: tuple[int, int] | None = None  # dearest and cheapest product it was last told


@dataclass(frozen=True, slots=True)
class Visit:
    """A technician at the machine: he opened the door, said so, or both.

    `done`: he said that he leaves, and the door is still open. `until_s`: the door was closed again; unless
    he does something more, the visit ends then.
    """

    door: bool = False
    service: bool = False
    done: bool = False
    until_s: float | None = None


@dataclass(frozen=True, slots=True)
class Climate:
    """What is known of the temperature of one product group (edge/sale/climate.py).

    `good_s`: the last reading in range, or what stands for it. `trouble`: on which side the last reading was
    out of range. `lockout`: why the group is not sold until a technician releases it, empty while it is sold;
    `slots` are those it had then. `before_ns`: the last good moment before a power cut whose length is not
    known yet, UTC; `after_s`: the first one after it.
    """

    good_s: float
    trouble: str = ""
    lockout: str = ""
    slots: tuple[str, ...] = ()
    before_ns: int | None = None
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Cabinet:
    """The machine around its devices. `climate`: by product group; `failures`: motor runs in a row that
    failed, by slot. `boot`: the start of the board that monotonic times count from; `clock_ns`: by how much a
    trusted wall clock is ahead of monotonic time in it. `locked`: why the operator sells nothing here, and
    `locked_slots` not those, empty where he does. The last two follow from the rest
    (edge/sale/overdue.py): after `overdue_s` something will have lasted too long.
    """

    visit: Visit | None = None
    door_open: bool = False
    climate: dict[str, Climate] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    boot: str = ""
    clock_ns: int | None = None
    locked: str = ""
    locked_slots: dict[str, str] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    overdue_s: float | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """Never reset while this journal lives: the independent side of the books. `slots`: count and value."""

    sales: int = 0
    sold_minor: int = 0  # what was paid, whatever was asked
    card_sales: int = 0
    card_sold_minor: int = 0
    cash_in_minor: int = 0
    card_in_minor: int = 0
    paid_out_minor: int = 0
    refunded_minor: int = 0  # to cards
    revalued_minor: int = 0  # cash that was put on cards
    owed_minor: int = 0
    redeemed_minor: int = 0  # of what was owed: became credit here
    settled_minor: int = 0  # of what was owed: paid by the operator
    free_sales: int = 0
    test_sales: int = 0
    slots: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """Everything the sale knows. What only this run can know is below the line and reset by Booted."""

    prices: PriceList
    stock: dict[str, int]
    phase: Phase = Phase.IDLE
    credit_minor: int = 0
    vend: Vend | None = None
    card: Card | None = None
    paying: Paying | None = None
    totals: Totals = field(default_factory=Totals)
    values_minor: tuple[int, ...] = ()  # of coin types
    tubes: tuple[int, ...] = ()
    note_values_minor: tuple[int, ...] = ()
    recycled: tuple[int, ...] = ()
    stacking: Stacking | None = None
    stacker_bills: int = 0  # by the validator's count
    pending: PriceList | None = None
    holding: tuple[int, ...] = ()  # schedules of the price list that are in force
    config: Config | None = None  # None: as the settings say
    pending_config: Config | None = None
    holds: dict[str, str] = field(default_factory=dict)  # slots not yet refilled with what is planned
    claims: dict[int, int] = field(default_factory=dict)  # number and amount of what is still owed
    last_claim: int = 0
    wrong_claims: int = 0  # codes entered in a row that were none
    cabinet: Cabinet = field(default_factory=Cabinet)
    cashbox_minor: int = 0  # coins in the cash box since it was last emptied
    stacker_minor: int = 0  # notes in the stacker since then
    # --- this run only
    changer: str = STARTING  # "" = ready, else why not
    validator: str = STARTING
    readers: dict[int, Reader] = field(default_factory=dict)
    board: str = STARTING
    disk_ok: bool = True
    link_up: bool = False
    accepting: bool | None = None  # what the changer was last told
    notes_accepted: frozenset[int] | None = None  # what the validator was last told
    stacker_full: bool = False
    deadline_s: float | None = None
    message: str = ""  # what the customer is told

    @property
    def service(self) -> bool:
        """A technician is here: vends are tests, and no money is taken."""
        return self.cabinet.visit is not None

    @property
    def closed(self) -> dict[str, str]:
        """Slots that are not sold although they hold something, and why, in the customer's words."""
        return self.cabinet.closed

    def price_minor(self, slot: str, tender: Priced) -> int:
        """What this customer is asked. Raises KeyError for a slot that has no price."""
        return self.prices.of(slot, tender, self.holding)

    def off(self, tender: Switchable) -> str:
        """Why the operator wants this tender not to be taken; empty where it may be."""
        return self.config.tenders_off.get(tender, "") if self.config else ""

    @property
    def held_minor(self) -> int:
        on_card = self.card.refund_minor + self.card.revalue_minor if self.card else 0
        return on_card + (self.vend.paid_minor if self.vend else 0)

    def balanced(self) -> bool:
        """Money in = sold + paid out, also to cards, + still owed to somebody, in every reachable state."""
        t = self.totals
        return t.cash_in_minor + t.card_in_minor + t.redeemed_minor == (
            t.sold_minor
            + t.paid_out_minor
            + t.refunded_minor
            + t.revalued_minor
            + t.owed_minor
            + self.credit_minor
            + self.held_minor
        )


def add_totals(state: State, **more: int) -> State:
    """The state with running totals raised: `add_totals(s, sales=1, sold_minor=150)`."""
    totals = replace(state.totals, **{k: getattr(state.totals, k) + v for k, v in more.items()})
    return replace(state, totals=totals)


def with_cabinet(state: State, **changed: Any) -> State:  # noqa: ANN401  # as dataclasses.replace
    return replace(state, cabinet=replace(state.cabinet, **changed))


def told(state: State, message: str) -> State:
    """The state with what the customer is told."""
    return replace(state, message=message)
