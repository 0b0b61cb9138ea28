"""Giving money back: what was paid is read off the tubes, never off the order.

Each function returns (state, records, effects), to be spread into a Step. A payout cut by a reset, a lost
answer or a power cut ends the same way: tube counts before against tube counts after.
"""

from dataclasses import replace
from typing import Final, Literal

from edge.sale.change import coins_for, worth
from edge.sale.effects import Effect, PayOut
from edge.sale.state import Paying, Phase, State, add_totals
from shared import messages as m

Outcome = tuple[State, tuple[m.Body, ...], tuple[Effect, ...]]

# A poll reply holds at most 16 bytes, two a coin. So one lost reply explains at most this many coins; more
# were loaded by hand.
MAX_FOUND_COINS: Final = 8


def start(state: State, reason: Literal["change", "refund"]) -> Outcome:
    """Pay the credit back as far as the tubes can. Without a changer, or with nothing to pay from, the credit
    stays: the customer may still buy, or press the lever again.
    """
    if state.credit_minor == 0:
        return replace(state, phase=Phase.IDLE), (), ()
    coins = coins_for(state.credit_minor, state.values_minor, state.tubes)
    if state.changer or not any(coins):
        return replace(state, phase=Phase.CREDIT, message="no change now: choose a product"), (), ()
    paying = Paying(wanted_minor=state.credit_minor, reason=reason, tubes_before=state.tubes)
    return replace(state, phase=Phase.PAYING, paying=paying), (), (PayOut(coins, state.tubes),)


def end(state: State, tubes: tuple[int, ...]) -> Outcome:
    """A payout is over: book what left the tubes, owe what did not."""
    paying = state.paying
    assert paying is not None
    left_minor = worth(paying.tubes_before, state.values_minor) - worth(tubes, state.values_minor)
    paid_minor = max(0, min(left_minor, paying.wanted_minor))
    short_minor = paying.wanted_minor - paid_minor
    records: list[m.Body] = [
        m.Payout(
            wanted_minor=paying.wanted_minor,
            paid_minor=paid_minor,
            currency=state.prices.currency,
            reason="change" if paying.reason == "change" else "refund",
        )
    ]
    if left_minor != paid_minor:  # more left than was ordered, or coins appeared: not the customer's affair
        records.append(
            m.TubesCorrected(difference_minor=paid_minor - left_minor, currency=state.prices.currency)
        )
    if short_minor:
        records.append(
            m.Owed(amount_minor=short_minor, currency=state.prices.currency, reason="tubes_ran_short")
        )
    credit_minor = state.credit_minor - paying.wanted_minor  # a coin may have come in meanwhile
    state = add_totals(state, paid_out_minor=paid_minor, owed_minor=short_minor)
    state = replace(
        state,
        phase=Phase.CREDIT if credit_minor else Phase.IDLE,
        credit_minor=credit_minor,
        paying=None,
        tubes=tubes,
        message="please ask the operator for the rest" if short_minor else state.message,
    )
    return state, tuple(records), ()


def recount(state: State, tubes: tuple[int, ...]) -> Outcome:
    """Tube counts read while no payout ran. A small surplus is coins whose report was lost between changer
    and journal: the customer's money. Anything else was done by hand and is only written down.
    """
    gained = {t: tubes[t] - old for t, old in enumerate(state.tubes) if t < len(tubes) and tubes[t] != old}
    difference_minor = worth(tubes, state.values_minor) - worth(state.tubes, state.values_minor)
    state = replace(state, tubes=tubes)
    if not difference_minor:
        return state, (), ()
    currency = state.prices.currency
    if min(gained.values()) < 0 or sum(gained.values()) > MAX_FOUND_COINS:
        return state, (m.TubesCorrected(difference_minor=difference_minor, currency=currency),), ()
    found = tuple(
        m.CashIn(value_minor=state.values_minor[coin], currency=currency, coin=coin, route="tube", found=True)
        for coin, count in gained.items()
        for _ in range(count)
        if state.values_minor[coin]
    )
    state = add_totals(
        replace(state, credit_minor=state.credit_minor + difference_minor), cash_in_minor=difference_minor
    )
    if state.phase is Phase.IDLE:
        state = replace(state, phase=Phase.CREDIT)
    return state, found, ()


def with_count(tubes: tuple[int, ...], coin: int, count: int) -> tuple[int, ...]:
    """Tube counts with one of them replaced; the tuple grows to hold it."""
    padded = tubes + (0,) * (coin + 1 - len(tubes))
    return (*padded[:coin], count, *padded[coin + 1 :])
