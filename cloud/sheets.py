"""Points become rows of a spreadsheet: one table says each sheet's columns, and where each kind has them.

Pure. Amounts are in major units with a decimal point, the currency in a column of its own.
Nothing is rounded, so a column's sum is the books' sum. A text never becomes a formula.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import Enum
from typing import Any, Final

from shared import money

Point = Mapping[str, Any]
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the start of one


class Form(Enum):
    TEXT = "text"
    NUMBER = "whole number"
    AMOUNT = "amount in the currency's major unit"
    FLAG = "true or false"
    TIME = "ISO 8601"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    form: Form
    what: str


@dataclass(frozen=True, slots=True)
class Kind:
    """Where a measurement has the columns. `fields`: by column, unless the field has the column's name.

    `words`: what stands in a column whatever the point. `plus`, `minus`: fields that make `amount`.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """`kinds`: by measurement."""

    name: str
    what: str
    columns: tuple[Column, ...]
    kinds: Mapping[str, Kind]

    @property
    def fields(self) -> dict[str, list[str]]:
        """What is asked for, tags included, by measurement."""
        return {kind: self._fields(of) for kind, of in self.kinds.items()}

    def _fields(self, of: Kind) -> list[str]:
        made = {"time", "what", "amount", *of.words}
        plain = [of.fields.get(c.name, c.name) for c in self.columns if c.name not in made]
        return [*dict.fromkeys((*plain, *of.plus, *of.minus))]

    def cells(self, kind: str, point: Point, zone: tzinfo) -> list[str]:
        """One row. `point` may lack what its machine did not send."""
        of = self.kinds[kind]
        found = {c.name: point.get(of.fields.get(c.name, c.name)) for c in self.columns}
        found |= {"what": kind, **of.words}
        if of.plus or of.minus:
            found["amount"] = sum(point[n] for n in of.plus) - sum(point[n] for n in of.minus)
        return [
            _cell(column.form, found[column.name], point.get("currency"), zone) for column in self.columns
        ]


def _cell(form: Form, value: Any, currency: str | None, zone: tzinfo) -> str:  # noqa: ANN401  # a field
    if value is None or value == "":
        return ""
    match form:
        case Form.TEXT:
            return text(str(value))
        case Form.NUMBER:
            return str(int(value))
        case Form.AMOUNT:
            return money.amount(int(value), currency or "")
        case Form.FLAG:
            return "true" if value else "false"
        case Form.TIME:
            at = datetime.fromtimestamp(int(value) // 10**9, zone).isoformat()
            return at.replace("+00:00", "Z") if zone is UTC else at


def text(value: str) -> str:
    """A cell that is text to every spreadsheet, whatever it begins with."""
    return f"'{value}" if value.startswith(_FORMULA) else value


_TIME: Final = Column("time", Form.TIME, "when, to the second")
_MACHINE: Final = Column("machine", Form.TEXT, "the machine's id")
_SLOT: Final = Column("slot", Form.TEXT, "the slot, or empty")
_PRODUCT: Final = Column("product", Form.TEXT, "the product's id, or empty")
_CURRENCY: Final = Column("currency", Form.TEXT, "ISO 4217 code of the amounts in this row")
# What names the record for ever, and how far its time can be trusted.
_RECORD: Final = (
    Column("clock", Form.TEXT, "synced, or estimated where the machine was not sure of the time"),
    Column("epoch", Form.TEXT, "the machine's journal"),
    Column("seq", Form.NUMBER, "number of the record in that journal"),
)

SHEETS: Final = (
    Sheet(
        "sales",
        "Products sold, one row each.",
        (
            _TIME,
            _MACHINE,
            _SLOT,
            _PRODUCT,
            Column("tender", Form.TEXT, "cash, card, wallet, free or test"),
            Column("price", Form.AMOUNT, "what was asked"),
            Column("paid", Form.AMOUNT, "what was paid: less where a card granted a discount, 0 if free"),
            _CURRENCY,
            Column("price_version", Form.NUMBER, "the price list that was in force"),
            Column("outcome", Form.TEXT, "delivered, or doubtful: power failed while the motor ran"),
            Column("stock_left", Form.NUMBER, "products left in the slot"),
            Column("link_down", Form.FLAG, "the machine had no network"),
            Column("duration_ms", Form.NUMBER, "the motor ran so many milliseconds"),
            *_RECORD,
        ),
        {"sale": Kind({"price": "price_minor", "paid": "paid_minor"})},
    ),
    Sheet(
        "cash",
        "Cash that went into a machine or came out of it; the sum of all is what is in it.",
        (
            _TIME,
            _MACHINE,
            Column("what", Form.TEXT, "kind of the record"),
            Column("amount", Form.AMOUNT, "into the machine, or out of it with a minus sign"),
            _CURRENCY,
            Column("medium", Form.TEXT, "coin or note, where it is one of them"),
            Column("place", Form.TEXT, "tube, cashbox, stacker or recycler, where it is one of them"),
            Column("detail", Form.TEXT, "why it was paid out, or the collection's bag"),
            *_RECORD,
        ),
        {
            "cash_in": Kind({"place": "route"}, plus=("value_minor",)),
            "payout": Kind({"detail": "reason"}, minus=("paid_minor",)),
            "coins_loaded": Kind(words={"medium": "coin", "place": "tube"}, plus=("value_minor",)),
            "coins_taken": Kind(words={"medium": "coin", "place": "tube"}, minus=("value_minor",)),
            "tubes_corrected": Kind(words={"medium": "coin", "place": "tube"}, plus=("difference_minor",)),
            "recycler_corrected": Kind(
                words={"medium": "note", "place": "recycler"}, plus=("difference_minor",)
            ),
            "collection": Kind({"detail": "bag"}, minus=("cashbox_minor", "stacker_minor")),
        },
    ),
    Sheet(
        "stock",
        "What was in each slot, one row a slot each time a machine told.",
        (
            _TIME,
            _MACHINE,
            _SLOT,
            _PRODUCT,
            Column("count", Form.NUMBER, "products in the slot"),
            Column("capacity", Form.NUMBER, "products that fit in"),
            Column("par", Form.NUMBER, "products that should be in after a refill"),
        ),
        {"stock": Kind()},
    ),
    Sheet(
        "refills",
        "Products put in or taken out, and counts put right.",
        (
            _TIME,
            _MACHINE,
            Column("what", Form.TEXT, "refill, or stock_corrected: the count was wrong, nothing was moved"),
            _SLOT,
            _PRODUCT,
            Column("before", Form.NUMBER, "products in the slot by the books"),
            Column("after", Form.NUMBER, "products in the slot now"),
            Column("added", Form.NUMBER, "products put in, or taken out with a minus sign; refills only"),
            *_RECORD,
        ),
        {"refill": Kind(), "stock_corrected": Kind(words={"added": ""})},
    ),
    Sheet(
        "failures",
        "What went wrong: vends, devices, slots not sold, and money owed or refunded for it.",
        (
            _TIME,
            _MACHINE,
            Column("what", Form.TEXT, "kind of the record"),
            Column("subject", Form.TEXT, "the device, slot or group that it is about"),
            Column("reason", Form.TEXT, "why, as the machine codes it"),
            _PRODUCT,
            Column("amount", Form.AMOUNT, "the price of the vend; or what was owed, settled or refunded"),
            _CURRENCY,
            Column("claim", Form.TEXT, "the claim's code, as the customer has it"),
            *_RECORD,
        ),
        {
            "vend_failed": Kind({"subject": "slot"}, plus=("price_minor",)),
            "fault": Kind({"subject": "device", "reason": "code"}),
            "fault_cleared": Kind({"subject": "device", "reason": "code"}),
            "lockout": Kind({"subject": "name"}),
            "owed": Kind(plus=("amount_minor",)),
            "claim_used": Kind(plus=("amount_minor",)),
            "claim_paid": Kind(plus=("amount_minor",)),
            "refund": Kind(plus=("amount_minor",)),
        },
    ),
)
