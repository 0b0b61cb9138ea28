"""Emptying the cash box: what must be in the bag, counted since the last one.

For every history, to the cent: cash in and cash put in or taken by hand (told, or found by a count) are what
lies in cash box, stacker, tubes and recycler, what was collected, and what was paid out. All of it is in the
records.
"""

from dataclasses import replace

from edge.sale.change import worth
from edge.sale.state import State
from edge.sale.step import Machine, Step
from edge.sale.visit_events import Collected
from shared import visit_records as vr


def collected(_machine: Machine, state: State, event: Collected, _now_s: float) -> Step:
    """Said twice, the second record holds what came in between, mostly nothing: their sum is right."""
    tubes_minor, recycler_minor = cash_float(state)
    record = vr.Collection(
        bag=event.bag,
        cashbox_minor=state.cashbox_minor,
        stacker_minor=state.stacker_minor,
        tubes_minor=tubes_minor,
        recycler_minor=recycler_minor,
        currency=state.prices.currency,
    )
    return Step(replace(state, cashbox_minor=0, stacker_minor=0), (record,))


def cash_float(state: State) -> tuple[int, int]:
    """What lies in the tubes and in the recycler. While it is paid out: what lay there before, until counts
    tell what has left.
    """
    paying = state.paying
    recycled = paying.recycled_before if paying and paying.notes_open else state.recycled
    return worth(tube_counts(state), state.values_minor), worth(recycled, state.note_values_minor)


def tube_counts(state: State) -> tuple[int, ...]:
    """Coins in the tubes, by type, as `cash_float` has them."""
    paying = state.paying
    return paying.tubes_before if paying and paying.coins_open else state.tubes
