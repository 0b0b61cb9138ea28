"""Which money helps now: what coins, notes and cards are let in, decided anew after every step."""

from collections.abc import Sequence
from dataclasses import replace

from edge.sale import effects as act
from edge.sale.change import sums
from edge.sale.state import Phase, Reader, State
from edge.sale.step import Policy

CARD_PHASES = {Phase.SESSION, Phase.AUTHORISING, Phase.REVALUING, Phase.REFUNDING, Phase.CLOSING}


def sells(state: State) -> bool:
    """Whether anything can be sold: the motors run, the journal has room, nobody forbids it."""
    return not state.board and state.disk_ok and not state.service and not state.cabinet.locked


def takes_cash(state: State) -> bool:
    """More money helps: something may be sold, and there is something that costs more than the credit."""
    if not sells(state) or state.off("cash"):
        return False
    # While a reader waits for a card to pay for what was chosen, a coin says that the customer pays cash.
    asked = state.phase is Phase.AUTHORISING and state.card is not None and not state.card.session
    waiting = asked and not state.credit_minor
    if state.phase not in {Phase.IDLE, Phase.CREDIT} and not waiting:
        return False
    return state.credit_minor < max(_prices(state), default=0)


def takes_coins(state: State) -> bool:
    """A changer cannot be told to take only small coins: the card must have room for the largest."""
    return takes_cash(state) or 0 < max(state.values_minor, default=0) <= card_room(state)


def card_room(state: State) -> int:
    """How much cash the card in the reader can take now, minor units."""
    if state.phase is not Phase.SESSION or state.card is None or state.credit_minor or not sells(state):
        return 0
    return state.card.room_minor


def takes_note(state: State, policy: Policy, value_minor: int) -> bool:
    """With this note the customer can buy something and the change can be paid, or it goes on a card."""
    if state.stacker_full or not 0 < value_minor <= policy.largest_note_minor:
        return False
    if not takes_cash(state):
        return value_minor <= card_room(state)
    return any(
        price <= state.credit_minor + value_minor
        and can_change(state, policy, state.credit_minor + value_minor - price)
        for price in set(_prices(state))
    )


def can_change(state: State, policy: Policy, amount_minor: int) -> bool:
    """Whether this much can be paid back for certain, from what is promised as change."""
    return bool(sums(*payable(state, policy.reserve), amount_minor) >> amount_minor & 1)


def exact_change_only(state: State, policy: Policy) -> bool:
    """A coin that is taken may be too much for what is chosen, and the rest cannot be paid for certain."""
    values_minor = {value for value in state.values_minor if value}
    rests = {-price % value for price in _prices(state) for value in values_minor}
    reachable = sums(*payable(state, policy.reserve), max(rests, default=0))
    return any(not reachable >> rest & 1 for rest in rests)


def payable(state: State, reserve: int = 0) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Values and counts of what can be paid out now: coin types first, then note types."""
    coins = state.tubes if not state.changer else ()
    notes = state.recycled if not state.validator else ()
    counts = (*(max(0, n - reserve) for n in _padded(coins, state.values_minor)),)
    return (
        (*state.values_minor, *state.note_values_minor),
        (*counts, *_padded(notes, state.note_values_minor)),
    )


def let_in(state: State, policy: Policy) -> tuple[State, tuple[act.Effect, ...]]:
    """Tell each device what it may take, where that changed."""
    effects: tuple[act.Effect, ...] = ()
    coins = takes_coins(state)
    if not state.changer and coins != state.accepting:
        state, effects = replace(state, accepting=coins), (*effects, act.AcceptCoins(coins))
    notes = frozenset(
        n for n, value in enumerate(state.note_values_minor) if takes_note(state, policy, value)
    )
    if not state.validator and notes != state.notes_accepted:
        state, effects = replace(state, notes_accepted=notes), (*effects, act.AcceptBills(notes))
    for number, reader in state.readers.items():
        if not reader.reason:
            reader, told = _tell_reader(state, number, reader)  # noqa: PLW2901
            state = replace(state, readers={**state.readers, number: reader})
            effects = (*effects, *told)
    return state, effects


def _tell_reader(state: State, number: int, reader: Reader) -> tuple[Reader, tuple[act.Effect, ...]]:
    effects: tuple[act.Effect, ...] = ()
    prices = [state.price_minor(slot, "card") for slot in state.prices.prices]
    span = (max(prices), min(prices))
    if span != reader.range_minor:
        reader, effects = replace(reader, range_minor=span), (act.SetPriceRange(number, *span),)
    enabled = takes_card(state, number)
    if enabled != reader.enabled:
        reader, effects = replace(reader, enabled=enabled), (*effects, act.AcceptCards(number, enabled))
    return reader, effects


def takes_card(state: State, number: int) -> bool:
    """One tender at a time: a card while no cash is in the machine, cash while no card is."""
    if state.card is not None and state.phase in {*CARD_PHASES, Phase.VENDING}:
        return state.card.reader == number
    ready = sells(state) and not state.off("card") and state.phase is Phase.IDLE
    return ready and any(True for _ in _prices(state))


def _prices(state: State) -> list[int]:
    return [
        state.price_minor(slot, "cash")
        for slot in state.prices.prices
        if state.stock.get(slot, 0) > 0 and slot not in state.closed
    ]


def _padded(counts: Sequence[int], values: Sequence[int]) -> tuple[int, ...]:
    return (*counts[: len(values)], *[0] * (len(values) - len(counts)))
