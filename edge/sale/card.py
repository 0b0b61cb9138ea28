"""Cards: authorised before a motor turns, charged only for what dropped, refunded otherwise.

A reader takes a reset between its approval and our word for a sale, and so do we: after it a product that did
not drop is owed to the customer, because the card cannot be refunded any more.
"""

from dataclasses import replace
from typing import Final

from edge.sale import card_events as cev
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale import payout
from edge.sale.motor import start_motor
from edge.sale.state import STARTING, Card, Phase, Reader, State, Vend, add_totals, told
from edge.sale.step import Machine, Step
from shared import money
from shared import records as m

CHOICE_LIMIT_S: Final = 60.0  # a card in the reader and nothing chosen
ANSWER_LIMIT_S: Final = 120.0  # readers give up by themselves, most after 30 s; this is for one that does not
REFUND_LIMIT_S: Final = 60.0
CLOSE_LIMIT_S: Final = 15.0


def ready(_machine: Machine, state: State, event: cev.CardReady, _now_s: float) -> Step:
    known = state.readers.get(event.reader, Reader())
    fresh = Reader(reason="", always_idle=event.always_idle, reports_cash=event.reports_cash)
    return Step(replace(state, readers={**state.readers, event.reader: fresh}), _back(event.reader, known))


def lost(machine: Machine, state: State, event: cev.CardLost, now_s: float) -> Step:
    known = state.readers.get(event.reader, Reader())
    if known.reason == event.reason:
        return Step(state)
    state = replace(state, readers={**state.readers, event.reader: Reader(reason=event.reason)})
    done = _without_reader(machine, state, event.reader, now_s)
    fault = m.Fault(device=f"reader_{event.reader}", code=fault_code(event.reason))
    return Step(done.state, (*_back(event.reader, known), fault, *done.records), done.effects)


def _back(number: int, known: Reader) -> tuple[m.Body, ...]:
    """The end of the trouble that was told last."""
    if known.reason in {"", STARTING}:
        return ()
    return (m.FaultCleared(device=f"reader_{number}", code=fault_code(known.reason)),)


def _without_reader(machine: Machine, state: State, reader: int, _now_s: float) -> Step:
    """What a reader that is gone leaves behind, in each phase."""
    if state.card is None or state.card.reader != reader:
        return Step(state)
    if state.phase is Phase.VENDING:
        return Step(_sealed(state))
    if state.phase is Phase.REFUNDING:
        return _refund_failed(machine, state, "refund_in_doubt")
    if state.phase is Phase.REVALUING:
        return _revalue_in_doubt(machine, state)
    return Step(told(_leave(state), "card reader " + state.readers[reader].reason))


def _sealed(state: State) -> State:
    """The reader was reset under a vend: its session is gone, and one that begins now ends after the vend."""
    assert state.vend is not None
    assert state.card is not None
    vend, card = replace(state.vend, sealed=True), replace(state.card, session=False)
    return replace(state, vend=vend, card=card)


def began(machine: Machine, state: State, event: cev.SessionBegan, now_s: float) -> Step:
    card = Card(event.reader, session=True)
    text = "choose a product"
    if event.funds_minor is not None:
        text = f"card: {money.text(event.funds_minor, state.prices.currency)}; {text}"
    state = replace(state, phase=Phase.SESSION, card=card, deadline_s=now_s + CHOICE_LIMIT_S)
    asked = (act.AskRevalueLimit(event.reader),) if machine.policy.revalue_cards else ()
    return Step(told(state, text), effects=asked)


def began_elsewhere(_machine: Machine, state: State, event: cev.SessionBegan, _now_s: float) -> Step:
    """A card that came when another customer, or other money, was here first."""
    if state.card is not None and state.card.reader == event.reader:
        return Step(replace(state, card=replace(state.card, session=True)))  # for what was chosen before
    return Step(state, effects=(act.EndSession(event.reader),))


def request(machine: Machine, state: State, reader: int, slot: str, now_s: float) -> Step:
    """Ask for the money of one product."""
    price_minor = state.price_minor(slot, "card")
    state = replace(
        state,
        phase=Phase.AUTHORISING,
        card=Card(reader, session=state.phase is Phase.SESSION, choice=slot),
        deadline_s=now_s + ANSWER_LIMIT_S,
    )
    asked = act.RequestVend(reader, price_minor, machine.items[slot])
    return Step(told(state, f"price {money.text(price_minor, state.prices.currency)}"), effects=(asked,))


def approved(machine: Machine, state: State, event: cev.VendApproved, now_s: float) -> Step:
    """The money is the machine's until the product drops."""
    card = state.card
    if card is None or card.reader != event.reader or card.choice is None:
        return unwanted(machine, state, event, now_s)
    overdue = state.deadline_s is not None and now_s > state.deadline_s
    not_sold = card.choice in state.closed or state.cabinet.locked
    if card.cancelled or overdue or not_sold:  # it came too late
        return _refund(add_totals(state, card_in_minor=event.amount_minor), event.amount_minor, now_s)
    vend = Vend(
        slot=card.choice,
        product=machine.products[card.choice],
        price_minor=state.price_minor(card.choice, "card"),
        price_version=state.prices.version,
        paid_minor=event.amount_minor,
        tender="card",
        started_s=now_s,
        link_down=not state.link_up,
        reader=card.reader,
    )
    return start_motor(add_totals(state, card_in_minor=event.amount_minor), vend, now_s)


def unwanted(_machine: Machine, state: State, event: cev.VendApproved, _now_s: float) -> Step:
    """An approval nobody waits for: it never vends and is always refunded; no money of it is in our books."""
    late = m.Fault(device=f"reader_{event.reader}", code="late_approval")
    return Step(state, (late,), (act.FailVend(event.reader),))


def denied(_machine: Machine, state: State, event: cev.VendDenied, now_s: float) -> Step:
    if state.card is None or state.card.reader != event.reader:
        return Step(state)
    if not state.credit_minor:
        state = told(state, "card refused" + (f": {event.reason}" if event.reason else ""))
    return close(state, now_s)


def ended(_machine: Machine, state: State, event: cev.SessionEnded, _now_s: float) -> Step:
    if state.card is None or state.card.reader != event.reader:
        return Step(state)
    return Step(_leave(state))


def ended_early(_machine: Machine, state: State, event: cev.SessionEnded, _now_s: float) -> Step:
    """The card is gone, and what was bought with it goes on."""
    if state.card is None or state.card.reader != event.reader:
        return Step(state)
    return Step(replace(state, card=replace(state.card, session=False)))


def cancel(_machine: Machine, state: State, _event: ev.Lever, now_s: float) -> Step:
    """The lever while a card is in use (MDB/ICP 7: before the answer it cancels, after it nothing does)."""
    assert state.card is not None
    return withdraw(state) if state.phase is Phase.AUTHORISING else close(state, now_s)


def withdraw(state: State) -> Step:
    """Take back what the reader was asked. It answers all the same, and may have approved already."""
    assert state.card is not None
    cancelled = replace(state, card=replace(state.card, cancelled=True))
    return Step(cancelled, effects=(act.CancelVend(state.card.reader),))


def close(state: State, now_s: float) -> Step:
    """Let the card go, where there is one."""
    assert state.card is not None
    if not state.card.session:
        return Step(_leave(state))
    card = Card(state.card.reader, session=True)
    closing = replace(state, phase=Phase.CLOSING, card=card, deadline_s=now_s + CLOSE_LIMIT_S)
    return Step(told(closing, _last_word(state)), effects=(act.EndSession(state.card.reader),))


def settled(machine: Machine, state: State, vend: Vend, *, delivered: bool, now_s: float) -> Step:
    """The motor's word on a card vend. The sale itself is booked by the caller."""
    assert state.card is not None
    assert vend.reader is not None
    if delivered:
        confirm = act.ConfirmVend(vend.reader, machine.items[vend.slot])
        done = close(state, now_s)
        return Step(done.state, effects=done.effects if vend.sealed else (confirm, *done.effects))
    if vend.sealed:
        owed = payout.owe(machine, state, vend.paid_minor, "refund_impossible")
        done = close(owed.state, now_s)
        return Step(done.state, owed.records, done.effects)
    return _refund(state, vend.paid_minor, now_s)


def _refund(state: State, amount_minor: int, now_s: float) -> Step:
    assert state.card is not None
    card = replace(state.card, choice=None, refund_minor=amount_minor)
    state = replace(state, phase=Phase.REFUNDING, card=card, deadline_s=now_s + REFUND_LIMIT_S)
    return Step(told(state, "not delivered: refunding the card"), effects=(act.FailVend(card.reader),))


def refunded(machine: Machine, state: State, event: cev.RefundEnded, now_s: float) -> Step:
    card = state.card
    if card is None or card.reader != event.reader:
        return Step(state)
    if not event.ok:
        done = _refund_failed(machine, state, "refund_failed")
        return Step(done.state, done.records, (act.EndSession(card.reader),) if card.session else ())
    record = m.Refund(amount_minor=card.refund_minor, currency=state.prices.currency)
    state = add_totals(state, refunded_minor=card.refund_minor)
    state = told(replace(state, card=replace(card, refund_minor=0)), "not delivered: the card is refunded")
    done = close(state, now_s)
    return Step(done.state, (record,), done.effects)


def _refund_failed(machine: Machine, state: State, reason: str) -> Step:
    """The card was charged, nothing dropped, and the money may not be back: the customer gets a code."""
    assert state.card is not None
    amount_minor = state.card.refund_minor
    owed = payout.owe(machine, _leave(state), amount_minor, reason)
    return Step(owed.state, owed.records)


def _revalue_in_doubt(machine: Machine, state: State) -> Step:
    """The customer's cash may be on the card or not, and nobody can say: he gets a code, too."""
    assert state.card is not None
    amount_minor = state.card.revalue_minor
    owed = payout.owe(machine, _leave(state), amount_minor, "revalue_in_doubt")
    return Step(owed.state, owed.records)


def timeout(machine: Machine, state: State, _event: ev.Tick, now_s: float) -> Step:
    """A customer who does not choose, or a reader that does not answer."""
    assert state.card is not None
    if state.phase is Phase.SESSION:
        return close(state, now_s)
    if state.phase is Phase.AUTHORISING:
        return withdraw(replace(state, deadline_s=now_s + ANSWER_LIMIT_S))
    if state.phase is Phase.REFUNDING:
        return _refund_failed(machine, state, "refund_in_doubt")
    if state.phase is Phase.REVALUING:
        return _revalue_in_doubt(machine, state)
    return Step(_leave(state))


def booted(machine: Machine, state: State) -> Step:
    """What a power cut leaves of a card: the reader was reset too."""
    if state.phase is Phase.REFUNDING:
        return _refund_failed(machine, state, "refund_in_doubt")
    if state.phase is Phase.REVALUING:
        return _revalue_in_doubt(machine, state)
    if state.phase is Phase.VENDING and state.card is not None:
        return Step(_sealed(state))
    if state.phase not in {Phase.SESSION, Phase.AUTHORISING, Phase.CLOSING}:
        return Step(state)
    records: tuple[m.Body, ...] = ()
    if state.phase is Phase.AUTHORISING and state.card is not None:
        # It may have approved in the moment the power went; then the customer's bank shows a sale.
        records = (m.Fault(device=f"reader_{state.card.reader}", code="authorisation_in_doubt"),)
    return Step(_leave(state), records)


def _leave(state: State) -> State:
    phase = Phase.CREDIT if state.credit_minor else Phase.IDLE
    return replace(state, phase=phase, card=None, deadline_s=None, message=_last_word(state))


def _last_word(state: State) -> str:
    """Nobody is asked to choose any more when the card is gone."""
    return "" if state.phase is Phase.SESSION else state.message


def fault_code(reason: str) -> str:
    return reason.replace(" ", "_").lower()[:48]
