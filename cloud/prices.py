"""Wanted, applied and charged, side by side; and setting what is wanted."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cloud.database import StoreError
from cloud.store import Store
from shared import money
from shared.messages import PriceList, Reported

Tender = Literal["cash", "card"]


@dataclass(frozen=True, slots=True)
class Row:
    """One slot's price for one tender in the three columns, minor units; None where nothing is known."""

    machine: str
    slot: str
    tender: Tender
    currency: str
    wanted_minor: int | None
    applied_minor: int | None
    charged_minor: int | None
    wanted_version: int | None
    applied_version: int | None
    charged_version: int | None
    refused: str

    @property
    def trouble(self) -> str:
        """Why the columns disagree, or nothing. What was charged before the change is history."""
        if self.wanted_minor not in {None, self.applied_minor}:
            return f"refused: {self.refused}" if self.refused else "not applied yet"
        is_current = self.charged_version == self.applied_version
        return "charged otherwise" if is_current and self.charged_minor != self.applied_minor else ""

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "agrees": not self.trouble}


def table(store: Store) -> list[Row]:
    """Cards have a row of their own where they have a price of their own, wanted or applied."""
    rows: list[Row] = []
    for known in store.machines():
        reported = Reported.model_validate_json(known["reported"]) if known["reported"] else None
        rows += _rows(known["machine"], reported, store.wanted(known["machine"]), store)
    return rows


def _rows(machine: str, reported: Reported | None, wanted: PriceList | None, store: Store) -> list[Row]:
    charged = store.charged(machine)
    lists = [prices for prices in (wanted, reported.prices if reported else None) if prices]
    slots = {*(slot for prices in lists for slot in prices.prices), *(slot for slot, _ in charged)}
    own = {slot for prices in lists for slot in prices.card_prices}
    keys: list[tuple[str, Tender]] = [(slot, "cash") for slot in slots]
    keys += [(slot, "card") for slot in own]
    return [
        Row(
            machine=machine,
            slot=slot,
            tender=tender,
            currency=lists[0].currency if lists else "",
            wanted_minor=_price(wanted, slot, tender),
            applied_minor=_price(reported.prices if reported else None, slot, tender),
            charged_minor=charged[slot, tender]["price_minor"] if (slot, tender) in charged else None,
            wanted_version=wanted.version if wanted else None,
            applied_version=reported.prices.version if reported else None,
            charged_version=charged[slot, tender]["price_version"] if (slot, tender) in charged else None,
            refused=reported.refused.reason if reported and reported.refused else "",
        )
        for slot, tender in sorted(keys)
    ]


def _price(prices: PriceList | None, slot: str, tender: Tender) -> int | None:
    return prices.of(slot, tender) if prices and slot in prices.prices else None


def change(
    store: Store,
    machines: Sequence[str] | None,
    amounts: Mapping[str, str],
    at_ns: int,
    tender: Tender = "cash",
) -> dict[str, PriceList]:
    """Want new prices at some slots; other slots keep theirs. All machines named, or none, are changed.

    `machines`: None is every machine that has these slots. `amounts`: major units as typed, by slot. Cards
    pay what cash pays until they have a price of their own.
    Raises StoreError or ValueError in the operator's words.
    """
    reported = {
        row["machine"]: Reported.model_validate_json(row["reported"]).prices
        for row in store.machines()
        if row["reported"]
    }
    if machines is None:
        machines = [name for name, prices in reported.items() if amounts.keys() <= prices.prices.keys()]
        if not machines:
            raise StoreError(f"no machine has {', '.join(sorted(amounts))}")
    for machine in machines:
        if machine not in reported:
            raise StoreError(f"{machine}: this machine has never reported its prices; is the name right?")
    currencies = sorted({reported[machine].currency for machine in machines})
    if len(currencies) > 1:
        raise StoreError(f"these machines sell in {' and '.join(currencies)}; change one currency at a time")
    lists = {m: _changed(m, reported[m], store.wanted(m), amounts, tender) for m in machines}
    store.want(lists, at_ns)
    return lists


def _changed(
    machine: str, applied: PriceList, wanted: PriceList | None, amounts: Mapping[str, str], tender: Tender
) -> PriceList:
    """The slots are those the machine has: it refuses a list with others, or without one of them."""
    unknown = sorted(amounts.keys() - applied.prices.keys())
    if unknown:
        raise StoreError(f"{machine}: no slot {unknown[0]}; it has {', '.join(sorted(applied.prices))}")
    prices, by_card = dict(applied.prices), dict(applied.card_prices)
    version = applied.version
    if wanted is not None:
        version = max(version, wanted.version)
        if wanted.currency == applied.currency:
            prices |= {slot: price for slot, price in wanted.prices.items() if slot in prices}
            by_card = {slot: price for slot, price in wanted.card_prices.items() if slot in prices}
    changed = prices if tender == "cash" else by_card
    changed |= {slot: money.parse(amount, applied.currency) for slot, amount in amounts.items()}
    return PriceList(version=version + 1, currency=applied.currency, prices=prices, card_prices=by_card)
