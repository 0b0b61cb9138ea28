"""Single edits of the plan: prices of slots at machines that are there."""

import sqlite3
from collections.abc import Mapping, Sequence

from cloud.database import StoreError
from cloud.prices import told
from cloud.wanted import desk
from cloud.wanted.plan import Plan
from shared import money
from shared.fields import MAX_PRICE_MINOR
from shared.schedules import Priced


def change(
    db: sqlite3.Connection,
    machines: Sequence[str] | None,
    amounts: Mapping[str, str],
    tender: Priced = "cash",
) -> desk.Draft:
    """Want new prices at some slots; other slots keep theirs. All machines named, or none, are changed.

    `machines`: None is every machine that has these slots. `amounts`: major units as typed, by slot. Cards
    pay what cash pays until they have a price of their own.
    Raises StoreError or ValueError in the operator's words.
    """
    asked = told(db) if machines is None else (m for name in machines for m in told(db, name))
    reported = {m.machine: m.reported.prices for m in asked if m.reported}
    if machines is None:
        machines = [name for name, prices in reported.items() if amounts.keys() <= prices.prices.keys()]
        if not machines:
            raise StoreError(f"no machine has {', '.join(sorted(amounts))}")
    for machine in machines:
        if machine not in reported:
            raise StoreError(f"{machine}: this machine has never reported its prices; is the name right?")
        unknown = sorted(amounts.keys() - reported[machine].prices.keys())
        if unknown:
            slots = ", ".join(sorted(reported[machine].prices))
            raise StoreError(f"{machine}: no slot {unknown[0]}; it has {slots}")
    currencies = sorted({reported[machine].currency for machine in machines})
    if len(currencies) > 1:
        raise StoreError(f"these machines sell in {' and '.join(currencies)}; change one currency at a time")
    minor = {slot: _parsed(slot, amount, currencies[0]) for slot, amount in amounts.items()}

    def edit(plan: Plan) -> Plan:
        return _with_prices(plan, machines, minor, currencies[0], tender)

    return desk.draft(db, edit, lambda _done: None)


def _parsed(slot: str, amount: str, currency: str) -> int:
    minor = money.parse(amount, currency)
    if not 0 < minor <= MAX_PRICE_MINOR:
        most = money.text(MAX_PRICE_MINOR, currency)
        raise ValueError(f"{slot}={amount}: a price is more than 0 and at most {most}")
    return minor


def _with_prices(
    plan: Plan, machines: Sequence[str], minor: Mapping[str, int], currency: str, tender: Priced
) -> Plan:
    key = "slot_prices" if tender == "cash" else "card_slot_prices"
    scopes = dict(plan.machines)
    for machine in machines:
        chain = plan.chain(machine)
        own = chain[0].model_copy(update={key: {**getattr(chain[0], key), **minor}})
        if next((s.currency for s in chain if s.currency), None) != currency:
            own = own.model_copy(update={"currency": currency})
        scopes[machine] = own
    return plan.model_copy(update={"machines": scopes})
