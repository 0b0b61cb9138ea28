"""What one machine gets: a price list and a config, looked up in the plan. Pure.

The nearest scope that prices a slot or its product decides what cash pays. Cards pay the nearest card price,
unless a nearer scope has a price for cash alone: then they pay that. Prices, schedules and limits of a scope
in another currency are not the machine's. What the plan says nothing about stays as the machine had it before
anybody wanted anything of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloud.wanted.plan import Plan, PlannedSchedule, Scope
from shared import money
from shared.messages import Config, PlannedSlot, PriceList
from shared.schedules import Priced, Schedule


class CannotResolveError(ValueError):
    """No list can be made for a machine; the text says what is missing, without its name."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a machine: `own` prices of before; what it `applied`, and the `products` in its slots
    as it said last. Any of it may be missing. `wanted`: a list was wanted of it before.
    """

    wanted: bool = False
    own: PriceList | None = None
    applied: PriceList | None = None
    products: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Both with version 0, None where nothing is wanted. `doubts`: what a person should look at first."""

    prices: PriceList | None
    config: Config | None
    doubts: tuple[str, ...] = ()


def resolve(plan: Plan, machine: str, known: Known) -> Resolved:
    """Raises CannotResolveError."""
    chain = plan.chain(machine)
    planogram = plan.planogram(machine)
    slots = planogram.slots if planogram else None
    currency = _currency(chain, known)
    config = _config(chain, _in_currency(chain, currency), slots)
    silent = known.applied is None and known.own is None and slots is None
    if silent or not (known.wanted or any(scope != Scope(groups=scope.groups) for scope in chain)):
        return Resolved(None, None)
    if not currency:
        raise CannotResolveError("no currency: the plan has none and the machine has not said its own")
    lookup = _Lookup(chain, slots, known, currency)
    return Resolved(lookup.price_list(), config, (*_doubts(slots, known, config), *lookup.doubts))


def _currency(chain: tuple[Scope, ...], known: Known) -> str:
    before = known.own or known.applied
    own = before.currency if before else ""
    return next((s.currency for s in chain if s.currency is not None), own)


def _in_currency(chain: tuple[Scope, ...], currency: str) -> tuple[Scope, ...]:
    """The machine's own scope is in its own currency; a group that names none is in the fleet's."""
    fleet = chain[-1].currency or currency
    return (chain[0], *(s for s in chain[1:] if (s.currency or fleet) == currency))


def _config(
    chain: tuple[Scope, ...], in_currency: tuple[Scope, ...], slots: Mapping[str, PlannedSlot] | None
) -> Config | None:
    notes = (s.largest_note_minor for s in in_currency if s.largest_note_minor is not None)
    policies = (s.without_change for s in chain if s.without_change is not None)
    off: dict[str, str] = {}
    for scope in reversed(chain):
        off = {t: why for t, why in off.items() if t not in scope.tenders_on} | dict(scope.tenders_off)
    config = Config.model_validate(
        {
            "version": 0,
            "slots": None if slots is None else dict(slots),
            "largest_note_minor": next(notes, None),
            "without_change": next(policies, None),
            "tenders_off": off,
        }
    )
    return None if config == Config(version=0) else config


def _doubts(slots: Mapping[str, PlannedSlot] | None, known: Known, config: Config | None) -> tuple[str, ...]:
    doubts = []
    if slots is not None and known.applied is not None:
        has = known.applied.prices.keys()
        if missing := sorted(has - slots.keys()):
            doubts.append(f"its slot {missing[0]} is not in the planogram: it will refuse that")
        if unknown := sorted(slots.keys() - has):
            doubts.append(f"it has no slot {unknown[0]}, which is in the planogram: it will refuse that")
    if config is not None and {"cash", "card"} <= config.tenders_off.keys():
        doubts.append("neither cash nor cards are taken")
    return tuple(doubts)


class _Lookup:
    """Prices of one machine. `doubts` grow while it looks."""

    def __init__(
        self,
        chain: tuple[Scope, ...],
        slots: Mapping[str, PlannedSlot] | None,
        known: Known,
        currency: str,
    ) -> None:
        self.doubts: list[str] = []
        self._known = known
        self._currency = currency
        self._chain = _in_currency(chain, currency)
        self._zone = next((s.time_zone for s in chain if s.time_zone is not None), None)
        if slots is not None:
            self._products: dict[str, str | None] = {slot: plan.product for slot, plan in slots.items()}
        else:
            had = known.applied or known.own
            assert had is not None  # otherwise nothing is wanted yet
            self._products = {slot: known.products.get(slot) for slot in had.prices}

    def price_list(self) -> PriceList:
        prices, by_card = {}, {}
        for slot in self._products:
            prices[slot] = self._cash(slot)
            card_minor = self._card(slot)
            if card_minor is not None and card_minor != prices[slot]:
                by_card[slot] = card_minor
        planned = next((s.schedules for s in self._chain if s.schedules is not None), ())
        schedules = (self._schedule(schedule) for schedule in planned)
        if planned and self._zone is None:
            raise CannotResolveError("its schedules need a time_zone")
        prices_list = PriceList(
            version=0,
            currency=self._currency,
            prices=prices,
            card_prices=by_card,
            time_zone=self._zone if planned else None,
            schedules=tuple(schedule for schedule in schedules if schedule is not None),
        )
        self._doubt_offers(prices_list)
        return prices_list

    def _cash(self, slot: str) -> int:
        for scope in self._chain:
            price_minor = scope.price_minor(slot, self._products[slot], "cash")
            if price_minor is not None:
                return self._positive(slot, price_minor)
        for prices in (self._known.own, self._known.applied):
            if prices is not None and prices.currency == self._currency and slot in prices.prices:
                if self._products[slot] is not None and any(s.prices for s in self._chain):
                    self.doubts.append(
                        f"no price for {self._products[slot]} (slot {slot}): it keeps "
                        + money.text(prices.prices[slot], self._currency)
                    )
                return prices.prices[slot]
        what = self._products[slot] or "its product"
        raise CannotResolveError(f"no price for {what} (slot {slot})")

    def _card(self, slot: str) -> int | None:
        for scope in self._chain:
            price_minor = scope.price_minor(slot, self._products[slot], "card")
            if price_minor is not None:
                return self._positive(slot, price_minor)
            if scope.price_minor(slot, self._products[slot], "cash") is not None:
                return None
        own = self._known.own
        return own.card_prices.get(slot) if own and own.currency == self._currency else None

    def _positive(self, slot: str, price_minor: int) -> int:
        if price_minor == 0:
            what = self._products[slot] or "its product"
            raise CannotResolveError(f"{what} (slot {slot}) costs nothing: a price is 1 minor unit or more")
        return price_minor

    def _schedule(self, planned: PlannedSchedule) -> Schedule | None:
        """None: it is about nothing that this machine has."""
        slots = {s for s in self._products if s in planned.slots or self._products[s] in planned.products}
        if not slots and (planned.slots or planned.products):
            return None
        by_product = {s: planned.prices[p] for s, p in self._products.items() if p in planned.prices}
        by_slot = {s: price for s, price in planned.slot_prices.items() if s in self._products}
        prices = {s: self._positive(s, price) for s, price in (by_product | by_slot).items()}
        if planned.percent_off is None and not prices:
            return None
        same = planned.model_dump(exclude={"products", "slots", "prices", "slot_prices"})
        return Schedule.model_validate({**same, "slots": tuple(sorted(slots)), "prices": prices})

    def _doubt_offers(self, prices: PriceList) -> None:
        tenders: tuple[Priced, ...] = ("cash", "card")
        for n, schedule in enumerate(prices.schedules):
            for slot in prices.prices:
                for tender in tenders:
                    listed, offer = prices.of(slot, tender), prices.of(slot, tender, (n,))
                    if tenfold(listed, offer):
                        self.doubts.append(
                            f"{schedule.name} asks {money.text(offer, self._currency)} for "
                            f"{self._products[slot] or slot} instead of {money.text(listed, self._currency)}"
                        )


def tenfold(before_minor: int, after_minor: int) -> bool:
    """Ten times as much, or a tenth: mostly a decimal point in the wrong place."""
    return max(before_minor, after_minor) >= 10 * min(before_minor, after_minor)
