"""The sale: one pure function over a table in which every (phase, event) cell is decided.

`step` takes the state and one event and returns the next state, the records to write down and the effects to
carry out once both are on stable storage. Nothing here does I/O or knows the time but by its argument.
"""

from collections.abc import Callable, Mapping
from typing import Final

from edge.sale import (
    audit,
    card,
    cash,
    climate,
    collection,
    devices,
    lockouts,
    operator,
    overdue,
    payout,
    revalue,
    stock,
    vend,
    visits,
)
from edge.sale import card_events as cev
from edge.sale import events as ev
from edge.sale import operator_events as op
from edge.sale import visit_events as vev
from edge.sale.accept import let_in
from edge.sale.state import Phase, State
from edge.sale.step import Machine, Step
from edge.sale.technician import asked
from edge.sale.wanted import planned, taken


def step(fitted: Machine, state: State, event: ev.Event, now_s: float) -> Step:
    """Decide one event. Raises KeyError for an event type without a row: that is a mistake of ours.

    `fitted`: the machine of its settings file; what is wanted of it is in the state.
    """
    machine = planned(fitted, state)
    # a restart's time may be another boot's
    judged = (state, ()) if isinstance(event, ev.Booted) else overdue.judged(machine, state, now_s)
    state, late = judged
    decide = TABLE[type(event)][state.phase]
    done = decide(machine, state, event, now_s)
    assert done.state.phase is state.phase or done.state.phase in MOVES.get(decide, ()), (
        decide,
        state,
        event,
    )
    done = _settle(fitted, machine, state, done, now_s)
    return Step(done.state, (*late, *done.records), done.effects)


def _settle(fitted: Machine, machine: Machine, before: State, done: Step, now_s: float) -> Step:
    """What holds after every step: what is wanted between customers, money only when it can be used."""
    state, records = overdue.refreshed(machine, before, done.state), done.records
    if state.phase is Phase.IDLE:
        state, news = taken(fitted, state, now_s)
        records = (*records, *news)
    if state.config is not before.config:
        machine = planned(fitted, state)
    state, effects = let_in(state, machine.policy)
    assert state.balanced(), state
    # What is let in comes first: no coin falls into a payout that has begun, and the changer's driver takes
    # AcceptCoins for the word that its start was read.
    return Step(state, records, (*effects, *done.effects))


def _nothing(_machine: Machine, state: State, _event: ev.Event, _now_s: float) -> Step:
    return Step(state)


_Handler = Callable[..., Step]


def _always(handler: _Handler) -> dict[Phase, _Handler]:
    return dict.fromkeys(Phase, handler)


def _only(handlers: Mapping[Phase, _Handler], otherwise: _Handler = _nothing) -> dict[Phase, _Handler]:
    return {phase: handlers.get(phase, otherwise) for phase in Phase}


_IDLE, _CREDIT, _SESSION, _AUTHORISING = Phase.IDLE, Phase.CREDIT, Phase.SESSION, Phase.AUTHORISING
_VENDING, _PAYING, _REFUNDING, _CLOSING = Phase.VENDING, Phase.PAYING, Phase.REFUNDING, Phase.CLOSING
_REVALUING = Phase.REVALUING

TABLE: Final[dict[type, dict[Phase, _Handler]]] = {
    ev.Booted: _always(devices.booted),
    # money is never unexpected
    ev.CoinIn: _always(cash.coin),
    ev.BillIn: _always(cash.bill),
    ev.BillEscrowed: _always(cash.escrowed),
    ev.BillReturned: _always(cash.returned),
    ev.Lever: _only({_CREDIT: cash.lever, _SESSION: card.cancel, _AUTHORISING: card.cancel}),
    ev.ClaimEntered: _only({_IDLE: cash.claim, _CREDIT: cash.claim}),
    ev.SlotSelected: _only({_IDLE: vend.select, _CREDIT: vend.select, _SESSION: vend.select_by_card}),
    ev.FreeVend: _only({_IDLE: vend.free}),
    ev.VendEnded: _only({_VENDING: vend.ended}, otherwise=vend.late),
    ev.Tick: _only(
        {
            _VENDING: vend.silent,
            _SESSION: card.timeout,
            _AUTHORISING: card.timeout,
            _REVALUING: card.timeout,
            _REFUNDING: card.timeout,
            _CLOSING: card.timeout,
            _PAYING: payout.gave_up,
        }
    ),
    # cards
    cev.CardReady: _always(card.ready),
    cev.CardLost: _always(card.lost),
    cev.SessionBegan: _only({_IDLE: card.began}, otherwise=card.began_elsewhere),
    cev.VendApproved: _only({_AUTHORISING: card.approved}, otherwise=card.unwanted),
    cev.VendDenied: _only({_AUTHORISING: card.denied}),
    cev.RefundEnded: _only({_REFUNDING: card.refunded}),
    cev.SessionEnded: _only({_SESSION: card.ended, _CLOSING: card.ended}, otherwise=card.ended_early),
    cev.RevalueLimit: _only({_SESSION: revalue.room}),
    cev.RevalueEnded: _only({_REVALUING: revalue.ended}, otherwise=revalue.late),
    # the other devices
    ev.PayoutEnded: _always(devices.payout_ended),
    ev.BillPayoutEnded: _always(devices.bill_payout_ended),
    ev.ChangerReady: _always(devices.changer_ready),
    ev.ChangerLost: _always(devices.changer_lost),
    ev.CoinsLoaded: _always(devices.coins_by_hand),
    ev.CoinsTaken: _always(devices.coins_by_hand),
    ev.BillsReady: _always(devices.bills_ready),
    ev.BillsLost: _always(devices.bills_lost),
    ev.RecyclerChanged: _always(devices.recycler_changed),
    ev.StackerChanged: _always(devices.stacker),
    ev.BoardReady: _always(devices.board_ready),
    ev.BoardLost: _always(devices.board_lost),
    ev.DeviceFault: _always(devices.fault),
    ev.DeviceFaultCleared: _always(devices.fault_cleared),
    # the machine around it
    ev.LinkChanged: _always(devices.link),
    ev.DiskChanged: _always(devices.disk),
    ev.PricesWanted: _always(devices.prices),
    ev.ConfigWanted: _always(devices.config),
    ev.PricesDue: _always(_nothing),  # what holds is looked at after every step
    ev.AuditDue: _always(audit.due),
    # the cabinet, and the technician in front of it
    vev.DoorChanged: _always(visits.door),
    ev.ServiceChanged: _always(visits.service),
    vev.ClaimPaid: _always(asked(cash.claim_paid)),
    vev.Refilled: _always(asked(stock.refilled)),
    vev.StockSet: _always(asked(stock.corrected)),
    vev.Collected: _always(asked(collection.collected)),
    vev.GroupReleased: _always(asked(climate.release)),
    vev.SlotReleased: _always(asked(lockouts.release)),
    vev.TemperatureRead: _always(climate.read),
    vev.ClockSet: _always(climate.clock_set),
    vev.Overdue: _always(_nothing),
    # the operator, from afar
    op.Locked: _always(operator.lock),
    op.Unlocked: _always(operator.unlock),
    op.MotorTested: _only({_IDLE: vend.test}),
    op.ClaimCredited: _only({_IDLE: cash.claim_credited, _CREDIT: cash.claim_credited}),
}

_FREE: Final = (_IDLE, _CREDIT)  # no customer, or one whose cash waits

# Where each decision may lead; all others stay in their phase. docs/sale.md is printed from both tables.
MOVES: Final[dict[_Handler, tuple[Phase, ...]]] = {
    devices.booted: _FREE,
    cash.coin: (_CREDIT, _REVALUING),
    cash.bill: (_CREDIT, _REVALUING),
    cash.claim: (_CREDIT,),
    cash.claim_credited: (_CREDIT,),
    cash.lever: (*_FREE, _PAYING),
    vend.select: (_VENDING, _AUTHORISING),
    vend.select_by_card: (_AUTHORISING,),
    vend.free: (_VENDING,),
    vend.test: (_VENDING,),
    vend.ended: (*_FREE, _PAYING, _REFUNDING, _CLOSING),
    vend.silent: (*_FREE, _PAYING, _CLOSING),
    card.began: (_SESSION,),
    card.approved: (_VENDING, _REFUNDING),
    card.denied: (*_FREE, _CLOSING),
    card.refunded: (*_FREE, _CLOSING),
    card.ended: _FREE,
    revalue.ended: (*_FREE, _SESSION, _CLOSING),
    card.lost: _FREE,
    card.cancel: (_CLOSING,),
    card.timeout: (*_FREE, _CLOSING),
    devices.payout_ended: _FREE,
    payout.gave_up: _FREE,
    devices.bill_payout_ended: _FREE,
    devices.changer_ready: _FREE,
    devices.bills_ready: _FREE,
    devices.stacker: (_CREDIT,),
}
