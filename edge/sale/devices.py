"""What devices, link, disk and clock tell, and what a restart finds."""

from dataclasses import replace

from edge.sale import card, climate, payout, visits
from edge.sale import events as ev
from edge.sale.audit import audit
from edge.sale.change import worth
from edge.sale.motor import VEND_LIMIT_S
from edge.sale.state import NOT_FITTED, Phase, Reader, State
from edge.sale.step import Machine, Step
from shared import records as m


def changer_ready(machine: Machine, state: State, event: ev.ChangerReady, _now_s: float) -> Step:
    same = event.values_minor == state.values_minor
    state = replace(state, changer="", accepting=None)
    if state.paying is not None:
        state = replace(state, paying=replace(state.paying, cut=True, lost=state.paying.lost or not same))
    if same:
        return payout.coins_ended(machine, state, event.tubes)
    # The first changer ever, or another one: its tubes say nothing about ours.
    done = Step(state)
    if state.paying is not None and state.paying.coins_open:
        # Nobody can say what the old one paid: all of it stays owed.
        done = payout.coins_ended(machine, state, state.paying.tubes_before)
    difference_minor = worth(event.tubes, event.values_minor) - worth(done.state.tubes, state.values_minor)
    found = payout.tubes_corrected(state, difference_minor)
    state = replace(done.state, values_minor=event.values_minor, tubes=event.tubes)
    return Step(state, (*done.records, *found), done.effects)


def changer_lost(_machine: Machine, state: State, event: ev.ChangerLost, _now_s: float) -> Step:
    if state.changer == event.reason:
        return Step(state)
    return Step(replace(state, changer=event.reason), (m.Fault(device="changer", code="offline"),))


def payout_ended(machine: Machine, state: State, event: ev.PayoutEnded, _now_s: float) -> Step:
    return payout.coins_ended(machine, state, event.tubes)


def bills_ready(machine: Machine, state: State, event: ev.BillsReady, _now_s: float) -> Step:
    old_values = state.note_values_minor
    same = event.values_minor == old_values
    state = replace(state, validator="", notes_accepted=None, escrow=False)
    if state.paying is not None:
        state = replace(state, paying=replace(state.paying, cut=True, lost=state.paying.lost or not same))
    if same:
        return payout.notes_ended(machine, state, event.recycled)
    done = Step(state)
    if state.paying is not None and state.paying.notes_open:
        done = payout.notes_ended(machine, state, state.paying.recycled_before)
    difference_minor = worth(event.recycled, event.values_minor) - worth(done.state.recycled, old_values)
    found = payout.recycler_corrected(state, difference_minor)
    state = replace(done.state, note_values_minor=event.values_minor, recycled=event.recycled)
    return Step(state, (*done.records, *found), done.effects)


def bills_lost(_machine: Machine, state: State, event: ev.BillsLost, _now_s: float) -> Step:
    state = replace(state, escrow=False)
    if state.validator == event.reason:
        return Step(state)
    return Step(replace(state, validator=event.reason), (m.Fault(device="validator", code="offline"),))


def bill_payout_ended(machine: Machine, state: State, event: ev.BillPayoutEnded, _now_s: float) -> Step:
    return payout.notes_ended(machine, state, event.recycled)


def recycler_changed(_machine: Machine, state: State, event: ev.RecyclerChanged, _now_s: float) -> Step:
    return payout.recount_notes(state, event.recycled)


def stacker(_machine: Machine, state: State, event: ev.StackerChanged, _now_s: float) -> Step:
    if event.full == state.stacker_full:
        return Step(state)
    kind = m.Fault if event.full else m.FaultCleared
    return Step(replace(state, stacker_full=event.full), (kind(device="validator", code="stacker_full"),))


def coins_by_hand(
    _machine: Machine, state: State, event: ev.CoinsLoaded | ev.CoinsTaken, _now_s: float
) -> Step:
    """Coins that a technician put in or took out: movements of cash, nobody's credit."""
    value_minor = worth(event.coins, state.values_minor)
    loaded = isinstance(event, ev.CoinsLoaded)
    kind = m.CoinsLoaded if loaded else m.CoinsTaken
    record = kind(value_minor=value_minor, coins=sum(event.coins), currency=state.prices.currency)
    paying = state.paying
    found: tuple[m.Body, ...] = ()
    if paying is None or not paying.coins_open:
        moved_minor = worth(event.tubes, state.values_minor) - worth(state.tubes, state.values_minor)
        found = payout.tubes_corrected(state, moved_minor - (value_minor if loaded else -value_minor))
    else:  # the difference of counts is what the customer got, and not these
        before = paying.tubes_before
        for coin, count in enumerate(event.coins):
            had = before[coin] if coin < len(before) else 0
            before = payout.with_count(before, coin, had + count if loaded else had - count)
        paying = replace(paying, tubes_before=before)
    return Step(replace(state, tubes=event.tubes, paying=paying), (record, *found))


def board_ready(_machine: Machine, state: State, _event: ev.BoardReady, _now_s: float) -> Step:
    return Step(replace(state, board=""))


def board_lost(_machine: Machine, state: State, event: ev.BoardLost, _now_s: float) -> Step:
    if state.board == event.reason:
        return Step(state)
    return Step(replace(state, board=event.reason), (m.Fault(device="board", code="offline"),))


def fault(_machine: Machine, state: State, event: ev.DeviceFault, _now_s: float) -> Step:
    return Step(state, (m.Fault(device=event.device, code=event.code),))


def fault_cleared(_machine: Machine, state: State, event: ev.DeviceFaultCleared, _now_s: float) -> Step:
    return Step(state, (m.FaultCleared(device=event.device, code=event.code),))


def link(_machine: Machine, state: State, event: ev.LinkChanged, _now_s: float) -> Step:
    return Step(replace(state, link_up=event.up))


def disk(_machine: Machine, state: State, event: ev.DiskChanged, _now_s: float) -> Step:
    return Step(replace(state, disk_ok=event.ok))


def prices(_machine: Machine, state: State, event: ev.PricesWanted, _now_s: float) -> Step:
    return Step(replace(state, pending=event.prices))


def booted(machine: Machine, state: State, event: ev.Booted, now_s: float) -> Step:
    """What the last run left: tubes verify a payout, a vend waits once more for the board's word."""
    recovered = {
        Phase.VENDING: "vend",
        Phase.PAYING: "payout",
        Phase.AUTHORISING: "authorisation",
        Phase.REFUNDING: "refund",
    }.get(state.phase, "nothing")
    vend = replace(state.vend, started_s=now_s) if state.vend else None
    state = replace(
        state,
        vend=vend,
        changer="starting",
        validator="starting" if machine.validator else NOT_FITTED,
        readers={number: Reader() for number in machine.readers},
        board="starting",
        disk_ok=True,
        link_up=False,
        accepting=None,
        notes_accepted=None,
        stacker_full=False,
        escrow=False,
        deadline_s=now_s + VEND_LIMIT_S if vend else None,
        message="",
    )
    boot = m.Boot.model_validate({"software": machine.software, "recovered": recovered})
    after_cut = climate.booted(machine, visits.booted(machine, state, now_s), event, now_s)
    done = card.booted(machine, after_cut.state)
    records = (boot, *after_cut.records, *done.records, audit(done.state))
    return Step(done.state, records, done.effects)
