"""Giving money back: what was paid is read off tubes and recycler, never off the order.

A payout cut by a reset, a lost answer or a power cut ends the same way: counts before against counts after.
"""

from collections.abc import Sequence
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

Reason = Literal["change", "refund"]


def start(machine: Machine, state: State, reason: Reason) -> Step:
    """Pay the credit back as far as coins and notes can. With nothing to pay from, a refund is owed; change
    stays credit, unless the operator wants it owed. Without a changer all of it stays credit.
    """
    if state.credit_minor == 0:
        return Step(replace(state, phase=Phase.IDLE))
    done = _order(state, reason, state.credit_minor, frozenset())
    if done is not None:
        return done
    if not state.changer and (reason == "refund" or machine.policy.without_change == "owe"):
        return owe(machine, replace(state, credit_minor=0), state.credit_minor, "no_change")
    return Step(told(replace(state, phase=Phase.CREDIT), "no change now: choose a product"))


def _order(state: State, reason: Reason, amount_minor: int, avoid: frozenset[int]) -> Step | None:
    """Order coins and notes for an amount; None where there are none for any part of it."""
    values, counts = payable(state)
    counts = tuple(0 if kind in avoid else count for kind, count in enumerate(counts))
    plan = coins_for(amount_minor, values, counts)
    if not any(plan):
        return None
    coins, notes = plan[: len(state.values_minor)], plan[len(state.values_minor) :]
    paying = Paying(
        wanted_minor=amount_minor,
        reason=reason,
        plan=plan,
        tubes_before=state.tubes,
        recycled_before=state.recycled,
        coins_open=any(coins),
        notes_open=any(notes),
        avoid=avoid,
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
    coins = len(state.values_minor)
    paying = replace(
        _without_missing(paying, 0, paying.plan[:coins], paying.tubes_before, tubes),
        coins_open=False,
        paid_minor=paying.paid_minor + paid_minor,
    )
    state = replace(state, paying=paying, tubes=tubes)
    return _end(machine, state, tubes_corrected(state, paid_minor - left_minor))


def _without_missing(
    paying: Paying, first: int, plan: Sequence[int], before: Sequence[int], after: Sequence[int]
) -> Paying:
    """Types of which fewer came than were ordered are not ordered again; after a cut nobody knows which."""
    if paying.cut:
        return paying
    missing = (
        first + kind
        for kind, count in enumerate(plan)
        if count and before[kind] - (after[kind] if kind < len(after) else 0) < count
    )
    return replace(paying, avoid=paying.avoid.union(missing))


def notes_ended(machine: Machine, state: State, recycled: tuple[int, ...]) -> Step:
    """The recycler's part is over, whether it was asked for one or not."""
    paying = state.paying
    if paying is None or not paying.notes_open:
        return recount_notes(state, recycled)
    values = state.note_values_minor
    left_minor = worth(paying.recycled_before, values) - worth(recycled, values)
    paid_minor = max(0, min(left_minor, paying.wanted_minor - paying.paid_minor))
    coins = len(state.values_minor)
    paying = replace(
        _without_missing(paying, coins, paying.plan[coins:], paying.recycled_before, recycled),
        notes_open=False,
        paid_minor=paying.paid_minor + paid_minor,
        paid_notes_minor=paid_minor,
    )
    state = replace(state, paying=paying, recycled=recycled)
    return _end(machine, state, recycler_corrected(state, paid_minor - left_minor))


def gave_up(machine: Machine, state: State, _event: object, _now_s: float) -> Step:
    """A device that went away in the middle does not come back: what it paid is not known, and all is owed.

    When it comes back after all, its counts are a correction, and what had come out was the operator's loss.
    """
    paying = state.paying
    assert paying is not None
    coins_lost = paying.coins_open and bool(state.changer)
    notes_lost = paying.notes_open and bool(state.validator)
    state = replace(state, deadline_s=None)
    if not (coins_lost or notes_lost):
        return Step(state)
    state = replace(state, paying=replace(paying, cut=True, lost=True))
    done = coins_ended(machine, state, paying.tubes_before) if coins_lost else Step(state)
    if not notes_lost:
        return done
    notes = notes_ended(machine, done.state, paying.recycled_before)
    return Step(notes.state, (*done.records, *notes.records), (*done.effects, *notes.effects))


def _end(machine: Machine, state: State, records: tuple[m.Body, ...]) -> Step:
    """Once both parts are over: book what was paid, and see to the rest."""
    paying = state.paying
    assert paying is not None
    if paying.coins_open or paying.notes_open:
        return Step(state, records)
    paid = m.Payout(
        wanted_minor=paying.wanted_minor,
        paid_minor=paying.paid_minor,
        paid_notes_minor=paying.paid_notes_minor,
        currency=state.prices.currency,
        reason=paying.reason,
    )
    credit_minor = state.credit_minor - paying.paid_minor  # with coins that came in meanwhile
    state = replace(
        add_totals(state, paid_out_minor=paying.paid_minor),
        phase=Phase.CREDIT if credit_minor else Phase.IDLE,
        credit_minor=credit_minor,
        paying=None,
        deadline_s=None,
    )
    if paying.paid_minor < paying.wanted_minor:
        done = _rest(machine, state, paying)
    else:
        done = Step(told(state, "") if paying.reason == "refund" and not credit_minor else state)
    return Step(done.state, (paid, *records, *done.records), done.effects)


def _rest(machine: Machine, state: State, paying: Paying) -> Step:
    """What did not come is ordered from other types, and in the end owed; a payout that was cut goes on.

    Counts were read in between, so nothing is paid twice. Each round leaves out a type, or had been cut.
    """
    short_minor = paying.wanted_minor - paying.paid_minor
    if not paying.lost:
        again = _order(state, paying.reason, short_minor, paying.avoid)
        if again is not None:
            return again
        if state.changer:
            return Step(state)  # not yet ready again: the customer presses the lever once more
    state = replace(state, credit_minor=state.credit_minor - short_minor)
    return owe(machine, state, short_minor, "payout_in_doubt" if paying.lost else "tubes_ran_short")


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
    now = (*tubes, *[0] * (len(state.tubes) - len(tubes)))  # a changer may leave the last ones out
    gained = {t: now[t] - old for t, old in enumerate(state.tubes) if now[t] != old}
    difference_minor = worth(tubes, state.values_minor) - worth(state.tubes, state.values_minor)
    state = replace(state, tubes=tubes)
    if not difference_minor:
        return Step(state)
    if min(gained.values()) < 0 or sum(gained.values()) > MAX_FOUND_COINS:
        return Step(state, tubes_corrected(state, difference_minor))
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
    return Step(state, recycler_corrected(state, difference_minor))


def tubes_corrected(state: State, difference_minor: int) -> tuple[m.Body, ...]:
    if not difference_minor:
        return ()
    return (m.TubesCorrected(difference_minor=difference_minor, currency=state.prices.currency),)


def recycler_corrected(state: State, difference_minor: int) -> tuple[m.Body, ...]:
    if not difference_minor:
        return ()
    return (m.RecyclerCorrected(difference_minor=difference_minor, currency=state.prices.currency),)


def with_count(counts: tuple[int, ...], kind: int, count: int) -> tuple[int, ...]:
    """Counts with one of them replaced; the tuple grows to hold it."""
    padded = counts + (0,) * (kind + 1 - len(counts))
    return (*padded[:kind], count, *padded[kind + 1 :])
