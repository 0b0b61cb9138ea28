"""Records: what a machine writes in its journal, and the cloud stores one point each.

A record is flat: a header that every kind has, and a body tagged by `kind`. Header and body are read apart: a
record whose body is from the future can still be named in a receipt.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from shared.fields import (
    MAX_INT,
    Claim,
    Code,
    Count,
    Currency,
    Epoch,
    Frozen,
    MachineId,
    Minor,
    Product,
    Seq,
    Slot,
    Tender,
    Text,
    explain,
)
from shared.visit_records import VisitBody

SCHEMA_VERSION: Final = 1


class Header(Frozen):
    """Names a record for ever: (machine, epoch, seq). `at_ns` is UTC and strictly rises with `seq`."""

    v: Count
    machine: MachineId
    epoch: Epoch
    seq: Seq
    at_ns: Count
    clock: Literal["synced", "estimated"]


class TenderAmount(Frozen):
    tender: Tender
    amount_minor: Minor


class Sale(Frozen):
    """A product sold. `price_minor` was asked, `paid_minor` is what all tenders gave: a card may grant a
    discount, free and test vends cost nothing. `doubtful`: power failed while the motor ran, so nobody saw
    whether it dropped.
    """

    kind: Literal["sale"] = "sale"
    slot: Slot
    product: Product
    price_minor: Minor
    paid_minor: Minor
    currency: Currency
    price_version: Count
    tenders: Annotated[tuple[TenderAmount, ...], Field(min_length=1, max_length=8)]
    stock_left: Count
    link_down: bool
    duration_ms: Count
    outcome: Literal["delivered", "doubtful"]


class VendFailed(Frozen):
    """Nothing dropped: cash is credit again, a card does not pay. `reason`: what kept it."""

    kind: Literal["vend_failed"] = "vend_failed"
    slot: Slot
    product: Product
    price_minor: Minor
    currency: Currency
    tender: Tender
    reason: Code


class CashIn(Frozen):
    """A coin or note credited; `type` is the device's number for it.

    `found`: seen by its tube's count after a restart, not by its own event.
    """

    kind: Literal["cash_in"] = "cash_in"
    value_minor: Minor
    currency: Currency
    medium: Literal["coin", "note"]
    type: Annotated[int, Field(ge=0, le=15)]
    route: Literal["tube", "cashbox", "stacker", "recycler"]
    found: bool = False


class Payout(Frozen):
    """Cash given back: `paid_minor` in all, `paid_notes_minor` of it from the recycler."""

    kind: Literal["payout"] = "payout"
    wanted_minor: Minor
    paid_minor: Minor
    paid_notes_minor: Minor = 0
    currency: Currency
    reason: Literal["change", "refund"]


class Refund(Frozen):
    """A card charged for a product that did not drop has its money back."""

    kind: Literal["refund"] = "refund"
    amount_minor: Minor
    currency: Currency


class Revalue(Frozen):
    """Cash that a customer put on a card."""

    kind: Literal["revalue"] = "revalue"
    amount_minor: Minor
    currency: Currency


class Owed(Frozen):
    """Money that could not be given back. The customer holds the code of the claim: credit at this machine,
    once, or the operator pays.
    """

    kind: Literal["owed"] = "owed"
    amount_minor: Minor
    currency: Currency
    reason: Code
    claim: Claim


class ClaimUsed(Frozen):
    """A claim became credit; it is not owed any more."""

    kind: Literal["claim_used"] = "claim_used"
    claim: Claim
    amount_minor: Minor
    currency: Currency


class ClaimPaid(Frozen):
    """The operator paid a claim; it is not owed any more."""

    kind: Literal["claim_paid"] = "claim_paid"
    claim: Claim
    amount_minor: Minor
    currency: Currency


class CoinsLoaded(Frozen):
    """Coins put into the tubes by hand."""

    kind: Literal["coins_loaded"] = "coins_loaded"
    value_minor: Minor
    coins: Count
    currency: Currency


class CoinsTaken(Frozen):
    """Coins taken out of the tubes by hand."""

    kind: Literal["coins_taken"] = "coins_taken"
    value_minor: Minor
    coins: Count
    currency: Currency


class TubesCorrected(Frozen):
    """Tubes hold another value than the books say: coins loaded or taken by hand while nobody looked, or what
    another changer, also the first one, has in its own.
    """

    kind: Literal["tubes_corrected"] = "tubes_corrected"
    difference_minor: Annotated[int, Field(ge=-MAX_INT, le=MAX_INT)]
    currency: Currency


class RecyclerCorrected(Frozen):
    """The recycler holds another value than the books say: notes put in or taken by hand, or another one."""

    kind: Literal["recycler_corrected"] = "recycler_corrected"
    difference_minor: Annotated[int, Field(ge=-MAX_INT, le=MAX_INT)]
    currency: Currency


class Fault(Frozen):
    """`detail`: more than the code says, for people."""

    kind: Literal["fault"] = "fault"
    device: Code
    code: Code
    detail: Text = ""


class FaultCleared(Frozen):
    """A device's trouble is over."""

    kind: Literal["fault_cleared"] = "fault_cleared"
    device: Code
    code: Code


class Boot(Frozen):
    """A start of the edge program; `recovered` names what the last run left unfinished."""

    kind: Literal["boot"] = "boot"
    software: Text
    recovered: Literal["nothing", "vend", "payout", "authorisation", "refund", "revalue"]


class Applied(Frozen):
    """What came into force, between two customers: `config_version` with a config, else with a price list."""

    kind: Literal["applied"] = "applied"
    price_version: Count
    config_version: Count | None = None


class Audit(Frozen):
    """Running totals since the machine's first journal, never reset: the independent side of the books.

    `slots`: count and value of sales by slot. What is neither card, free nor test is cash.
    """

    kind: Literal["audit"] = "audit"
    currency: Currency
    sales: Count
    sold_minor: Minor
    card_sales: Count
    card_sold_minor: Minor
    cash_in_minor: Minor
    card_in_minor: Minor
    paid_out_minor: Minor
    refunded_minor: Minor
    revalued_minor: Minor = 0
    owed_minor: Minor
    redeemed_minor: Minor
    settled_minor: Minor
    credit_minor: Minor
    free_sales: Count = 0
    test_sales: Count = 0
    slots: dict[Slot, tuple[Count, Minor]] = Field(default_factory=dict, max_length=1_000)


Body = (
    Sale
    | VendFailed
    | CashIn
    | Payout
    | Refund
    | Revalue
    | Owed
    | ClaimUsed
    | ClaimPaid
    | CoinsLoaded
    | CoinsTaken
    | TubesCorrected
    | RecyclerCorrected
    | Fault
    | FaultCleared
    | Boot
    | Applied
    | Audit
    | VisitBody
)
_BODY: Final[TypeAdapter[Body]] = TypeAdapter(Annotated[Body, Field(discriminator="kind")])


@dataclass(frozen=True, slots=True)
class Record:
    header: Header
    body: Body


class RecordError(ValueError):
    """A record that cannot be used; `code` is for receipts and counters, the text for people.

    `header` is there when that much could be read: then a receipt can name the record.
    """

    def __init__(self, code: str, text: str, header: Header | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.header = header


def dump_record(header: Header, body: Body) -> dict[str, Any]:
    """The flat map that goes on the wire."""
    return {**header.model_dump(), **body.model_dump()}


def parse_record(raw: object) -> Record:
    """Check one decoded map. Raises RecordError."""
    try:
        header = Header.model_validate(raw)
    except ValidationError as error:
        raise RecordError("bad_header", explain(error)) from None
    if header.v != SCHEMA_VERSION:
        raise RecordError(
            "unsupported_version", f"schema version {header.v}; this side reads {SCHEMA_VERSION}", header
        )
    try:
        return Record(header, _BODY.validate_python(raw))
    except ValidationError as error:
        raise RecordError("bad_body", explain(error), header) from None
