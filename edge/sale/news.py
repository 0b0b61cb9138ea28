"""What the passing of time alone brings: events that nobody sends."""

from collections.abc import Iterator
from typing import Final

from edge.sale.events import Event, PricesDue
from edge.sale.state import Phase, State
from edge.sale.visit_events import ClockSet, Overdue
from edge.sale.wanted import due, wall_ns

_CLOCK_JUMP_NS: Final = 10**9  # a clock that moved by less is the same


def news(state: State, wall_clock_ns: int, now_s: float, *, synced: bool) -> Iterator[Event]:
    """`synced`: the wall clock can be trusted."""
    cabinet = state.cabinet
    if cabinet.overdue_s is not None and now_s > cabinet.overdue_s:
        yield Overdue()
    known_ns, ahead_ns = cabinet.clock_ns, wall_clock_ns - round(now_s * 10**9)
    if synced and (known_ns is None or abs(ahead_ns - known_ns) > _CLOCK_JUMP_NS):
        yield ClockSet(wall_clock_ns)
    elif state.phase is Phase.IDLE and due(state, now_s):
        yield PricesDue()


def next_minute_s(state: State, now_s: float) -> float | None:
    """Schedules begin and end with a minute. So they are looked at each minute."""
    at_ns = wall_ns(state, now_s)
    if at_ns is None or not state.prices.schedules:
        return None
    return now_s + 60 - at_ns / 10**9 % 60
