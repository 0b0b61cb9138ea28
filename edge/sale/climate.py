"""Food that was too warm for too long is not sold, whatever happens, until a technician answers for it.

One rule: a group may be sold for `limit_s` after its last reading in range. A reading out of range, a sensor
that says nothing, a program that is dead and a machine without power are all the same lack of one. Then the
group is locked out, and neither cold air nor a restart opens it again.

Time without power is counted too, and never guessed:
- In one boot of the board monotonic time is the truth, also when the program was started anew.
- Across boots only wall times from trusted clocks are subtracted. Until the clock of the new boot is trusted
  the group is held back, not yet locked out: the network may be back in a minute. How long the products
  were without a good reading is then known, up to the first one after the cut.
- If the clock was not trusted before the cut, or two trusted clocks contradict each other, nobody will ever
  know: the group is locked out.
- After a cut that was never measured another one adds to it, the good readings in between included.

Within a 32nd of the limit after `good_s` no reading changes anything, so that not each one costs an fsync; a
group is therefore locked out that much too early, and never too late.
"""

from dataclasses import replace
from math import floor
from typing import Final

from edge.sale import events as ev
from edge.sale.state import Climate, State, with_cabinet
from edge.sale.step import Machine, ProductGroup, Step
from edge.sale.visit_events import ClockSet, GroupReleased, TemperatureRead
from shared import visit_records as vr

_STEPS: Final = 32
NO_READING: Final = "no_reading"
POWER_CUT: Final = "power_cut"


def read(machine: Machine, state: State, event: TemperatureRead, now_s: float) -> Step:
    changed = {
        name: climate
        for name, group in machine.groups.items()
        if group.sensor == event.sensor and name in state.cabinet.climate
        if (climate := _read(group, state.cabinet.climate[name], event.decidegrees, now_s))
        != state.cabinet.climate[name]
    }
    return Step(with_cabinet(state, climate={**state.cabinet.climate, **changed}) if changed else state)


def _read(group: ProductGroup, climate: Climate, decidegrees: int, now_s: float) -> Climate:
    good = group.min_decidegrees <= decidegrees <= group.max_decidegrees
    if good and climate.before_ns is not None and climate.after_s is None:
        return replace(climate, good_s=now_s, trouble="", after_s=now_s)
    if now_s - climate.good_s < group.limit_s / _STEPS:
        return climate
    if good:
        return replace(climate, good_s=now_s, trouble="")
    return replace(climate, trouble="too_warm" if decidegrees > group.max_decidegrees else "too_cold")


def lock_overdue(machine: Machine, state: State, now_s: float) -> tuple[State, tuple[vr.Lockout, ...]]:
    """Lock out the groups whose last good reading is too long ago."""
    late = {
        name: (climate.trouble or NO_READING)
        for name, climate in state.cabinet.climate.items()
        if not climate.lockout and now_s > climate.good_s + machine.groups[name].limit_s
    }
    return _lock(machine, state, late)


def due_s(machine: Machine, state: State) -> float | None:
    """The last moment at which nothing has to be locked out, if no good reading comes."""
    limits = [
        c.good_s + machine.groups[name].limit_s for name, c in state.cabinet.climate.items() if not c.lockout
    ]
    return min(limits, default=None)


def clock_set(machine: Machine, state: State, event: ClockSet, now_s: float) -> Step:
    """The time is known: so is how long each power cut lasted that is not judged yet."""
    clock_ns = event.wall_ns - _ns(now_s)
    climate, late = dict(state.cabinet.climate), {}
    for name, old in state.cabinet.climate.items():
        if old.lockout or old.before_ns is None:
            continue
        before_s = (old.before_ns - clock_ns) / 10**9  # in this boot's time, mostly below zero
        gap_s = (now_s if old.after_s is None else old.after_s) - before_s
        if not 0 <= gap_s <= machine.groups[name].limit_s:
            late[name] = POWER_CUT
        good_s = before_s if old.after_s is None else old.good_s
        climate[name] = replace(old, good_s=good_s, before_ns=None, after_s=None)
    return Step(*_lock(machine, with_cabinet(state, clock_ns=clock_ns, climate=climate), late))


def booted(machine: Machine, state: State, event: ev.Booted, now_s: float) -> Step:
    """A new group starts as if it was released now. One that is locked out stays so, also if the settings do
    not know it any more; others are forgotten with the settings.
    """
    same_boot = bool(event.boot) and event.boot == state.cabinet.boot
    climate = {name: old for name, old in state.cabinet.climate.items() if old.lockout}
    late = {}
    for name in machine.groups.keys() - climate.keys():
        old = state.cabinet.climate.get(name)
        if old is None:
            climate[name] = Climate(good_s=now_s)
        elif same_boot:
            climate[name] = old
        else:
            before_ns = _before_ns(state, old)
            if before_ns is None:
                late[name] = POWER_CUT
            climate[name] = Climate(good_s=now_s, trouble=old.trouble, before_ns=before_ns)
    clock_ns = state.cabinet.clock_ns if same_boot else None
    state = with_cabinet(state, climate=climate, clock_ns=clock_ns, boot=event.boot)
    state, never_known = _lock(machine, state, late)
    state, too_long = lock_overdue(machine, state, now_s)
    return Step(state, (*never_known, *too_long))


def _before_ns(state: State, climate: Climate) -> int | None:
    """The last good moment before this start, UTC; None if no trusted clock saw it."""
    if climate.before_ns is not None:
        return climate.before_ns
    return None if state.cabinet.clock_ns is None else state.cabinet.clock_ns + _ns(climate.good_s)


def release(machine: Machine, state: State, event: GroupReleased, now_s: float) -> Step:
    """The group starts anew. One that is neither locked out nor held back has nothing to be released from;
    one held back is locked out and released, so that the books show who answered for it.
    """
    old = state.cabinet.climate[event.group]
    began: tuple[vr.Lockout, ...] = ()
    if not old.lockout:
        if old.before_ns is None:
            return Step(state)
        state, began = _lock(machine, state, {event.group: POWER_CUT})
    climate = {**state.cabinet.climate, event.group: Climate(good_s=now_s)}
    if event.group not in machine.groups:
        del climate[event.group]
    ended = vr.Lockout(event="ended", scope="group", name=event.group, reason="released")
    return Step(with_cabinet(state, climate=climate), (*began, ended))


def _lock(machine: Machine, state: State, late: dict[str, str]) -> tuple[State, tuple[vr.Lockout, ...]]:
    if not late:
        return state, ()
    locked = {
        name: replace(state.cabinet.climate[name], lockout=reason, slots=machine.groups[name].slots)
        for name, reason in late.items()
    }
    records = (
        vr.Lockout(event="began", scope="group", name=name, reason=reason) for name, reason in late.items()
    )
    return with_cabinet(state, climate={**state.cabinet.climate, **locked}), (*records,)


def _ns(seconds: float) -> int:
    return floor(seconds * 10**9)
