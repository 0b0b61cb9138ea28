"""Wanted, applied and charged, side by side; and setting what is wanted."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cloud.store import Store, StoreError
from shared import money
from shared.messages import PriceList, Reported


@dataclass(frozen=True, slots=True)
class Row:
    """One slot's price in the three columns, minor units; None where nothing is known."""

    machine: str
    slot: str
    currency: str
    wanted_minor: int | None
    applied_minor: int | None
    charged_minor: int | None
    wanted_version: int | None
    applied_version: int | None
    charged_version: int | None
    refused: str

    @property
    def agrees(self) -> bool:
        """The machine has what is wanted; what was charged before the change is history, not disagreement."""
        stale = self.charged_version != self.applied_version
        return self.wanted_minor in {None, self.applied_minor} and (
            stale or self.charged_minor == self.applied_minor
        )

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "agrees": self.agrees}


def table(store: Store) -> list[Row]:
    rows: list[Row] = []
    for known in store.machines():
        machine = known["machine"]
        reported = Reported.model_validate_json(known["reported"]) if known["reported"] else None
        wanted = store.wanted(machine)
        charged = store.charged(machine)
        slots = {
            *(wanted.prices if wanted else ()),
            *(reported.prices.prices if reported else ()),
            *charged,
        }
        currency = (wanted or (reported.prices if reported else None)) or None
        rows += [
            Row(
                machine=machine,
                slot=slot,
                currency=currency.currency if currency else "",
                wanted_minor=wanted.prices.get(slot) if wanted else None,
                applied_minor=reported.prices.prices.get(slot) if reported else None,
                charged_minor=charged[slot]["price_minor"] if slot in charged else None,
                wanted_version=wanted.version if wanted else None,
                applied_version=reported.prices.version if reported else None,
                charged_version=charged[slot]["price_version"] if slot in charged else None,
                refused=reported.refused.reason if reported and reported.refused else "",
            )
            for slot in sorted(slots)
        ]
    return rows


def change(store: Store, machine: str, amounts: Mapping[str, str], at_ns: int) -> PriceList:
    """Want new prices at some slots of one machine; the other slots keep theirs.

    `amounts`: major units as typed, by slot. Raises StoreError or ValueError in the operator's words.
    """
    known = {row["machine"]: row for row in store.machines()}.get(machine)
    reported = Reported.model_validate_json(known["reported"]) if known and known["reported"] else None
    base = store.wanted(machine) or (reported.prices if reported else None)
    if base is None or reported is None:
        raise StoreError(f"{machine}: this machine has never reported its prices; is the name right?")
    unknown = sorted(set(amounts) - set(base.prices))
    if unknown:
        raise StoreError(f"{machine}: no slot {unknown[0]}; it has {', '.join(sorted(base.prices))}")
    changed = {slot: money.parse(amount, base.currency) for slot, amount in amounts.items()}
    version = max(base.version, reported.prices.version) + 1
    prices = PriceList.model_validate_json(
        json.dumps({"version": version, "currency": base.currency, "prices": {**base.prices, **changed}})
    )
    store.want(machine, prices, at_ns)
    return prices
