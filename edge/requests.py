"""What a technician may ask a running machine for, as it comes through his socket (docs/local.md)."""

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from edge.sale import visit_events as vev
from edge.sale.events import FreeVend, ServiceChanged, TechnicianEvent
from shared.fields import Bag, Claim, Count, Frozen, Product, Slot

Counts = Annotated[dict[Slot, Count], Field(max_length=1_000)]


class Visit(Frozen):
    kind: Literal["visit"] = "visit"
    here: bool

    def event(self) -> TechnicianEvent:
        return ServiceChanged(self.here)


class Refill(Frozen):
    """What is in these slots now; `others_to_par`: all the others were filled to their par."""

    kind: Literal["refill"] = "refill"
    counts: Counts = Field(default_factory=dict)
    others_to_par: bool = False

    def event(self) -> TechnicianEvent:
        return vev.Refilled(self.counts, self.others_to_par)


class Stock(Frozen):
    """What is in these slots really, though nothing was moved."""

    kind: Literal["stock"] = "stock"
    counts: Annotated[Counts, Field(min_length=1)]

    def event(self) -> TechnicianEvent:
        return vev.StockSet(self.counts)


class Collect(Frozen):
    kind: Literal["collect"] = "collect"
    bag: Bag

    def event(self) -> TechnicianEvent:
        return vev.Collected(self.bag)


class ReleaseGroup(Frozen):
    kind: Literal["release_group"] = "release_group"
    group: Product

    def event(self) -> TechnicianEvent:
        return vev.GroupReleased(self.group)


class ReleaseSlot(Frozen):
    kind: Literal["release_slot"] = "release_slot"
    slot: Slot

    def event(self) -> TechnicianEvent:
        return vev.SlotReleased(self.slot)


class PayClaim(Frozen):
    kind: Literal["pay_claim"] = "pay_claim"
    claim: Claim

    def event(self) -> TechnicianEvent:
        return vev.ClaimPaid(self.claim)


class Free(Frozen):
    kind: Literal["free"] = "free"
    slot: Slot

    def event(self) -> FreeVend:
        return FreeVend(self.slot)


Request = Visit | Refill | Stock | Collect | ReleaseGroup | ReleaseSlot | PayClaim | Free
REQUEST: Final[TypeAdapter[Request]] = TypeAdapter(Annotated[Request, Field(discriminator="kind")])
