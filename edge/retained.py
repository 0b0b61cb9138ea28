"""What a machine says of itself on retained topics, made from its state. Pure; times are arguments."""

from collections.abc import Mapping
from typing import TypeVar

from edge.sale.state import SlotSetting, State
from edge.sale.step import Machine
from edge.sale.wanted import planned_slots
from shared.messages import ConfigRefused, PricesRefused, Reported, SlotStock, Status, Stock

_Said = TypeVar("_Said", Reported, Stock)


def reported(
    state: State, refused: PricesRefused | None, config_refused: ConfigRefused | None, at_ns: int
) -> Reported:
    return Reported(
        at_ns=at_ns,
        prices=state.prices,
        refused=refused,
        schedules=tuple(state.prices.schedules[n].name for n in state.holding),
        config_version=state.config.version if state.config else 0,
        config_refused=config_refused,
    )


def stock(machine: Machine, slots: Mapping[str, SlotSetting], state: State, at_ns: int) -> Stock:
    """`machine`: with what is wanted of it; `slots`: as the settings have them."""
    left = {
        s.slot: SlotStock(
            product=s.product,
            count=state.stock[s.slot],
            capacity=s.capacity,
            par=s.par,
            wanted=machine.wanted.get(s.slot),
        )
        for s in planned_slots(slots, state).values()
    }
    return Stock(at_ns=at_ns, slots=left)


def without_time(said: _Said) -> _Said:
    """For comparing: it is said again only when something else changed."""
    return said.model_copy(update={"at_ns": 0})


def without_counts(status: Status) -> Status:
    """For comparing: the counts change with every record, and are said when something else does."""
    return status.model_copy(update={"last_seq": None, "owed_from": None, "owed": 0, "parked": 0})
