"""What devices, link, disk and clock tell, and what a restart finds."""

from dataclasses import replace
from typing import Final

from edge.sale import card, cash, climate, payout, visits
from edge.sale import events as ev
from edge.sale.audit import audit
from edge.sale.change import worth
from edge.sale.motor import VEND_LIMIT_S
from edge.sale.state import NOT_FITTED, STARTING, Phase, Reader, State
from edge.sale.step import Machine, Step
from shared import records as m

PAYOUT_PATIENCE_S: Final = 180.0  # a changer that was unplugged takes half a minute to start


def changer_ready(machine: Machine, state: State, event: ev.ChangerReady, _now_s: float) -> Step:
    same = event.values_minor == state.values_minor
    back = _back("changer", state.changer)
    state = replace(state, changer="", accepting=None)
    if state.paying is not None:
        state = replace(state, paying=replace(state.paying, cut=True, lost=state.paying.lost or not same))
    if same:
        done = payout.coins_ended(machine, state, event.tubes)
        return replace(done, records=(*back, *done.records))
    # The first changer ever, or another one: its tubes say nothing about ours.
    done = Step(state)
    if state.paying is not None and state.paying.coins_open:
        # Nobody can say what the old one paid: all of it stays owed.
        done = payout.coins_ended(machine, state, state.paying.tubes_before)
    difference_minor = worth(event.tubes, event.values_minor) - worth(done.state.tubes, state.values_minor)
    found = payout.tubes_corrected(state, difference_minor)
    state = replace(done.state, values_minor=event.values_minor, tubes=event.tubes)
    return Step(state, (*back, *done.records, *found), done.effects)


def changer_lost(_machine: Machine, state: State, event: ev.ChangerLost, now_s: float) -> Step:
    lost = replace(state, changer=event.reason, deadline_s=_patience(state, now_s))
    return Step(lost, _gone("changer", state.changer))


def _patience(state: State, now_s: float) -> float | None:
    """When a payout under way is given up, unless its device comes back."""
    return state.deadline_s if state.paying is None else now_s + PAYOUT_PATIENCE_S


def payout_ended(machine: Machine, state: State, event: ev.PayoutEnded, _now_s: float) -> Step:
    return payout.coins_ended(machine, state, event.tubes)


def bills_ready(machine: Machine, state: State, event: ev.BillsReady, now_s: float) -> Step:
    old_values = state.note_values_minor
    same = event.values_minor == old_values
    stacking = replace(state.stacking, cut=True) if state.stacking and same else None
    back = _back("validator", state.validator)
    state = replace(state, validator="", notes_accepted=None, stacking=stacking)
    if state.paying is not None:
        state = replace(state, paying=replace(state.paying, cut=True, lost=state.paying.lost or not same))
    if same:
        note = _note_in_recycler(machine, state, event.recycled, now_s)
        done = payout.notes_ended(machine, note.state, event.recycled)
        return Step(done.state, (*back, *note.records, *done.records), (*note.effects, *done.effects))
    done = Step(state)
    if state.paying is not None and state.paying.notes_open:
        done = payout.notes_ended(machine, state, state.paying.recycled_before)
    difference_minor = worth(event.recycled, event.values_minor) - worth(done.state.recycled, old_values)
    found = payout.recycler_corrected(state, difference_minor)
    state = replace(done.state, note_values_minor=event.values_minor, recycled=event.recycled)
    return Step(state, (*back, *done.records, *found), done.effects)


def bills_lost(_machine: Machine, state: State, event: ev.BillsLost, now_s: float) -> Step:
    lost = replace(state, validator=event.reason, deadline_s=_patience(state, now_s))
    return Step(lost, _gone("validator", state.validator))


def bill_payout_ended(machine: Machine, state: State, event: ev.BillPayoutEnded, _now_s: float) -> Step:
    return payout.notes_ended(machine, state, event.recycled)


def recycler_changed(_machine: Machine, state: State, event: ev.RecyclerChanged, _now_s: float) -> Step:
    return payout.recount_notes(state, event.recycled)


def stacker(machine: Machine, state: State, event: ev.StackerChanged, now_s: float) -> Step:
    done = _note_in_stacker(machine, state, event.bills, now_s)
    state = replace(done.state, stacker_full=event.full, stacker_bills=event.bills)
    changed = m.Fault if event.full else m.FaultCleared
    news = event.full != done.state.stacker_full
    told = (changed(device="validator", code="stacker_full"),) if news else ()
    return Step(state, (*done.records, *told), done.effects)


# --- a note that was on its way to the stacker when the power went ----------------------------------------


def _note_in_recycler(machine: Machine, state: State, recycled: tuple[int, ...], now_s: float) -> Step:
    if state.stacking is None:
        return Step(state)
    bill = state.stacking.bill
    before, after = (counts[bill] if bill < len(counts) else 0 for counts in (state.recycled, recycled))
    if after != before + 1:
        return Step(state)
    return _found(machine, state, bill, ev.BillRoute.RECYCLER, now_s)


def _note_in_stacker(machine: Machine, state: State, bills: int, now_s: float) -> Step:
    """One note more is this one; as many as before: it went back to the customer. Else nobody can tell."""
    stacking = state.stacking
    if stacking is None or not stacking.cut:
        return Step(state)
    if bills == stacking.bills_before + 1:
        return _found(machine, state, stacking.bill, ev.BillRoute.CASHBOX, now_s)
    doubt = () if bills == stacking.bills_before else (m.Fault(device="validator", code="note_in_doubt"),)
    return Step(replace(state, stacking=None), doubt)


def _found(machine: Machine, state: State, bill: int, route: ev.BillRoute, now_s: float) -> Step:
    note = ev.BillIn(bill, state.note_values_minor[bill], route)
    return cash.bill(machine, state, note, now_s, found=True)


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
    return Step(replace(state, board=""), _back("board", state.board))


def board_lost(_machine: Machine, state: State, event: ev.BoardLost, _now_s: float) -> Step:
    return Step(replace(state, board=event.reason), _gone("board", state.board))


def _gone(device: str, before: str) -> tuple[m.Body, ...]:
    """One fault for an outage, whatever its reasons; `before`: what was wrong with the device until now."""
    return (m.Fault(device=device, code="offline"),) if before in {"", STARTING} else ()


def _back(device: str, before: str) -> tuple[m.Body, ...]:
    return () if before in {"", STARTING} else (m.FaultCleared(device=device, code="offline"),)


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


def config(_machine: Machine, state: State, event: ev.ConfigWanted, _now_s: float) -> Step:
    return Step(replace(state, pending_config=event.config))


def booted(machine: Machine, state: State, event: ev.Booted, now_s: float) -> Step:
    """What the last run left: tubes verify a payout, a vend waits once more for the board's word."""
    recovered = {
        Phase.VENDING: "vend",
        Phase.PAYING: "payout",
        Phase.AUTHORISING: "authorisation",
        Phase.REFUNDING: "refund",
        Phase.REVALUING: "revalue",
    }.get(state.phase, "nothing")
    vend = replace(state.vend, started_s=now_s) if state.vend else None
    state = replace(
        state,
        vend=vend,
        changer=STARTING,
        validator=STARTING if machine.validator else NOT_FITTED,
        readers={number: Reader() for number in machine.readers},
        board=STARTING,
        disk_ok=True,
        link_up=False,
        accepting=None,
        notes_accepted=None,
        stacker_full=False,
        deadline_s=now_s + VEND_LIMIT_S if vend else None,
        message=cash.credit_text(state) if state.credit_minor else "",
    )
    state = replace(state, deadline_s=_patience(state, now_s))
    boot = m.Boot.model_validate({"software": machine.software, "recovered": recovered})
    after_cut = climate.booted(machine, visits.booted(machine, state, now_s), event, now_s)
    done = card.booted(machine, after_cut.state)
    records = (boot, *after_cut.records, *done.records, audit(done.state))
    return Step(done.state, records, done.effects)
