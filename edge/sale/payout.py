"""Giving money back: what was paid is read off tubes and recycler, never off the order.

A payout cut by a reset, a lost answer or a power cut ends the same way: counts before against counts after.
"""

from dataclasses import replace
from typing import Final, Literal

from edge.sale import claims
from edge.sale.accept import payable
from edge.sale.change import coins_for, worth
from edge.sale.effects import Effect, PayOut, PayOutBills
from edge.sale.state import Paying, Phase, State, add_totals, told
from edge.sale.step import Machine, Step
from shared import money
from shared import records as m

# A poll reply holds at most 16 bytes, two a coin. So one lost reply explains at most this many coins; more
# were loaded by hand.
MAX_FOUND_COINS: Final = 8


def start(machine: Machine, state: State, reason: Literal["change", "refund"]) -> Step:
    """Pay the credit back as far as coins and notes can. With nothing to pay from, the credit stays: the
    customer may still buy, or press the lever again; change after a sale is then owed.
    """
    if state.credit_minor == 0:
        return Step(replace(state, phase=Phase.IDLE))
    values, counts = payable(state)
    plan = coins_for(state.credit_minor, values, counts)
    coins, notes = plan[: len(state.values_minor)], plan[len(state.values_minor) :]
    if not any(plan):
        if reason == "change" and machine.policy.without_change == "owe" and not state.changer:
            return owe(machine, replace(state, credit_minor=0), state.credit_minor, "no_change")
        return Step(told(replace(state, phase=Phase.CREDIT), "no change now: choose a product"))
    paying = Paying(
        wanted_minor=state.credit_minor,
        reason=reason,
        tubes_before=state.tubes,
        recycled_before=state.recycled,
        coins_open=any(coins),
        notes_open=any(notes),
    )
    effects: tuple[Effect, ...] = (PayOut(coins, state.tubes),) if any(coins) else ()
    if any(notes):
        effects = (*effects, PayOutBills(notes))
    return Step(replace(state, phase=Phase.PAYING, paying=paying), effects=effects)


def coins_ended(machine: Machine, state: State, tubes: tuple[int, ...]) -> Step:
    """The changer's part is over, whether it was asked for one or not."""
    paying = state.paying
    if paying is None or not paying.coins_open:
        return recount(state, tubes)
    left_minor = worth(paying.tubes_before, state.values_minor) - worth(tubes, state.values_minor)
    paid_minor = max(0, min(left_minor, paying.wanted_minor - paying.paid_minor))
    paying = replace(paying, coins_open=False, paid_minor=paying.paid_minor + paid_minor)
    state = replace(state, paying=paying, tubes=tubes)
    return _end(machine, state, _difference(state, paid_minor - left_minor))


def notes_ended(machine: Machine, state: State, recycled: tuple[int, ...]) -> Step:
    """The recycler's part is over, whether it was asked for one or not."""
    paying = state.paying
    if paying is None or not paying.notes_open:
        return recount_notes(state, recycled)
    values = state.note_values_minor
    left_minor = worth(paying.recycled_before, values) - worth(recycled, values)
    paid_minor = max(0, min(left_minor, paying.wanted_minor - paying.paid_minor))
    paying = replace(
        paying,
        notes_open=False,
        paid_minor=paying.paid_minor + paid_minor,
        paid_notes_minor=paid_minor,
    )
    state = replace(state, paying=paying, recycled=recycled)
    return _end(machine, state, _notes_difference(state, paid_minor - left_minor))


def _end(machine: Machine, state: State, records: tuple[m.Body, ...]) -> Step:
    """Once both parts are over: book what was paid, owe what was not."""
    paying = state.paying
    assert paying is not None
    if paying.coins_open or paying.notes_open:
        return Step(state, records)
    paid = m.Payout(
        wanted_minor=paying.wanted_minor,
        paid_minor=paying.paid_minor,
        paid_notes_minor=paying.paid_notes_minor,
        currency=state.prices.currency,
        reason="change" if paying.reason == "change" else "refund",
    )
    short_minor = paying.wanted_minor - paying.paid_minor
    credit_minor = state.credit_minor - paying.wanted_minor  # a coin may have come in meanwhile
    state = replace(
        add_totals(state, paid_out_minor=paying.paid_minor),
        phase=Phase.CREDIT if credit_minor else Phase.IDLE,
        credit_minor=credit_minor,
        paying=None,
    )
    if not short_minor:
        done = told(state, "") if paying.reason == "refund" and not credit_minor else state
        return Step(done, (paid, *records))
    owed = owe(machine, state, short_minor, "tubes_ran_short")
    return Step(owed.state, (paid, *records, *owed.records))


def owe(machine: Machine, state: State, amount_minor: int, reason: str) -> Step:
    """Money that cannot be given back: the customer gets a code that is good for it here, once."""
    number = state.last_claim + 1
    code = claims.code(machine.claim_key, number, amount_minor)
    state = replace(
        add_totals(state, owed_minor=amount_minor),
        claims={**state.claims, number: amount_minor},
        last_claim=number,
        phase=state.phase if state.credit_minor else Phase.IDLE,
    )
    currency = state.prices.currency
    record = m.Owed(amount_minor=amount_minor, currency=currency, reason=reason, claim=code)
    return Step(told(state, f"we owe you {money.text(amount_minor, currency)}: code {code}"), (record,))


# --- counts read while nothing was ordered ----------------------------------------------------------------


def recount(state: State, tubes: tuple[int, ...]) -> Step:
    """A small surplus is coins whose report was lost between changer and journal: the customer's money.
    Anything else was done by hand and is only written down.
    """
    gained = {t: tubes[t] - old for t, old in enumerate(state.tubes) if t < len(tubes) and tubes[t] != old}
    difference_minor = worth(tubes, state.values_minor) - worth(state.tubes, state.values_minor)
    state = replace(state, tubes=tubes)
    if not difference_minor:
        return Step(state)
    if min(gained.values()) < 0 or sum(gained.values()) > MAX_FOUND_COINS:
        return Step(state, _difference(state, difference_minor))
    found = tuple(
        m.CashIn(
            value_minor=state.values_minor[coin],
            currency=state.prices.currency,
            medium="coin",
            type=coin,
            route="tube",
            found=True,
        )
        for coin, count in gained.items()
        for _ in range(count)
        if state.values_minor[coin]
    )
    state = add_totals(
        replace(state, credit_minor=state.credit_minor + difference_minor), cash_in_minor=difference_minor
    )
    if state.phase is Phase.IDLE:
        state = replace(state, phase=Phase.CREDIT)
    return Step(state, found)


def recount_notes(state: State, recycled: tuple[int, ...]) -> Step:
    """Each note that counts is told by its own event, so any difference was made by hand."""
    values = state.note_values_minor
    difference_minor = worth(recycled, values) - worth(state.recycled, values)
    state = replace(state, recycled=recycled)
    return Step(state, _notes_difference(state, difference_minor))


def _difference(state: State, difference_minor: int) -> tuple[m.Body, ...]:
    if not difference_minor:
        return ()
    return (m.TubesCorrected(difference_minor=difference_minor, currency=state.prices.currency),)


def _notes_difference(state: State, difference_minor: int) -> tuple[m.Body, ...]:
    if not difference_minor:
        return ()
    return (m.RecyclerCorrected(difference_minor=difference_minor, currency=state.prices.currency),)


def with_count(counts: tuple[int, ...], kind: int, count: int) -> tuple[int, ...]:
    """Counts with one of them replaced; the tuple grows to hold it."""
    padded = counts + (0,) * (kind + 1 - len(counts))
    return (*padded[:kind], count, *padded[kind + 1 :])
