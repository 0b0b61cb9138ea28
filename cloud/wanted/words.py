"""What a change means, in words: for each machine what it would get instead of what it has, and what is odd
about it. Machines that change alike are told together.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cloud.wanted.plan import Plan
from cloud.wanted.resolve import tenfold
from shared import money
from shared.messages import Config, PlannedSlot, PriceList
from shared.schedules import Priced, Schedule

_OWN: Final = "as the machine's settings say"
_NAMED: Final = 5  # of many machines, so many are named
_TENDERS: Final[tuple[Priced, ...]] = ("cash", "card")


@dataclass(slots=True)
class Report:
    """Collected machine by machine; holds each difference once, and the names of its machines."""

    changes: dict[tuple[str, ...], list[str]] = field(default_factory=lambda: defaultdict(list))
    doubts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    impossible: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def lines(self) -> Iterator[str]:
        for difference, machines in self.changes.items():
            yield f"{named(machines)}:"
            yield from (f"  {line}" for line in difference)
        yield from (f"refused without --force: {named(who)}: {why}" for why, who in self.doubts.items())
        yield from (f"impossible: {named(who)}: {why}" for why, who in self.impossible.items())

    def as_json(self) -> dict[str, object]:
        return {
            "changes": [{"machines": who, "lines": list(lines)} for lines, who in self.changes.items()],
            "doubts": [{"machines": who, "why": why} for why, who in self.doubts.items()],
            "impossible": [{"machines": who, "why": why} for why, who in self.impossible.items()],
        }


def named(machines: list[str]) -> str:
    if not machines:
        return "the plan"
    if len(machines) <= _NAMED:
        return ", ".join(machines)
    return f"{len(machines)} machines ({', '.join(machines[:_NAMED])} and {len(machines) - _NAMED} more)"


def price_lines(before: PriceList | None, after: PriceList) -> Iterator[str]:
    """Every price and schedule that becomes another."""
    for slot in sorted({*after.prices, *(before.prices if before else ())}):
        old, new = _minor(before, slot), _minor(after, slot)
        if old == new and before is not None and before.currency == after.currency:
            continue  # of ten thousand machines most prices stay
        for n, tender in enumerate(_TENDERS):
            if old[n] != new[n] and (tender == "cash" or (old[0], new[0]) != (old[1], new[1])):
                by = " by card" if tender == "card" else ""
                yield f"{slot}{by}: {_amount(before, old[n])} becomes {_amount(after, new[n])}"
    if before is not None and before.currency != after.currency:
        yield f"currency {before.currency} becomes {after.currency}"
    zone = before.time_zone if before else None
    if zone != after.time_zone:
        yield f"time zone {zone or 'none'} becomes {after.time_zone or 'none'}"
    old_ones = {s.name: s for s in before.schedules} if before else {}
    new_ones = {s.name: s for s in after.schedules}
    for name in sorted(old_ones.keys() | new_ones.keys()):
        if old_ones.get(name) != new_ones.get(name):
            was, is_now = (_schedule(ones.get(name), after.currency) for ones in (old_ones, new_ones))
            yield f"schedule {name}: {was} becomes {is_now}"


def _minor(prices: PriceList | None, slot: str) -> tuple[int | None, int | None]:
    """What cash and cards pay, without schedules."""
    if prices is None or slot not in prices.prices:
        return None, None
    cash = prices.prices[slot]
    return cash, prices.card_prices.get(slot, cash)


def _amount(prices: PriceList | None, minor: int | None) -> str:
    return "no price" if prices is None or minor is None else money.text(minor, prices.currency)


def _schedule(schedule: Schedule | None, currency: str) -> str:
    if schedule is None:
        return "nothing"
    ends = (("from", schedule.first), ("to", schedule.last))
    range_ = "".join(f" {word} {day}" for word, day in ends if day)
    prices = sorted(schedule.prices.items())
    what = ", ".join(f"{slot} for {money.text(minor, currency)}" for slot, minor in prices)
    if schedule.percent_off:
        step = money.text(schedule.step_minor, currency)
        what = f"{schedule.percent_off} % off, in steps of {step}"
    where = f" in {', '.join(schedule.slots)}" if schedule.slots else ""
    tenders = "" if len(schedule.tenders) == len(_TENDERS) else f" by {schedule.tenders[0]}"
    return f"({' '.join(schedule.days)} {schedule.start}-{schedule.end}{range_}: {what}{where}{tenders})"


def config_lines(before: Config | None, after: Config | None, currency: str) -> Iterator[str]:
    old, new = before or Config(version=0), after or Config(version=0)
    old_slots, new_slots = old.slots or {}, new.slots or {}
    for slot in sorted({*old_slots, *new_slots}):
        if old_slots.get(slot) != new_slots.get(slot):
            yield f"{slot}: {_slot(old_slots.get(slot))} becomes {_slot(new_slots.get(slot))}"
    notes = tuple(
        None if c.largest_note_minor is None else money.text(c.largest_note_minor, currency)
        for c in (old, new)
    )
    policies = (old.without_change, new.without_change)
    for name, (a, b) in (("largest note", notes), ("without change", policies)):
        if a != b:
            yield f"{name}: {a or _OWN} becomes {b or _OWN}"
    for tender in sorted({*old.tenders_off, *new.tenders_off}):
        words = tuple(_tender(c.tenders_off.get(tender)) for c in (old, new))
        if words[0] != words[1]:
            yield f"{tender}: {words[0]} becomes {words[1]}"


def _slot(plan: PlannedSlot | None) -> str:
    if plan is None:
        return _OWN
    group = f", group {plan.group}" if plan.group else ""
    return f"{plan.product} (capacity {plan.capacity}, par {plan.par}{group})"


def _tender(reason: str | None) -> str:
    return "as it is fitted" if reason is None else f"off ({reason})"


def price_doubts(before: PriceList | None, after: PriceList) -> Iterator[str]:
    """A price that becomes ten times what it was, or a tenth."""
    if before is None or before.currency != after.currency:
        return
    for slot in after.prices:
        for old, new in zip(_minor(before, slot), _minor(after, slot), strict=True):
            if old is not None and new is not None and tenfold(old, new):
                yield f"{slot}: {_amount(before, old)} becomes {_amount(after, new)}"
                break


def plan_doubts(before: Plan, after: Plan) -> Iterator[str]:
    """What is odd about the plan itself, whatever machines make of it."""
    for name, planogram in after.planograms.items():
        if name in before.planograms and before.planograms[name] == planogram:
            continue
        where = f"planograms.{name}"
        for slot, plan in planogram.slots.items():
            if plan.product not in after.products:
                yield f"{where}.{slot}: {plan.product} is not among the products"
            if plan.capacity == 0:
                yield f"{where}.{slot}: a capacity of 0 holds nothing"
    for part, old, new in (
        ("machines", before.machines.keys(), after.machines.keys()),
        ("groups", before.groups.keys(), after.groups.keys()),
    ):
        if gone := sorted(old - new):
            yield f"no longer in the plan: {part} {named(gone)}"
    strange = set(_strange(after)) - set(_strange(before))
    yield from (f"{key}: {product} is not among the products" for key, product in sorted(strange))


def _strange(plan: Plan) -> Iterator[tuple[str, str]]:
    """Prices of products that there are not, with their keys."""
    for where, scope in plan.scopes():
        for table in ("prices", "card_prices"):
            unknown = getattr(scope, table).keys() - plan.products.keys()
            yield from ((f"{where}.{table}", product) for product in unknown)


def machine_doubts(before: Config | None, after: Config | None) -> Iterator[str]:
    if before and before.slots and not (after and after.slots):
        yield "it has no planogram any more"
