"""Wanted, applied and charged, side by side, and every disagreement between the three."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from shared import money
from shared.messages import Config, PriceList, Reported, Stock
from shared.schedules import Priced

_SESSION_NS: Final = 2 * 3_600 * 10**9  # so long money may wait for a choice, at the price it came for
_LOOK_NS: Final = 15 * 60 * 10**9


@dataclass(frozen=True, slots=True)
class Charged:
    price_minor: int
    price_version: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class Row:
    """One slot's price for one tender in the three columns, minor units; None where nothing is known.

    Prices of the lists, without schedules. `trouble`: why the columns disagree, or nothing.
    """

    machine: str
    slot: str
    tender: Priced
    currency: str
    wanted_minor: int | None
    applied_minor: int | None
    charged_minor: int | None
    wanted_version: int | None
    applied_version: int | None
    charged_version: int | None
    trouble: str

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "agrees": not self.trouble}


@dataclass(frozen=True, slots=True)
class Disagreement:
    """`slot` is empty where it is about the whole machine. Times and amounts are in words."""

    machine: str
    slot: str
    what: str
    wanted: str
    applied: str
    charged: str
    why: str


@dataclass(frozen=True, slots=True)
class Told:
    """All that is known of one machine's prices and config."""

    machine: str
    wanted: PriceList | None
    config: Config | None
    reported: Reported | None
    stock: Stock | None
    charged: Mapping[tuple[str, str], Charged]


_ALL: Final = (
    "SELECT machine, reported, stock, p.payload AS prices, c.payload AS config FROM ("
    "SELECT machine FROM machine UNION SELECT machine FROM wanted) "
    "LEFT JOIN machine USING (machine) "
    "LEFT JOIN (SELECT machine, payload FROM wanted WHERE topic = 'prices') p USING (machine) "
    "LEFT JOIN (SELECT machine, payload FROM wanted WHERE topic = 'config') c USING (machine) "
    "WHERE :only IS NULL OR machine = :only ORDER BY machine"
)


def told(db: sqlite3.Connection, only: str | None = None) -> Iterator[Told]:
    """Every machine that is known, or one, by name; one at a time."""
    for row in db.execute(_ALL, {"only": only}):
        charged = db.execute("SELECT * FROM charged WHERE machine = ?", (row["machine"],))
        yield Told(
            machine=row["machine"],
            wanted=PriceList.model_validate_json(row["prices"]) if row["prices"] else None,
            config=Config.model_validate_json(row["config"]) if row["config"] else None,
            reported=Reported.model_validate_json(row["reported"]) if row["reported"] else None,
            stock=Stock.model_validate_json(row["stock"]) if row["stock"] else None,
            charged={
                (c["slot"], c["tender"]): Charged(c["price_minor"], c["price_version"], c["at_ns"])
                for c in charged
            },
        )


def table(db: sqlite3.Connection, only: str | None = None) -> Iterator[Row]:
    """Cards have a row of their own where they have a price of their own, wanted or applied."""
    for machine in told(db, only):
        yield from rows(machine)


def rows(machine: Told) -> Iterator[Row]:
    wanted, charged = machine.wanted, machine.charged
    applied = machine.reported.prices if machine.reported else None
    lists = [prices for prices in (wanted, applied) if prices]
    slots = {*(slot for prices in lists for slot in prices.prices), *(slot for slot, _ in charged)}
    own = {slot for prices in lists for slot in _by_card(prices)}
    keys: list[tuple[str, Priced]] = [(slot, "cash") for slot in slots]
    keys += [(slot, "card") for slot in own]
    for slot, tender in sorted(keys):
        last = charged.get((slot, tender))
        yield Row(
            machine=machine.machine,
            slot=slot,
            tender=tender,
            currency=lists[0].currency if lists else "",
            wanted_minor=_price(wanted, slot, tender),
            applied_minor=_price(applied, slot, tender),
            charged_minor=last.price_minor if last else None,
            wanted_version=wanted.version if wanted else None,
            applied_version=applied.version if applied else None,
            charged_version=last.price_version if last else None,
            trouble=_trouble(machine, slot, tender, last),
        )


def _by_card(prices: PriceList) -> set[str]:
    """Slots where a card may pay another price than cash, at some time."""
    apart = [s for s in prices.schedules if len(s.tenders) == 1]
    scheduled = {slot for s in apart for slot in (*s.prices, *s.slots)}
    return {*prices.card_prices, *scheduled, *(prices.prices if any(s.percent_off for s in apart) else ())}


def _trouble(machine: Told, slot: str, tender: Priced, last: Charged | None) -> str:
    """Why the columns disagree, or nothing. What was charged before the change is history."""
    wanted, applied = machine.wanted, machine.reported.prices if machine.reported else None
    if wanted and slot in wanted.prices and _terms(wanted, slot, tender) != _terms(applied, slot, tender):
        refused = machine.reported.refused if machine.reported else None
        return f"refused: {refused.reason}" if refused else "not applied yet"
    if last is None or applied is None or last.price_version != applied.version:
        return ""
    return "" if _explained(applied, slot, tender, last) else "charged otherwise"


def _terms(prices: PriceList | None, slot: str, tender: Priced) -> object:
    """All that decides what a slot costs, at any time."""
    if prices is None or slot not in prices.prices:
        return None
    listed = prices.of(slot, tender)
    offers = [s for s in prices.schedules if s.price_minor(slot, tender, listed) is not None]
    times = [
        (s.name, s.days, s.start, s.end, s.first, s.last, s.price_minor(slot, tender, listed)) for s in offers
    ]
    return listed, times, prices.time_zone if offers else None


def _price(prices: PriceList | None, slot: str, tender: Priced) -> int | None:
    return prices.of(slot, tender) if prices and slot in prices.prices else None


def _explained(prices: PriceList, slot: str, tender: Priced, last: Charged) -> bool:
    """The list's price is right at any time: the machine may not have known what time it was. A schedule's
    is right if it held at the sale or shortly before, when the customer's money came in.
    """
    if slot not in prices.prices:
        return False
    if last.price_minor == prices.of(slot, tender):
        return True
    moments = range(last.at_ns, last.at_ns - _SESSION_NS - 1, -_LOOK_NS)
    return any(last.price_minor == prices.of(slot, tender, prices.holding(at_ns)) for at_ns in moments)


# --- disagreements ------------------------------------------------------------------------------------------


def disagreements(db: sqlite3.Connection, only: str | None = None) -> Iterator[Disagreement]:
    for machine in told(db, only):
        yield from _of_prices(machine)
        yield from _of_config(machine)


def _of_prices(machine: Told) -> Iterator[Disagreement]:
    for row in rows(machine):
        if row.trouble:
            yield Disagreement(
                machine=row.machine,
                slot=row.slot,
                what=f"price by {row.tender}",
                wanted=_text(row.wanted_minor, row.currency),
                applied=_text(row.applied_minor, row.currency),
                charged=_text(row.charged_minor, row.currency),
                why=row.trouble,
            )


def _text(amount_minor: int | None, currency: str) -> str:
    return "-" if amount_minor is None else money.text(amount_minor, currency)


def _of_config(machine: Told) -> Iterator[Disagreement]:
    config, reported = machine.config, machine.reported
    applied = reported.config_version if reported else 0
    if config is not None and config.version != applied:
        refused = reported.config_refused if reported else None
        why = f"refused: {refused.reason}" if refused else "not applied yet"
        versions = (f"version {config.version}", f"version {applied}")
        yield Disagreement(machine.machine, "", "config", *versions, "", why)
    for slot, held in (machine.stock.slots if machine.stock else {}).items():
        if held.wanted is not None:
            why = f"{held.count} of the old product are in it: refill it"
            yield Disagreement(machine.machine, slot, "product", held.wanted, held.product, "", why)
