"""What lasts too long is judged before anything else is decided, so that no decision can come too early.

`State.overdue_s` is the next moment at which there is something to judge, and is all that most steps look at.
"""

from dataclasses import replace

from edge.sale import climate, lockouts, visits
from edge.sale.state import State
from edge.sale.step import Machine
from shared import records as m


def judged(machine: Machine, state: State, now_s: float) -> tuple[State, tuple[m.Body, ...]]:
    """The state as it is at this time: groups locked out, a forgotten visit ended."""
    if state.overdue_s is None or now_s <= state.overdue_s:
        return state, ()
    locked, lockout_records = climate.lock_overdue(machine, state, now_s)
    ended = visits.end_overdue(locked, now_s)
    return refreshed(machine, state, ended.state), (*lockout_records, *ended.records)


def refreshed(machine: Machine, before: State, state: State) -> State:
    """What follows from other parts of the state, computed anew where those have changed."""
    new_climate = state.climate is not before.climate
    if new_climate or state.failures is not before.failures:
        state = replace(state, closed=lockouts.closed(machine, state))
    if new_climate or state.visit is not before.visit:
        times_s = (climate.due_s(machine, state), state.visit.until_s if state.visit else None)
        state = replace(state, overdue_s=min((t for t in times_s if t is not None), default=None))
    return state
