"""What a customer can pay with now, and why not with the rest."""

from typing import Final

from edge.sale.state import NOT_FITTED, State
from shared.fields import Tender
from shared.messages import Availability, Switchable

# What drivers give as the reason of a loss, in words that follow a device's name.
REASONS: Final = {
    "starting": "is starting",
    "silent": "does not answer",
    "reset": "was reset",
    "port_missing": "is not connected",
    "port_lost": "was unplugged",
    "adapter_silent": "cannot be reached: its adapter does not answer",
    "adapter_refused": "cannot be reached: its adapter refuses",
    "network": "has no network",
    "failure": "is out of order",
    "maker_failure": "is out of order",
    "jammed": "is jammed",
    "scaling_not_whole": "counts in another currency",
    "scale_zero": "counts in another currency",
}


def words(device: str, reason: str) -> str:
    """Why a device cannot be used, in words for people: `card reader has no network`."""
    return f"{device} {REASONS.get(reason, reason.replace('_', ' '))}"


def availability(state: State) -> dict[Tender, Availability]:
    """Each tender with its reason; the same words go to the customer, the technician and the operator."""
    trouble = _machine(state)
    if trouble:
        return {"cash": _no(trouble), "card": _no(trouble), "wallet": _no(trouble)}
    able: dict[Switchable, Availability] = {
        "cash": _cash(state),
        "card": _card(state),
        "wallet": _wallet(state),
    }
    return {tender: _no(state.off(tender)) if state.off(tender) else can for tender, can in able.items()}


def _machine(state: State) -> str:
    """What stops every tender."""
    if not state.disk_ok:
        return "journal disk full"
    if state.board:
        return words("motor board", state.board)
    return "a technician is at the machine" if state.service else state.cabinet.locked


def _cash(state: State) -> Availability:
    if not state.changer:
        return Availability(available=True)
    if state.validator == NOT_FITTED:
        return _no(words("coin changer", state.changer))
    changer = words("coin changer", state.changer)
    if not state.validator:
        return Availability(available=True, reason=f"notes for the exact price only: {changer}")
    return _no(f"{changer}, {words('note validator', state.validator)}")


def _card(state: State) -> Availability:
    reasons = [reader.reason for reader in state.readers.values()]
    if not reasons:
        return _no("no card reader fitted")
    return Availability(available=True) if "" in reasons else _no(words("card reader", reasons[0]))


def _wallet(state: State) -> Availability:
    return _no("not set up" if state.link_up else "needs the machine's network, which is down")


def _no(reason: str) -> Availability:
    return Availability(available=False, reason=reason)
