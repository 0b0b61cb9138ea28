"""Bodies of records about the cabinet and the technician in front of it; shared/records.py has all others."""

from typing import Annotated, Literal

from pydantic import Field

from shared.fields import MAX_INT, Bag, Code, Count, Currency, Frozen, Minor, Product, Slot


class Visit(Frozen):
    """A technician came, or left. Vends in between are tests.

    `door`, `service`: what it is known by, so far: the door was opened, he said that he is here.
    """

    kind: Literal["visit"] = "visit"
    event: Literal["began", "ended"]
    door: bool = False
    service: bool = False


class Door(Frozen):
    """The door was opened, or closed."""

    kind: Literal["door"] = "door"
    open: bool


class Lockout(Frozen):
    """A product group or a slot is not sold any more, or is sold again; `reason` says what made it so.

    `name`: the group or the slot; `all` where the operator locked the machine.
    """

    kind: Literal["lockout"] = "lockout"
    event: Literal["began", "ended"]
    scope: Literal["group", "slot", "machine"]
    name: Product
    reason: Code


class Refill(Frozen):
    """One slot of a refill: `before` is what it held by the books when the technician came to it. `added` is
    negative where products were taken out, and where an earlier refill is taken back.
    """

    kind: Literal["refill"] = "refill"
    slot: Slot
    product: Product
    before: Count
    after: Count
    added: Annotated[int, Field(ge=-MAX_INT, le=MAX_INT)]


class StockCorrected(Frozen):
    """The books had another count than the slot; no product was moved."""

    kind: Literal["stock_corrected"] = "stock_corrected"
    slot: Slot
    product: Product
    before: Count
    after: Count


class Collection(Frozen):
    """Cash box and stacker emptied into a bag: what should be in it, all that came in since the last one.

    `tubes_minor`, `recycler_minor`: the float, which stays in the machine.
    """

    kind: Literal["collection"] = "collection"
    bag: Bag
    cashbox_minor: Minor
    stacker_minor: Minor
    tubes_minor: Minor
    recycler_minor: Minor
    currency: Currency


VisitBody = Visit | Door | Lockout | Refill | StockCorrected | Collection
