"""Coins, notes, the lever and claim codes: money is never unexpected."""

from dataclasses import replace

from edge.sale import card, claims, payout, revalue
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale.accept import card_room, takes_note
from edge.sale.change import worth
from edge.sale.operator_events import ClaimCredited
from edge.sale.state import Phase, Stacking, State, add_totals, told
from edge.sale.step import Machine, Step
from edge.sale.visit_events import ClaimPaid
from shared import money
from shared import records as m


def coin(_machine: Machine, state: State, event: ev.CoinIn, now_s: float) -> Step:
    tubes = payout.with_count(state.tubes, event.coin, event.in_tube)
    paying = state.paying
    in_tube = event.route is ev.Route.TUBE
    if paying is not None and in_tube:
        # It fell in while others fall out: without this the difference of counts would miss one paid coin.
        before = paying.tubes_before
        paying = replace(paying, tubes_before=payout.with_count(before, event.coin, before[event.coin] + 1))
    moved_minor = worth(tubes, state.values_minor) - worth(state.tubes, state.values_minor)
    paid_minor = event.value_minor if in_tube else 0
    state = replace(state, tubes=tubes, paying=paying)
    if not in_tube:
        state = replace(state, cashbox_minor=state.cashbox_minor + event.value_minor)
    done = _credited(state, event.value_minor, "coin", event.coin, "tube" if in_tube else "cashbox", now_s)
    if paying is not None and paying.coins_open:
        return done  # counts at the end of the payout tell
    found = payout.tubes_corrected(state, moved_minor - paid_minor)
    return Step(done.state, (*done.records, *found), done.effects)


def bill(_machine: Machine, state: State, event: ev.BillIn, now_s: float, *, found: bool = False) -> Step:
    """`found`: seen by a count, after a start."""
    state = replace(state, stacking=None)
    if event.route is ev.BillRoute.CASHBOX:
        bills = state.stacker_bills + (not found)  # when it was found, the count has it already
        stacker_minor = state.stacker_minor + event.value_minor
        state = replace(state, stacker_bills=bills, stacker_minor=stacker_minor)
    else:
        paying, count = state.paying, _count(state.recycled, event.bill) + 1
        if paying is not None:
            before = _count(paying.recycled_before, event.bill) + 1
            changed = payout.with_count(paying.recycled_before, event.bill, before)
            paying = replace(paying, recycled_before=changed)
        state = replace(state, recycled=payout.with_count(state.recycled, event.bill, count), paying=paying)
    route = "recycler" if event.route is ev.BillRoute.RECYCLER else "stacker"
    return _credited(state, event.value_minor, "note", event.bill, route, now_s, found=found)


def _count(counts: tuple[int, ...], kind: int) -> int:
    return counts[kind] if kind < len(counts) else 0


def _credited(
    state: State, value_minor: int, medium: str, kind: int, route: str, now_s: float, *, found: bool = False
) -> Step:
    record = m.CashIn.model_validate(
        {
            "value_minor": value_minor,
            "currency": state.prices.currency,
            "medium": medium,
            "type": kind,
            "route": route,
            "found": found,
        }
    )
    for_card = value_minor <= card_room(state)
    state = add_totals(
        replace(state, credit_minor=state.credit_minor + value_minor), cash_in_minor=value_minor
    )
    state = told(state, credit_text(state))
    if state.phase is Phase.IDLE:
        state = replace(state, phase=Phase.CREDIT)
    elif state.phase is Phase.AUTHORISING and state.card is not None and not state.card.cancelled:
        done = card.withdraw(state)  # the customer pays cash instead
        return Step(done.state, (record,), done.effects)
    elif for_card:
        done = revalue.begin(state, now_s)
        return Step(done.state, (record,), done.effects)
    return Step(state, (record,))


def escrowed(machine: Machine, state: State, event: ev.BillEscrowed, _now_s: float) -> Step:
    """A note is stacked only if the customer can buy something with it and get the change."""
    stack = state.stacking is None and takes_note(state, machine.policy, event.value_minor)
    if stack:
        stacking = Stacking(event.bill, state.stacker_bills)
        settle = act.SettleBill(event.bill, stack=True)
        return Step(replace(state, stacking=stacking), effects=(settle,))
    note = money.text(event.value_minor, state.prices.currency)
    return Step(told(state, f"no change for {note}"), effects=(act.SettleBill(event.bill, stack=False),))


def returned(_machine: Machine, state: State, _event: ev.BillReturned, _now_s: float) -> Step:
    return Step(replace(state, stacking=None))


def lever(machine: Machine, state: State, _event: ev.Lever, _now_s: float) -> Step:
    return payout.start(machine, state, "refund")


def claim(machine: Machine, state: State, event: ev.ClaimEntered, _now_s: float) -> Step:
    """A code of this machine becomes credit, once. The technician makes a machine listen again."""
    if state.wrong_claims >= claims.WRONG_LIMIT:
        return Step(told(state, "too many wrong codes: please ask the operator"))
    number = claims.find(machine.claim_key, state.claims, event.code)
    if number is None:
        return Step(told(replace(state, wrong_claims=state.wrong_claims + 1), "this code is not known here"))
    return _redeemed(machine, state, number)


def claim_credited(machine: Machine, state: State, event: ClaimCredited, _now_s: float) -> Step:
    """The operator knows the customer: wrong codes from before are forgiven."""
    number = claims.find(machine.claim_key, state.claims, event.code)
    return Step(state) if number is None else _redeemed(machine, state, number)


def _redeemed(machine: Machine, state: State, number: int) -> Step:
    amount_minor = state.claims[number]
    state = replace(
        add_totals(state, redeemed_minor=amount_minor),
        claims={n: a for n, a in state.claims.items() if n != number},
        wrong_claims=0,
        credit_minor=state.credit_minor + amount_minor,
        phase=Phase.CREDIT,
    )
    used = m.ClaimUsed(
        claim=claims.code(machine.claim_key, number, amount_minor),
        amount_minor=amount_minor,
        currency=state.prices.currency,
    )
    return Step(told(state, credit_text(state)), (used,))


def claim_paid(machine: Machine, state: State, event: ClaimPaid, _now_s: float) -> Step:
    number = claims.find(machine.claim_key, state.claims, event.code)
    assert number is not None  # looked at when it was asked for
    amount_minor = state.claims[number]
    state = replace(
        add_totals(state, settled_minor=amount_minor),
        claims={n: a for n, a in state.claims.items() if n != number},
    )
    paid = m.ClaimPaid(
        claim=claims.code(machine.claim_key, number, amount_minor),
        amount_minor=amount_minor,
        currency=state.prices.currency,
    )
    return Step(state, (paid,))


def credit_text(state: State) -> str:
    return "credit " + money.text(state.credit_minor, state.prices.currency)
