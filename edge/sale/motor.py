"""Starting a motor: the one place where a product is set in motion."""

from dataclasses import replace
from typing import Final

from edge.sale.effects import RunMotor
from edge.sale.state import Phase, State, Vend, told
from edge.sale.step import Step

VEND_LIMIT_S: Final = 20.0  # a board gives up after 15 s; without any word after this the sale is doubtful


def start_motor(state: State, vend: Vend, now_s: float) -> Step:
    """What the vend holds was taken off the credit, or charged to the card, by the caller."""
    state = replace(state, phase=Phase.VENDING, vend=vend, deadline_s=now_s + VEND_LIMIT_S)
    return Step(told(state, "vending"), effects=(RunMotor(vend.slot),))
