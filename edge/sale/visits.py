"""Visits: a technician is at the machine because the door is open or because he said so; one visit of both.

In a visit vends are tests and no money is taken; what a card was asked for before still ends as a sale. While
the door is open it goes on, whatever is said. Behind a closed door it ends when the technician says so or,
once the door was open, by itself after a time in which he did nothing more: a forgotten word must not stop
the machine for days.
"""

from dataclasses import replace

from edge.sale import events as ev
from edge.sale.audit import audit
from edge.sale.state import State, Visit, with_cabinet
from edge.sale.step import Machine, Step
from edge.sale.visit_events import DoorChanged
from shared import records as m
from shared import visit_records as vr


def door(machine: Machine, state: State, event: DoorChanged, now_s: float) -> Step:
    if event.open == state.cabinet.door_open:
        return Step(state)
    record = vr.Door(open=event.open)
    state = with_cabinet(state, door_open=event.open)
    visit = state.cabinet.visit or Visit()
    if event.open:
        done = _there(state, replace(visit, door=True, until_s=None))
    elif visit.done:
        done = end(state)
    else:
        done = Step(with_cabinet(state, visit=replace(visit, until_s=now_s + machine.policy.closed_door_s)))
    return Step(done.state, (record, *done.records))


def service(machine: Machine, state: State, event: ev.ServiceChanged, now_s: float) -> Step:
    """His word that he comes, which forgives wrong claim codes, or goes."""
    if event.on:
        state = replace(state, wrong_claims=0)
        visit = replace(state.cabinet.visit or Visit(), service=True, done=False)
        return stayed(machine, _there(state, visit), now_s)
    if state.cabinet.visit is None:
        return Step(state)
    if state.cabinet.door_open:
        return Step(with_cabinet(state, visit=replace(state.cabinet.visit, done=True)))
    return end(state)


def _there(state: State, visit: Visit) -> Step:
    began = state.cabinet.visit is None
    state = with_cabinet(state, visit=visit)
    return Step(state, _records("began", state, visit) if began else ())


def stayed(machine: Machine, done: Step, now_s: float) -> Step:
    """He did something: a visit that would end by itself ends later."""
    visit = done.state.cabinet.visit
    if visit is None or visit.until_s is None:
        return done
    later = replace(visit, until_s=now_s + machine.policy.closed_door_s)
    return replace(done, state=with_cabinet(done.state, visit=later))


def end(state: State) -> Step:
    assert state.cabinet.visit is not None
    ended = with_cabinet(state, visit=None)
    return Step(ended, _records("ended", ended, state.cabinet.visit))


def end_overdue(state: State, now_s: float) -> Step:
    """End a visit that nobody ended."""
    over = (
        state.cabinet.visit is not None
        and state.cabinet.visit.until_s is not None
        and now_s > state.cabinet.visit.until_s
    )
    return end(state) if over else Step(state)


def _records(event: str, state: State, visit: Visit) -> tuple[m.Body, ...]:
    record = vr.Visit.model_validate({"event": event, "door": visit.door, "service": visit.service})
    return record, audit(state)


def booted(machine: Machine, state: State, now_s: float) -> State:
    """What the door is like now will be told; until then a visit that knew it goes on for its time."""
    visit = state.cabinet.visit
    if visit is not None and visit.door:
        visit = replace(visit, until_s=now_s + machine.policy.closed_door_s)
    return with_cabinet(state, visit=visit, door_open=False)
