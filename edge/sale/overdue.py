"""What lasts too long is judged before anything else is decided, so that no decision can come too early.

`Cabinet.overdue_s` is the next moment at which there is something to judge: all that most steps look at.
"""

from edge.sale import climate, lockouts, visits
from edge.sale.state import State, with_cabinet
from edge.sale.step import Machine
from shared import records as m


def judged(machine: Machine, state: State, now_s: float) -> tuple[State, tuple[m.Body, ...]]:
    """The state as it is at this time: groups locked out, a forgotten visit ended."""
    if state.cabinet.overdue_s is None or now_s <= state.cabinet.overdue_s:
        return state, ()
    locked, lockout_records = climate.lock_overdue(machine, state, now_s)
    ended = visits.end_overdue(locked, now_s)
    return refreshed(machine, state, ended.state), (*lockout_records, *ended.records)


def refreshed(machine: Machine, before: State, state: State) -> State:
    """What follows from other parts of the cabinet, computed anew where those have changed."""
    old, new = before.cabinet, state.cabinet
    new_climate = new.climate is not old.climate
    if new_climate or new.failures is not old.failures or new.locked_slots is not old.locked_slots:
        state = with_cabinet(state, closed=lockouts.closed(machine, state))
    if new_climate or new.visit is not old.visit:
        times_s = (climate.due_s(machine, state), new.visit.until_s if new.visit else None)
        state = with_cabinet(state, overdue_s=min((t for t in times_s if t is not None), default=None))
    return state
