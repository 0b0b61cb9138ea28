"""The running totals, as they are written down: every hour, at each start and on both ends of a visit."""

from collections.abc import Sequence

from edge.sale import events as ev
from edge.sale.state import State
from edge.sale.step import Machine, Step
from shared import records as m
from shared.totals import moved


def due(_machine: Machine, state: State, _event: ev.AuditDue, _now_s: float) -> Step:
    return Step(state, (audit(state),))


def audit(state: State) -> m.Audit:
    t = state.totals
    return m.Audit(
        currency=state.prices.currency,
        sales=t.sales,
        sold_minor=t.sold_minor,
        card_sales=t.card_sales,
        card_sold_minor=t.card_sold_minor,
        cash_in_minor=t.cash_in_minor,
        card_in_minor=t.card_in_minor,
        paid_out_minor=t.paid_out_minor,
        refunded_minor=t.refunded_minor,
        revalued_minor=t.revalued_minor,
        owed_minor=t.owed_minor,
        redeemed_minor=t.redeemed_minor,
        settled_minor=t.settled_minor,
        credit_minor=state.credit_minor + state.held_minor,
        free_sales=t.free_sales,
        test_sales=t.test_sales,
        slots=t.slots,
    )


def forked(state: State, old_epoch: str, owed: Sequence[m.Record]) -> tuple[m.Body, ...]:
    """What a new epoch begins with when the journal turned out to be a copy: totals, what moved into it, why.

    In any epoch the totals of two audits differ by the records between them, so the first says what they
    were before what moved, and audits that moved say what they would have said. Credit is today's.
    """
    now = audit(state)
    before = now
    for record in owed:
        before = moved(before, record.body, -1)
    bodies: list[m.Body] = [before]
    running = before
    for record in owed:
        running = moved(running, record.body, 1)
        body = record.body
        if isinstance(body, m.Audit):
            body = running.model_copy(update={"credit_minor": body.credit_minor})
        bodies.append(body)
    detail = f"a copy of journal {old_epoch} was in use; {len(owed)} records have new numbers"
    return (*bodies, m.Fault(device="journal", code="journal_forked", detail=detail), now)
