"""Products put in by a technician, and counts put right. Counts are what is there afterwards: said twice, a
refill is the same refill; taken back, it is one with the counts from before.
"""

from dataclasses import replace

from edge.sale.state import State
from edge.sale.step import Machine, Step
from edge.sale.visit_events import Refilled, StockSet
from shared import visit_records as vr


def refilled(machine: Machine, state: State, event: Refilled, _now_s: float) -> Step:
    """A record for each slot that was told or has changed; the rest of `others_to_par` was full."""
    counts = dict(event.counts)
    if event.others_to_par:
        par = {slot: setting.par for slot, setting in machine.slots.items()}
        changed = {s: count for s, count in par.items() if count != state.stock[s] or s in state.holds}
        counts = {**changed, **counts}
    records = tuple(
        vr.Refill(
            slot=slot,
            product=machine.wanted.get(slot, machine.products[slot]),
            before=state.stock[slot],
            after=count,
            added=count - state.stock[slot],
        )
        for slot, count in counts.items()
    )
    told = state.stock if event.others_to_par else counts
    holds = {slot: product for slot, product in state.holds.items() if slot not in told}
    return Step(replace(state, stock={**state.stock, **counts}, holds=holds), records)


def corrected(machine: Machine, state: State, event: StockSet, _now_s: float) -> Step:
    records = tuple(
        vr.StockCorrected(slot=slot, product=machine.products[slot], before=state.stock[slot], after=count)
        for slot, count in event.counts.items()
        if count != state.stock[slot]
    )
    return Step(replace(state, stock={**state.stock, **event.counts}), records)
