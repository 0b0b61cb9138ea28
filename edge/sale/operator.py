"""What the operator may do from afar, and how: locks, a motor's test, a claim's credit.

The words that refuse here are the answer that he gets. A technician's hands may be in a machine whose door is
open: then no motor is run from afar.
"""

from edge.sale import claims, technician, vend
from edge.sale import events as ev
from edge.sale.operator_events import ClaimCredited, Locked, MotorTested, OperatorEvent, Unlocked
from edge.sale.state import Phase, State, with_cabinet
from edge.sale.step import Machine, Step
from shared import visit_records as vr

BUSY = "somebody is buying: again in a moment"
PRESENT = "a technician is at the machine"
BY_OPERATOR = "locked by the operator"

Commanded = ev.FreeVend | ev.TechnicianEvent | OperatorEvent


def refusal(machine: Machine, state: State, event: Commanded) -> str:
    """Why this would be refused now; empty where it would be done."""
    match event:
        case Locked(slot) | Unlocked(slot):
            words = "" if slot is None or slot in machine.slots else f"there is no slot {slot}"
        case ClaimCredited(code):
            words = _credit(machine, state, code)
        case MotorTested(slot):
            words = _motor(state) or vend.cannot_test(machine, state, slot)
        case ev.FreeVend(slot):
            words = _motor(state) or vend.cannot_give(state, slot)
        case _:
            words = technician.refusal(machine, state, event)
    return words


def _motor(state: State) -> str:
    if state.service:
        return PRESENT
    return "" if state.phase is Phase.IDLE else BUSY


def _credit(machine: Machine, state: State, code: str) -> str:
    if claims.find(machine.claim_key, state.claims, code) is None:
        return "this code is not known here, or was used"
    return "" if state.phase in {Phase.IDLE, Phase.CREDIT} else BUSY


def lock(_machine: Machine, state: State, event: Locked, _now_s: float) -> Step:
    """Said again, it gives another reason. A customer's money is still given back."""
    reason = event.reason or BY_OPERATOR
    before = _lock_of(state, event.slot)
    if event.slot is None:
        state = with_cabinet(state, locked=reason)
    else:
        state = with_cabinet(state, locked_slots={**state.cabinet.locked_slots, event.slot: reason})
    return Step(state, () if before else (_record("began", event.slot),))


def unlock(_machine: Machine, state: State, event: Unlocked, _now_s: float) -> Step:
    before = _lock_of(state, event.slot)
    if event.slot is None:
        state = with_cabinet(state, locked="")
    else:
        left = {slot: words for slot, words in state.cabinet.locked_slots.items() if slot != event.slot}
        state = with_cabinet(state, locked_slots=left)
    return Step(state, (_record("ended", event.slot),) if before else ())


def _lock_of(state: State, slot: str | None) -> str:
    return state.cabinet.locked if slot is None else state.cabinet.locked_slots.get(slot, "")


def _record(event: str, slot: str | None) -> vr.Lockout:
    scope, name = ("machine", "all") if slot is None else ("slot", slot)
    return vr.Lockout.model_validate({"event": event, "scope": scope, "name": name, "reason": "operator"})
