"""What the cloud wants of this machine, put in force between customers: never inside anybody's session.

A schedule is judged by a clock that was trusted once in this boot of the board, carried on by monotonic
time, so a network that stays away changes nothing. While nobody knows the time, the price of the list is
asked: it is the one on the label, and a board that starts without a network must not sell at its lowest price
for days.

A product that is planned for a slot is in it once a technician has refilled it. Until then the slot keeps the
name of what it holds, so that sales are booked as what dropped.
"""

from collections.abc import Mapping
from dataclasses import replace

from edge.sale import lockouts
from edge.sale.state import SlotSetting, State, with_cabinet
from edge.sale.step import Machine
from shared import records as m


def planned(machine: Machine, state: State) -> Machine:
    """The machine of the settings file with the config that is in force. Its slots stay in the groups of
    products that spoil which the settings name; a config may add some.
    """
    config = state.config
    if config is None:
        return machine
    slots = planned_slots(machine.slots, state)
    policy = machine.policy
    if config.largest_note_minor is not None:
        policy = replace(policy, largest_note_minor=config.largest_note_minor)
    if config.without_change is not None:
        policy = replace(policy, without_change=config.without_change)
    groups = {
        name: replace(group, slots=(*group.slots, *_more(group.slots, name, state)))
        for name, group in machine.groups.items()
    }
    wanted = wanted_products(machine, state)
    return replace(
        machine,
        products={**wanted, **state.holds},
        wanted={slot: wanted[slot] for slot in state.holds},
        slots=slots,
        policy=policy,
        groups=groups,
    )


def wanted_products(fitted: Machine, state: State) -> Mapping[str, str]:
    """What belongs into each slot, whatever it still holds."""
    if state.config is None or state.config.slots is None:
        return fitted.products
    return {slot: plan.product for slot, plan in state.config.slots.items()}


def planned_slots(fitted: Mapping[str, SlotSetting], state: State) -> Mapping[str, SlotSetting]:
    """The slots as the config says, or as they are fitted where it does not, with what is in them."""
    slots = fitted
    if state.config is not None and state.config.slots is not None:
        plans = state.config.slots.items()
        slots = {slot: SlotSetting(slot, plan.product, plan.capacity, plan.par) for slot, plan in plans}
    held = {slot: replace(slots[slot], product=product) for slot, product in state.holds.items()}
    return {**slots, **held}


def _more(slots: tuple[str, ...], group: str, state: State) -> tuple[str, ...]:
    plans = state.config.slots if state.config and state.config.slots else {}
    return tuple(s for s, plan in plans.items() if plan.group == group and s not in slots)


def taken(fitted: Machine, state: State, now_s: float) -> tuple[State, tuple[m.Body, ...]]:
    """Between customers: the state with what waited for that, and with the schedules that hold now."""
    records: tuple[m.Body, ...] = ()
    if state.pending is not None:
        state = replace(state, prices=state.pending, pending=None)
        records = (m.Applied(price_version=state.prices.version),)
    if state.pending_config is not None:
        state = _configured(fitted, state)
        assert state.config is not None
        version = state.config.version
        records = (*records, m.Applied(price_version=state.prices.version, config_version=version))
    holding = state.prices.holding(wall_ns(state, now_s))
    return (state if holding == state.holding else replace(state, holding=holding)), records


def _configured(fitted: Machine, state: State) -> State:
    config = state.pending_config
    assert config is not None
    inside = planned(fitted, state).products
    state = replace(state, config=config, pending_config=None)
    holds = {
        slot: inside[slot]
        for slot, product in wanted_products(fitted, state).items()
        if state.stock.get(slot) and inside[slot] != product
    }
    state = replace(state, holds=holds)
    return with_cabinet(state, closed=lockouts.closed(planned(fitted, state), state))


def due(state: State, now_s: float) -> bool:
    """Whether other schedules hold by now than those in force."""
    return bool(state.prices.schedules) and state.prices.holding(wall_ns(state, now_s)) != state.holding


def wall_ns(state: State, now_s: float) -> int | None:
    """The time of day, UTC; None while no trusted clock has told it in this boot of the board."""
    clock_ns = state.cabinet.clock_ns
    return None if clock_ns is None else clock_ns + round(now_s * 10**9)
