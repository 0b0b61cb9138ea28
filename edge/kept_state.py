"""The sale's state between two runs: as the journal keeps it, and fitted to today's settings."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pydantic import TypeAdapter

from edge.sale.state import SlotSetting, State
from shared.messages import Config, PlannedSlot, PriceList

STATE: Final = TypeAdapter(State)
_MAX_COUNT: Final = 255


def restore(stored: bytes | None, slots: Sequence[SlotSetting], prices: PriceList) -> State:
    """The state of the last run, fitted to today's settings: new slots start full at their settings' price,
    removed ones are forgotten. Raises pydantic.ValidationError for a state of another program version.
    """
    state = STATE.validate_json(stored) if stored else State(prices=prices, stock={})
    stock = {s.slot: min(state.stock.get(s.slot, s.capacity), _room(state, s)) for s in slots}
    in_force = {s.slot: state.prices.prices.get(s.slot, prices.prices[s.slot]) for s in slots}
    by_card = {slot: price for slot, price in state.prices.card_prices.items() if slot in in_force}
    fitted = state.prices.model_copy(update={"prices": in_force, "card_prices": by_card})
    holds = {slot: product for slot, product in state.holds.items() if slot in stock}
    config, waiting = _fitted(state.config, slots), _fitted(state.pending_config, slots)
    return replace(state, stock=stock, prices=fitted, config=config, pending_config=waiting, holds=holds)


def _room(state: State, setting: SlotSetting) -> int:
    """What a slot may hold: while it waits for its refill, also more than is planned."""
    return _MAX_COUNT if state.config else setting.capacity


def _fitted(config: Config | None, slots: Sequence[SlotSetting]) -> Config | None:
    if config is None or config.slots is None:
        return config
    wanted = config.slots
    own = {s.slot: PlannedSlot(product=s.product, capacity=s.capacity, par=s.par) for s in slots}
    return config.model_copy(update={"slots": {s: wanted.get(s, plan) for s, plan in own.items()}})


def lasting(state: State) -> State:
    """The state without what only this run knows: a change of that alone is not worth an fsync."""
    return replace(
        state,
        changer="",
        validator="",
        readers={},
        board="",
        disk_ok=True,
        link_up=False,
        accepting=None,
        notes_accepted=None,
        stacker_full=False,
        deadline_s=None,
        message="",
    )
