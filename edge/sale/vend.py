"""Choosing a product, and what the motor's word means for the money."""

from dataclasses import replace

from edge.sale import card, lockouts, payout, visits
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale.accept import can_change, takes_card
from edge.sale.motor import start_motor
from edge.sale.operator_events import MotorTested
from edge.sale.state import Phase, State, Vend, add_totals, told
from edge.sale.step import Machine, Step
from edge.sale.tenders import words
from shared import money
from shared import records as m
from shared.fields import Tender
from shared.totals import with_sale


def select(machine: Machine, state: State, event: ev.SlotSelected, now_s: float) -> Step:
    """Cash that suffices buys; without any cash a reader that can be asked first is asked."""
    refusal = cannot_sell(state, event.slot)
    if refusal:
        return Step(told(state, refusal))
    if state.service:
        return visits.stayed(machine, _run(machine, state, event.slot, "test", now_s), now_s)
    refusal = cannot_give(state, event.slot)
    if refusal:
        return Step(told(state, refusal))
    reader = _idle_reader(state)
    if not state.credit_minor and reader is not None:
        return card.request(machine, state, reader, event.slot, now_s)
    refusal = _cannot_pay(machine, state, event.slot)
    if refusal:
        return Step(told(state, refusal))
    return _run(machine, state, event.slot, "cash", now_s)


def select_by_card(machine: Machine, state: State, event: ev.SlotSelected, now_s: float) -> Step:
    """A choice while a card is in the reader. Its funds are the reader's business: there are discounts."""
    assert state.card is not None
    refusal = cannot_give(state, event.slot)
    if state.service:
        refusal = "no sale now: a technician is at the machine"
    if refusal:
        return Step(told(state, refusal))
    return card.request(machine, state, state.card.reader, event.slot, now_s)


def free(machine: Machine, state: State, event: ev.FreeVend, now_s: float) -> Step:
    refusal = cannot_give(state, event.slot)
    if refusal:
        return Step(told(state, refusal))
    return _run(machine, state, event.slot, "free", now_s)


def test(machine: Machine, state: State, event: MotorTested, now_s: float) -> Step:
    refusal = cannot_test(machine, state, event.slot)
    if refusal:
        return Step(told(state, refusal))
    return _run(machine, state, event.slot, "test", now_s)


def _run(machine: Machine, state: State, slot: str, tender: Tender, now_s: float) -> Step:
    price_minor = state.price_minor(slot, "cash")
    paid_minor = price_minor if tender == "cash" else 0
    vend = Vend(
        slot=slot,
        product=machine.products[slot],
        price_minor=price_minor,
        price_version=state.prices.version,
        paid_minor=paid_minor,
        tender=tender,
        started_s=now_s,
        link_down=not state.link_up,
    )
    return start_motor(replace(state, credit_minor=state.credit_minor - paid_minor), vend, now_s)


def _idle_reader(state: State) -> int | None:
    """A reader that takes a price before it has seen a card."""
    ready = (
        number
        for number, reader in state.readers.items()
        if not reader.reason and reader.always_idle and takes_card(state, number)
    )
    return next(ready, None)


def cannot_give(state: State, slot: str) -> str:
    """Why no customer can have this product now, in his words; empty when one can."""
    if state.cabinet.locked:
        return f"out of service: {state.cabinet.locked}"
    return cannot_sell(state, slot) or state.closed.get(slot, "")


def cannot_test(machine: Machine, state: State, slot: str) -> str:
    """Why this motor cannot be tried from afar, where anybody may take what drops."""
    return cannot_sell(state, slot) or lockouts.withheld(machine, state).get(slot, "")


def cannot_sell(state: State, slot: str) -> str:
    """Why nobody can have this product now, not even as a test."""
    if slot not in state.prices.prices or slot not in state.stock:
        return "no such selection"
    if not state.disk_ok:
        return "out of service: journal disk full"
    if state.board:
        return "out of service: " + words("motor board", state.board)
    return "sold out" if state.stock[slot] == 0 else ""


def _cannot_pay(machine: Machine, state: State, slot: str) -> str:
    """Why this customer's cash does not buy it; empty when it does."""
    price_minor = state.price_minor(slot, "cash")
    if state.credit_minor < price_minor:
        return "price " + money.text(price_minor, state.prices.currency)
    change_minor = state.credit_minor - price_minor
    if not change_minor or can_change(state, machine.policy, change_minor):
        return ""
    if machine.policy.without_change == "owe":
        return ""
    if state.changer:
        return "no change now: " + words("coin changer", state.changer)
    return "no change: insert the exact amount"


# --- the motor's word -------------------------------------------------------------------------------------


def ended(machine: Machine, state: State, event: ev.VendEnded, now_s: float) -> Step:
    vend = state.vend
    assert vend is not None
    if event.slot != vend.slot:
        return Step(state, (m.Fault(device="board", code="other_slot_answered"),))
    state, lockout = lockouts.after_run(machine, state, vend.slot, event.result)
    delivered = event.result is ev.VendResult.DELIVERED
    done = (
        _sold(machine, state, vend, "delivered", now_s)
        if delivered
        else _failed(machine, state, vend, event.result, now_s)
    )
    return Step(done.state, (*done.records, *lockout), done.effects)


def _failed(machine: Machine, state: State, vend: Vend, result: ev.VendResult, now_s: float) -> Step:
    failed = m.VendFailed(
        slot=vend.slot,
        product=vend.product,
        price_minor=vend.price_minor,
        currency=state.prices.currency,
        tender=vend.tender,
        reason=result.value,
    )
    state = told(
        replace(state, phase=Phase.CREDIT, vend=None, deadline_s=None),
        "not delivered: choose again or take your money back",
    )
    if vend.tender == "card":
        done = card.settled(machine, state, vend, delivered=False, now_s=now_s)
        return Step(done.state, (failed, *done.records), done.effects)
    state = replace(state, credit_minor=state.credit_minor + vend.paid_minor)
    return Step(state if state.credit_minor else replace(state, phase=Phase.IDLE), (failed,))


def silent(machine: Machine, state: State, _event: ev.Tick, now_s: float) -> Step:
    """Nobody can say whether the product dropped: booked once, marked, and never dispensed again."""
    assert state.vend is not None
    return _sold(machine, state, state.vend, "doubtful", now_s)


def _sold(machine: Machine, state: State, vend: Vend, outcome: str, now_s: float) -> Step:
    stock = {**state.stock, vend.slot: max(0, state.stock.get(vend.slot, 0) - 1)}
    sale = m.Sale(
        slot=vend.slot,
        product=vend.product,
        price_minor=vend.price_minor,
        paid_minor=vend.paid_minor,
        currency=state.prices.currency,
        price_version=vend.price_version,
        tenders=(m.TenderAmount(tender=vend.tender, amount_minor=vend.paid_minor),),
        stock_left=stock[vend.slot],
        link_down=vend.link_down,
        duration_ms=max(0, round((now_s - vend.started_s) * 1000)),
        outcome="delivered" if outcome == "delivered" else "doubtful",
    )
    state = told(replace(state, vend=None, deadline_s=None, stock=stock, phase=Phase.CREDIT), "thank you")
    state = add_totals(state, sales=1, sold_minor=vend.paid_minor)
    slots = with_sale(state.totals.slots, vend.slot, vend.paid_minor)
    state = replace(state, totals=replace(state.totals, slots=slots))
    if vend.tender in {"free", "test"}:
        state = add_totals(state, **{f"{vend.tender}_sales": 1})
    if vend.tender == "card":
        state = add_totals(state, card_sales=1, card_sold_minor=vend.paid_minor)
        done = card.settled(machine, state, vend, delivered=True, now_s=now_s)
        return Step(done.state, (sale, *done.records), done.effects)
    done = payout.start(machine, state, "change")
    return Step(done.state, (sale, *done.records), (*done.effects, *_reports(machine, state, vend)))


def _reports(machine: Machine, state: State, vend: Vend) -> tuple[act.Effect, ...]:
    """Readers that keep books of their own are told of cash sales."""
    if vend.tender != "cash":
        return ()
    return tuple(
        act.ReportCashSale(number, vend.price_minor, machine.items[vend.slot])
        for number, reader in state.readers.items()
        if reader.reports_cash and not reader.reason
    )


def late(_machine: Machine, state: State, event: ev.VendEnded, _now_s: float) -> Step:
    """The word on a run that is settled already: written down for the operator, no money moves."""
    return Step(state, (m.Fault(device="board", code=f"late_{event.result.value}"),))
