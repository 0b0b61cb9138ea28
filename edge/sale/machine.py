"""The sale: one pure function over a table in which every (phase, event) cell is decided.

`step` takes the state and one event and returns the next state, the records to write down and the effects to
carry out once both are on stable storage. Nothing here does I/O or knows the time but by its argument.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale import payout
from edge.sale.change import coins_for, worth
from edge.sale.state import Phase, State, Vend, add_totals
from shared import messages as m
from shared import money

VEND_LIMIT_S: Final = (
    20.0  # a motor board gives up after 15 s; without any word after this the sale is doubtful
)


@dataclass(frozen=True, slots=True)
class Step:
    state: State
    records: tuple[m.Body, ...] = ()
    effects: tuple[act.Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine is, as against what happens to it. `products` by slot."""

    products: Mapping[str, str]
    software: str


def step(machine: Machine, state: State, event: ev.Event, now_s: float) -> Step:
    """Decide one event. Raises KeyError for an event type without a row: that is a mistake of ours."""
    done = TABLE[type(event)][state.phase](machine, state, event, now_s)
    return _settle(done)


def _settle(done: Step) -> Step:
    """What holds after every step: new prices between customers, coins only when they can be used."""
    state, records, effects = done.state, done.records, done.effects
    if state.phase is Phase.IDLE and state.pending is not None:
        state = replace(state, prices=state.pending, pending=None)
        records = (*records, m.Applied(price_version=state.prices.version))
    wanted = accepts_coins(state)
    if not state.changer and wanted != state.accepting:
        state = replace(state, accepting=wanted)
        effects = (*effects, act.AcceptCoins(wanted))
    assert state.balanced(), state
    return Step(state, records, effects)


def accepts_coins(state: State) -> bool:
    """More money helps: something may be sold, and there is something that costs more than the credit."""
    if state.changer or state.board or not state.disk_ok or state.phase not in {Phase.IDLE, Phase.CREDIT}:
        return False
    dearest = max((p for s, p in state.prices.prices.items() if state.stock.get(s, 0) > 0), default=0)
    return state.credit_minor < dearest


# --- the customer -----------------------------------------------------------------------------------------


def _coin(_machine: Machine, state: State, event: ev.CoinIn, _now_s: float) -> Step:
    tubes = payout.with_count(state.tubes, event.coin, event.in_tube)
    paying = state.paying
    if paying is not None and event.route is ev.Route.TUBE:
        # It fell in while others fall out: without this the difference of counts would miss one paid coin.
        before = paying.tubes_before
        paying = replace(paying, tubes_before=payout.with_count(before, event.coin, before[event.coin] + 1))
    state = add_totals(
        replace(state, tubes=tubes, paying=paying, credit_minor=state.credit_minor + event.value_minor),
        cash_in_minor=event.value_minor,
    )
    if state.phase is Phase.IDLE:
        state = replace(state, phase=Phase.CREDIT)
    record = m.CashIn(
        value_minor=event.value_minor,
        currency=state.prices.currency,
        coin=event.coin,
        route="tube" if event.route is ev.Route.TUBE else "cashbox",
    )
    return Step(replace(state, message=_credit_text(state)), (record,))


def _select(machine: Machine, state: State, event: ev.SlotSelected, now_s: float) -> Step:
    refusal = _refusal(state, event.slot)
    if refusal:
        return Step(replace(state, message=refusal))
    price_minor = state.prices.prices[event.slot]
    vend = Vend(
        slot=event.slot,
        product=machine.products[event.slot],
        price_minor=price_minor,
        price_version=state.prices.version,
        started_s=now_s,
        link_down=not state.link_up,
    )
    state = replace(
        state,
        phase=Phase.VENDING,
        credit_minor=state.credit_minor - price_minor,
        vend=vend,
        deadline_s=now_s + VEND_LIMIT_S,
        message="vending",
    )
    return Step(state, effects=(act.RunMotor(event.slot),))


def _refusal(state: State, slot: str) -> str:  # noqa: PLR0911  # one line a reason
    """Why this slot cannot be sold now, in the customer's words; empty when it can."""
    price_minor = state.prices.prices.get(slot)
    if price_minor is None or slot not in state.stock:
        return "no such selection"
    if not state.disk_ok:
        return "out of service: journal disk full"
    if state.board:
        return "out of service: motor board " + state.board
    if state.stock[slot] == 0:
        return "sold out"
    if state.credit_minor < price_minor:
        return "price " + money.text(price_minor, state.prices.currency)
    change_minor = state.credit_minor - price_minor
    if change_minor:
        if state.changer:
            return "no change now: changer " + state.changer
        coins = coins_for(change_minor, state.values_minor, state.tubes)
        if worth(coins, state.values_minor) != change_minor:
            return "no change: insert the exact amount"
    return ""


def _lever(_machine: Machine, state: State, _event: ev.Lever, _now_s: float) -> Step:
    return Step(*payout.start(state, "refund"))


# --- the motor --------------------------------------------------------------------------------------------


def _vend_ended(_machine: Machine, state: State, event: ev.VendEnded, now_s: float) -> Step:
    vend = state.vend
    assert vend is not None
    if event.slot != vend.slot:
        return Step(state, (m.Fault(device="board", code="other_slot_answered"),))
    if event.result is ev.VendResult.DELIVERED:
        return _sold(state, vend, "delivered", now_s)
    failed = m.VendFailed(
        slot=vend.slot,
        product=vend.product,
        price_minor=vend.price_minor,
        currency=state.prices.currency,
        reason=event.result.value,
    )
    state = replace(
        state,
        phase=Phase.CREDIT,
        vend=None,
        deadline_s=None,
        credit_minor=state.credit_minor + vend.price_minor,
        message="not delivered: choose again or take your money back",
    )
    return Step(state, (failed,))


def _vend_silent(_machine: Machine, state: State, _event: ev.Tick, now_s: float) -> Step:
    """Nobody can say whether the product dropped: booked once, marked, and never dispensed again."""
    assert state.vend is not None
    return _sold(state, state.vend, "doubtful", now_s)


def _sold(state: State, vend: Vend, outcome: str, now_s: float) -> Step:
    stock = {**state.stock, vend.slot: max(0, state.stock.get(vend.slot, 0) - 1)}
    sale = m.Sale(
        slot=vend.slot,
        product=vend.product,
        price_minor=vend.price_minor,
        currency=state.prices.currency,
        price_version=vend.price_version,
        tenders=(m.TenderAmount(tender="cash", amount_minor=vend.price_minor),),
        stock_left=stock[vend.slot],
        link_down=vend.link_down,
        duration_ms=max(0, round((now_s - vend.started_s) * 1000)),
        outcome="delivered" if outcome == "delivered" else "doubtful",
    )
    state = replace(state, vend=None, deadline_s=None, stock=stock, phase=Phase.CREDIT, message="thank you")
    state = add_totals(state, sales=1, sold_minor=vend.price_minor)
    state, records, effects = payout.start(state, "change")
    return Step(state, (sale, *records), effects)


# --- the devices, the link, the disk ----------------------------------------------------------------------


def _payout_ended(_machine: Machine, state: State, event: ev.PayoutEnded, _now_s: float) -> Step:
    return Step(*payout.end(state, event.tubes))


def _payout_unasked(_machine: Machine, state: State, event: ev.PayoutEnded, _now_s: float) -> Step:
    return Step(*payout.recount(state, event.tubes))


def _changer_ready(_machine: Machine, state: State, event: ev.ChangerReady, _now_s: float) -> Step:
    same = event.values_minor == state.values_minor
    state = replace(state, changer="", accepting=None, values_minor=event.values_minor)
    if not same:  # the first changer ever, or another one: its tubes say nothing about ours
        if state.paying is None:
            return Step(replace(state, tubes=event.tubes))
        # Nobody can say what the old one paid: all of it stays owed.
        ended, records, effects = payout.end(state, state.paying.tubes_before)
        return Step(replace(ended, tubes=event.tubes), records, effects)
    if state.paying is not None:
        return Step(*payout.end(state, event.tubes))
    return Step(*payout.recount(state, event.tubes))


def _changer_lost(_machine: Machine, state: State, event: ev.ChangerLost, _now_s: float) -> Step:
    if state.changer == event.reason:
        return Step(state)
    return Step(replace(state, changer=event.reason), (m.Fault(device="changer", code="offline"),))


def _board_ready(_machine: Machine, state: State, _event: ev.BoardReady, _now_s: float) -> Step:
    return Step(replace(state, board=""))


def _board_lost(_machine: Machine, state: State, event: ev.BoardLost, _now_s: float) -> Step:
    if state.board == event.reason:
        return Step(state)
    return Step(replace(state, board=event.reason), (m.Fault(device="board", code="offline"),))


def _fault(_machine: Machine, state: State, event: ev.DeviceFault, _now_s: float) -> Step:
    return Step(state, (m.Fault(device=event.device, code=event.code),))


def _fault_cleared(_machine: Machine, state: State, event: ev.DeviceFaultCleared, _now_s: float) -> Step:
    return Step(state, (m.FaultCleared(device=event.device, code=event.code),))


def _late_vend(_machine: Machine, state: State, event: ev.VendEnded, _now_s: float) -> Step:
    """The word on a run that is settled already: written down for the operator, no money moves."""
    return Step(state, (m.Fault(device="board", code=f"late_{event.result.value}"),))


def _link(_machine: Machine, state: State, event: ev.LinkChanged, _now_s: float) -> Step:
    return Step(replace(state, link_up=event.up))


def _disk(_machine: Machine, state: State, event: ev.DiskChanged, _now_s: float) -> Step:
    return Step(replace(state, disk_ok=event.ok))


def _prices(_machine: Machine, state: State, event: ev.PricesWanted, _now_s: float) -> Step:
    return Step(replace(state, pending=event.prices))


def _audit(_machine: Machine, state: State, _event: ev.AuditDue, _now_s: float) -> Step:
    return Step(state, (audit(state),))


def audit(state: State) -> m.Audit:
    t = state.totals
    return m.Audit(
        currency=state.prices.currency,
        sales=t.sales,
        sold_minor=t.sold_minor,
        cash_in_minor=t.cash_in_minor,
        paid_out_minor=t.paid_out_minor,
        owed_minor=t.owed_minor,
        credit_minor=state.credit_minor + state.held_minor,
    )


def _booted(machine: Machine, state: State, _event: ev.Booted, now_s: float) -> Step:
    """What the last run left: tubes verify a payout, a vend waits once more for the board's word."""
    recovered = {Phase.VENDING: "vend", Phase.PAYING: "payout"}.get(state.phase, "nothing")
    vend = replace(state.vend, started_s=now_s) if state.vend else None
    state = replace(
        state,
        vend=vend,
        changer="starting",
        board="starting",
        disk_ok=True,
        link_up=False,
        accepting=None,
        deadline_s=now_s + VEND_LIMIT_S if vend else None,
        message="",
    )
    boot = m.Boot.model_validate({"software": machine.software, "recovered": recovered})
    return Step(state, (boot, audit(state)))


def _nothing(_machine: Machine, state: State, _event: ev.Event, _now_s: float) -> Step:
    return Step(state)


def _credit_text(state: State) -> str:
    return "credit " + money.text(state.credit_minor, state.prices.currency)


# --- the table --------------------------------------------------------------------------------------------

_Handler = Callable[..., Step]


def _always(handler: _Handler) -> dict[Phase, _Handler]:
    return dict.fromkeys(Phase, handler)


def _only(handlers: Mapping[Phase, _Handler], otherwise: _Handler = _nothing) -> dict[Phase, _Handler]:
    return {phase: handlers.get(phase, otherwise) for phase in Phase}


TABLE: Final[dict[type, dict[Phase, _Handler]]] = {
    ev.Booted: _always(_booted),
    ev.CoinIn: _always(_coin),  # money is never unexpected
    ev.Lever: _only({Phase.CREDIT: _lever}),
    ev.SlotSelected: _only({Phase.IDLE: _select, Phase.CREDIT: _select}),
    ev.VendEnded: _only({Phase.VENDING: _vend_ended}, otherwise=_late_vend),
    ev.Tick: _only({Phase.VENDING: _vend_silent}),
    ev.PayoutEnded: _only({Phase.PAYING: _payout_ended}, otherwise=_payout_unasked),
    ev.ChangerReady: _always(_changer_ready),
    ev.ChangerLost: _always(_changer_lost),
    ev.BoardReady: _always(_board_ready),
    ev.BoardLost: _always(_board_lost),
    ev.DeviceFault: _always(_fault),
    ev.DeviceFaultCleared: _always(_fault_cleared),
    ev.LinkChanged: _always(_link),
    ev.DiskChanged: _always(_disk),
    ev.PricesWanted: _always(_prices),
    ev.AuditDue: _always(_audit),
}
