"""What a customer can pay with now, and why not with the rest."""

from edge.sale.state import State
from shared.messages import Availability, Tender


def availability(state: State) -> dict[Tender, Availability]:
    """Each tender with its reason; the same words go to the customer, the technician and the operator."""
    return {"cash": _cash(state), "card": _no("no card reader fitted"), "wallet": _wallet(state)}


def _cash(state: State) -> Availability:
    if not state.disk_ok:
        return _no("journal disk full")
    if state.changer:
        return _no("coin changer " + state.changer)
    if state.board:
        return _no("motor board " + state.board)
    return Availability(available=True)


def _wallet(state: State) -> Availability:
    return _no("not set up" if state.link_up else "needs the machine's network, which is down")


def _no(reason: str) -> Availability:
    return Availability(available=False, reason=reason)
