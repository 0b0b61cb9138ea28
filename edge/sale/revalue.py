"""Cash put on a card, where the operator wants that (policy `revalue_cards`): prepaid cards of a canteen.

The reader is asked first how much the card may take, and cash is let in only up to that. What came in is no
credit while the reader has it: then it is on the card, or credit again, or, where nobody can say which, owed
(edge/sale/card.py).
"""

from dataclasses import replace
from typing import Final

from edge.sale import card
from edge.sale import card_events as cev
from edge.sale import effects as act
from edge.sale.state import Phase, State, add_totals, told
from edge.sale.step import Machine, Step
from shared import money
from shared import records as m

ANSWER_LIMIT_S: Final = 120.0  # longer than any reader's own: its driver says first that the reader is lost


def room(_machine: Machine, state: State, event: cev.RevalueLimit, _now_s: float) -> Step:
    """How much the card in the reader may take."""
    known = state.card
    if known is None or known.reader != event.reader:
        return Step(state)
    state = replace(state, card=replace(known, room_minor=event.amount_minor))
    return Step(told(state, f"{state.message}; cash goes on the card") if event.amount_minor else state)


def begin(state: State, now_s: float) -> Step:
    """The credit leaves for the card, once, whatever becomes of the answer."""
    assert state.card is not None
    amount_minor, reader = state.credit_minor, state.card.reader
    state = replace(
        state,
        phase=Phase.REVALUING,
        credit_minor=0,
        card=replace(state.card, revalue_minor=amount_minor),
        deadline_s=now_s + ANSWER_LIMIT_S,
    )
    text = f"{money.text(amount_minor, state.prices.currency)} goes on the card"
    return Step(told(state, text), effects=(act.Revalue(reader, amount_minor),))


def ended(_machine: Machine, state: State, event: cev.RevalueEnded, now_s: float) -> Step:
    known = state.card
    assert known is not None
    if known.reader != event.reader:
        return Step(state)
    amount_minor = known.revalue_minor
    left_minor = max(0, known.room_minor - amount_minor)
    state = replace(state, card=replace(known, revalue_minor=0, room_minor=left_minor))
    if not event.ok:
        state = replace(state, credit_minor=state.credit_minor + amount_minor)
        return card.close(told(state, "the card takes no money"), now_s)
    record = m.Revalue(amount_minor=amount_minor, currency=state.prices.currency)
    state = add_totals(state, revalued_minor=amount_minor)
    state = told(state, f"{money.text(amount_minor, state.prices.currency)} is on the card; choose a product")
    done = _go_on(state, left_minor, now_s)
    return Step(done.state, (record, *done.records), done.effects)


def _go_on(state: State, room_minor: int, now_s: float) -> Step:
    """The card may be gone meanwhile, and coins that were in flight may have fallen."""
    assert state.card is not None
    if not state.card.session or state.credit_minor > room_minor:
        return card.close(state, now_s)
    if state.credit_minor:
        return begin(state, now_s)
    return Step(replace(state, phase=Phase.SESSION, deadline_s=now_s + card.CHOICE_LIMIT_S))


def late(_machine: Machine, state: State, event: cev.RevalueEnded, _now_s: float) -> Step:
    """The word on money that was given up and is owed by now: the operator's loss if it is on the card."""
    if not event.ok:
        return Step(state)
    return Step(state, (m.Fault(device=f"reader_{event.reader}", code="late_revalue"),))
