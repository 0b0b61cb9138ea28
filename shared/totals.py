"""The running totals of an audit, and the records that each is the sum of: the books are checked with it.

A total that is missing here follows from the others (what was charged to cards), or is a state (credit).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.records import Audit, Body, Sale


@dataclass(frozen=True, slots=True)
class Total:
    """`name` is the sum of `field` over all records of `kind`, of one tender where that is said.

    Without a field it is their count.
    """

    name: str
    kind: str
    field: str | None
    tender: str | None = None


TOTALS: Final = (
    Total("sales", "sale", None),
    Total("sold_minor", "sale", "paid_minor"),
    Total("card_sales", "sale", None, "card"),
    Total("card_sold_minor", "sale", "paid_minor", "card"),
    Total("free_sales", "sale", None, "free"),
    Total("test_sales", "sale", None, "test"),
    Total("cash_in_minor", "cash_in", "value_minor"),
    Total("paid_out_minor", "payout", "paid_minor"),
    Total("refunded_minor", "refund", "amount_minor"),
    Total("revalued_minor", "revalue", "amount_minor"),
    Total("owed_minor", "owed", "amount_minor"),
    Total("redeemed_minor", "claim_used", "amount_minor"),
    Total("settled_minor", "claim_paid", "amount_minor"),
)


def moved(audit: Audit, body: Body, sign: int) -> Audit:
    """The totals with one record more (1) or less (-1)."""
    tender = body.tenders[0].tender if isinstance(body, Sale) else None
    changed: dict[str, Any] = {
        total.name: getattr(audit, total.name) + sign * (getattr(body, total.field) if total.field else 1)
        for total in TOTALS
        if total.kind == body.kind and total.tender in {None, tender}
    }
    if isinstance(body, Sale):
        changed["slots"] = with_sale(audit.slots, body.slot, body.paid_minor, sign)
    return audit.model_copy(update=changed)


def with_sale(
    slots: Mapping[str, tuple[int, int]], slot: str, paid_minor: int, sign: int = 1
) -> dict[str, tuple[int, int]]:
    """Count and value by slot, with one sale more or less."""
    sales, sold_minor = slots.get(slot, (0, 0))
    return {**slots, slot: (sales + sign, sold_minor + sign * paid_minor)}
