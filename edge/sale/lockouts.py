"""Which slots are not sold although they hold something, and why: unfit products, motors that failed, locks.

A motor that failed some times in a row is not tried on the next customer. A test vend that delivers, or the
technician's word, ends it.
"""

from typing import Final

from edge.sale.climate import NO_READING, POWER_CUT
from edge.sale.events import VendResult
from edge.sale.state import State, with_cabinet
from edge.sale.step import Machine, Step
from edge.sale.visit_events import SlotReleased
from shared import visit_records as vr

# The slot's own: a lift is shared by all slots, and a run that was never started says nothing of the motor.
_SLOT_FAULTS: Final = {
    VendResult.NO_DROP,
    VendResult.JAMMED,
    VendResult.MOTOR_STUCK,
    VendResult.MOTOR_MISSING,
}
_WORDS: Final = {
    "too_warm": "not for sale: it was too warm for too long",
    "too_cold": "not for sale: it was too cold for too long",
    NO_READING: "not for sale: its temperature is not known",
    POWER_CUT: "not for sale: it was without cooling",
}
_HELD: Final = "not for sale yet: the power was off, and it is not known how long"
_BROKEN: Final = "out of order: please choose another product"


def closed(machine: Machine, state: State) -> dict[str, str]:
    """The slots that are not sold, with the reason in the customer's words."""
    broken = {
        slot: _BROKEN for slot, n in state.cabinet.failures.items() if n >= machine.policy.motor_failures
    }
    return {**broken, **withheld(machine, state)}


def withheld(machine: Machine, state: State) -> dict[str, str]:
    """Those whose products nobody may have, whatever their motors do."""
    words = {slot: f"not for sale: {reason}" for slot, reason in state.cabinet.locked_slots.items()}
    for name, climate in state.cabinet.climate.items():
        if not climate.lockout and climate.before_ns is None:
            continue
        slots = machine.groups[name].slots if name in machine.groups else ()
        # A slot that the settings took out of the group since then still holds what was locked out.
        for slot in (*climate.slots, *slots):
            words[slot] = _WORDS[climate.lockout] if climate.lockout else _HELD
    return words


def after_run(
    machine: Machine, state: State, slot: str, result: VendResult
) -> tuple[State, tuple[vr.Lockout, ...]]:
    """What the end of a motor run says about its slot."""
    failed = state.cabinet.failures.get(slot, 0)
    if result is VendResult.DELIVERED and failed:
        return _mended(machine, state, slot, "delivered")
    if result not in _SLOT_FAULTS:
        return state, ()
    state = with_cabinet(state, failures={**state.cabinet.failures, slot: failed + 1})
    if failed + 1 != machine.policy.motor_failures:
        return state, ()
    return state, (vr.Lockout(event="began", scope="slot", name=slot, reason=result.value),)


def release(machine: Machine, state: State, event: SlotReleased, _now_s: float) -> Step:
    return Step(*_mended(machine, state, event.slot, "released"))


def _mended(machine: Machine, state: State, slot: str, reason: str) -> tuple[State, tuple[vr.Lockout, ...]]:
    was_closed = state.cabinet.failures.get(slot, 0) >= machine.policy.motor_failures
    state = with_cabinet(state, failures={s: n for s, n in state.cabinet.failures.items() if s != slot})
    ended = vr.Lockout(event="ended", scope="slot", name=slot, reason=reason)
    return state, (ended,) if was_closed else ()
