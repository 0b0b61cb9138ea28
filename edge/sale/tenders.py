"""What a customer can pay with now, and why not with the rest."""

from edge.sale.state import NOT_FITTED, State
from shared.fields import Tender
from shared.messages import Availability


def availability(state: State) -> dict[Tender, Availability]:
    """Each tender with its reason; the same words go to the customer, the technician and the operator."""
    trouble = _machine(state)
    if trouble:
        return {"cash": _no(trouble), "card": _no(trouble), "wallet": _no(trouble)}
    return {"cash": _cash(state), "card": _card(state), "wallet": _wallet(state)}


def _machine(state: State) -> str:
    """What stops every tender."""
    if not state.disk_ok:
        return "journal disk full"
    if state.board:
        return "motor board " + state.board
    return "a technician is at the machine" if state.service else ""


def _cash(state: State) -> Availability:
    if not state.changer:
        return Availability(available=True)
    if state.validator == NOT_FITTED:
        return _no("coin changer " + state.changer)
    if not state.validator:
        return Availability(
            available=True, reason="notes for the exact price only: coin changer " + state.changer
        )
    return _no(f"coin changer {state.changer}, note validator {state.validator}")


def _card(state: State) -> Availability:
    reasons = [reader.reason for reader in state.readers.values()]
    if not reasons:
        return _no("no card reader fitted")
    return Availability(available=True) if "" in reasons else _no("card reader " + reasons[0])


def _wallet(state: State) -> Availability:
    return _no("not set up" if state.link_up else "needs the machine's network, which is down")


def _no(reason: str) -> Availability:
    return Availability(available=False, reason=reason)
