"""The running totals, as they are written down: every hour, at each start and on both ends of a visit."""

from edge.sale import events as ev
from edge.sale.state import State
from edge.sale.step import Machine, Step
from shared import records as m


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
    )
