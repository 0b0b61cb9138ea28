"""What a technician may do now. The same words refuse a request here and answer it where it came from."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edge.sale import claims, visits
from edge.sale.events import ServiceChanged, TechnicianEvent
from edge.sale.state import Phase, State, told
from edge.sale.step import Machine, Step
from edge.sale.visit_events import ClaimPaid, Collected, GroupReleased, Refilled, SlotReleased, StockSet
from shared.fields import Bag

_BAG: TypeAdapter[str] = TypeAdapter(Bag)
NO_VISIT = "open the door, or begin a visit first"
NO_SERVICE = "begin a visit first: an open door does not answer for food and motors"


def refusal(machine: Machine, state: State, event: TechnicianEvent) -> str:
    """Why this would be refused now; empty where it would be done."""
    visit = state.cabinet.visit
    match event:
        case ServiceChanged():
            words = ""
        case ClaimPaid(code):
            known = claims.find(machine.claim_key, state.claims, code) is not None
            words = "" if known else "this code is not known here, or was used"
        case StockSet(counts):
            words = _counts(machine, state, counts)
        case Refilled(counts):
            words = _counts(machine, state, counts) if visit else NO_VISIT
        case Collected(bag):
            words = _collection(state, bag) if visit else NO_VISIT
        case _ if visit is None or not visit.service or visit.done:
            words = NO_SERVICE
        case GroupReleased(group):
            words = "" if group in state.cabinet.climate else f"there is no product group {group}"
        case SlotReleased(slot):
            words = "" if slot in machine.slots else f"there is no slot {slot}"
    return words


def _counts(machine: Machine, state: State, counts: Mapping[str, int]) -> str:
    for slot, count in counts.items():
        if slot not in machine.slots or slot not in state.stock:
            return f"there is no slot {slot}"
        if not 0 <= count <= machine.slots[slot].capacity:
            return f"slot {slot} holds 0 to {machine.slots[slot].capacity}"
    return ""


def _collection(state: State, bag: str) -> str:
    if state.phase is Phase.PAYING:
        return "money is being paid out: again in a moment"
    try:
        _BAG.validate_python(bag)
    except ValidationError:
        return "a bag number has 1 to 32 letters and digits"
    return ""


def asked(handler: Callable[..., Step]) -> Callable[..., Step]:
    """The decision for a request: refused in words, or carried out."""

    @wraps(handler)
    def decide(machine: Machine, state: State, event: Any, now_s: float) -> Step:  # noqa: ANN401  # as its handler
        words = refusal(machine, state, event)
        if words:
            return Step(told(state, words))
        return visits.stayed(machine, handler(machine, state, event, now_s), now_s)

    return decide
