"""What an operator wants, as it is edited, kept and written to a file: products, planograms, and scopes.

A scope is the fleet, a group or one machine. What a machine gets is looked up in its own scope first, then in
its groups in their order, then in the fleet (cloud/wanted/resolve.py).
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.fields import Currency, MachineId, Minor, Product, Slot, Text
from shared.messages import PlannedSlot, Switchable, WithoutChange
from shared.schedules import DAYS, MAX_SCHEDULES, Clock, Day, Name, Priced, Zone

Prices = Annotated[dict[Product, Minor], Field(max_length=10_000)]
SlotPrices = Annotated[dict[Slot, Minor], Field(max_length=1_000)]
Key = tuple[str, str]  # kind and name of an entry

FLEET: Final[Key] = ("fleet", "")


class Section(BaseModel):
    """An unknown key is refused: it is a mistake of the person who wrote it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class ProductEntry(Section):
    name: Text


class Planogram(Section):
    slots: Annotated[dict[Slot, PlannedSlot], Field(min_length=1, max_length=1_000)]


class PlannedSchedule(Section):
    """As shared/schedules.py has it, and with products where a machine knows only slots."""

    name: Name
    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=7)] = DAYS
    start: Clock
    end: Clock
    first: date | None = None
    last: date | None = None
    tenders: Annotated[tuple[Priced, ...], Field(min_length=1, max_length=2)] = ("cash", "card")
    percent_off: Annotated[int, Field(ge=1, le=99)] | None = None
    step_minor: Annotated[int, Field(ge=1, le=10_000)] = 1
    products: tuple[Product, ...] = ()
    slots: tuple[Slot, ...] = ()
    prices: Prices = Field(default_factory=dict)
    slot_prices: SlotPrices = Field(default_factory=dict)


class Scope(Section):
    """Everything in it is optional; what is missing is looked up further on."""

    groups: tuple[Product, ...] = ()
    currency: Currency | None = None
    time_zone: Zone | None = None
    planogram: Product | None = None
    prices: Prices = Field(default_factory=dict)
    card_prices: Prices = Field(default_factory=dict)
    slot_prices: SlotPrices = Field(default_factory=dict)
    card_slot_prices: SlotPrices = Field(default_factory=dict)
    schedules: Annotated[tuple[PlannedSchedule, ...], Field(max_length=MAX_SCHEDULES)] | None = None
    largest_note_minor: Minor | None = None
    without_change: WithoutChange | None = None
    tenders_off: dict[Switchable, Annotated[Text, Field(min_length=1)]] = Field(default_factory=dict)
    tenders_on: tuple[Switchable, ...] = ()

    def price_minor(self, slot: str, product: str | None, tender: Priced) -> int | None:
        """A slot's own price goes before that of its product."""
        by_slot, by_product = (
            (self.slot_prices, self.prices) if tender == "cash" else (self.card_slot_prices, self.card_prices)
        )
        price_minor = by_slot.get(slot)
        return by_product.get(product or "") if price_minor is None else price_minor


class Plan(Section):
    products: dict[Product, ProductEntry] = Field(default_factory=dict)
    planograms: dict[Product, Planogram] = Field(default_factory=dict)
    fleet: Scope = Scope()
    groups: dict[Product, Scope] = Field(default_factory=dict)
    machines: dict[MachineId, Scope] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_are_there(self) -> Self:
        for where, scope in self.scopes():
            if scope.planogram is not None and scope.planogram not in self.planograms:
                raise ValueError(f"{where}.planogram: there is no planogram {scope.planogram}")
            for group in scope.groups:
                if group not in self.groups:
                    raise ValueError(f"{where}.groups: there is no group {group}")
            if scope.groups and not where.startswith("machines."):
                raise ValueError(f"{where}.groups: only a machine has groups")
        return self

    def scopes(self) -> Iterator[tuple[str, Scope]]:
        """Each with its place in the file."""
        yield "fleet", self.fleet
        yield from ((f"groups.{name}", scope) for name, scope in self.groups.items())
        yield from ((f"machines.{name}", scope) for name, scope in self.machines.items())

    def chain(self, machine: str) -> tuple[Scope, ...]:
        """Where things of a machine are looked up, nearest first."""
        own = self.machines.get(machine, _NOTHING)
        return (own, *(self.groups[name] for name in own.groups), self.fleet)

    def planogram(self, machine: str) -> Planogram | None:
        names = (scope.planogram for scope in self.chain(machine) if scope.planogram is not None)
        return next((self.planograms[name] for name in names), None)

    def entries(self) -> dict[Key, str]:
        """As the tables keep it, without what says nothing."""
        parts: list[tuple[str, Mapping[str, Section]]] = [
            ("product", self.products),
            ("planogram", self.planograms),
            ("fleet", {"": self.fleet}),
            ("group", self.groups),
            ("machine", self.machines),
        ]
        entries = {(kind, name): _dumped(entry) for kind, part in parts for name, entry in part.items()}
        return {key: content for key, content in entries.items() if key != FLEET or content != "{}"}


_NOTHING: Final = Scope()
_MODELS: Final[dict[str, type[Section]]] = {
    "product": ProductEntry,
    "planogram": Planogram,
    "fleet": Scope,
    "group": Scope,
    "machine": Scope,
}


def _dumped(entry: Section) -> str:
    return entry.model_dump_json(exclude_defaults=True)


def assembled(entries: Mapping[Key, str]) -> Plan:
    """The plan of the tables' entries."""
    parts: dict[str, dict[str, Section]] = {kind: {} for kind in _MODELS}
    for (kind, name), content in entries.items():
        parts[kind][name] = _MODELS[kind].model_validate_json(content)
    fleet = parts["fleet"].get("", _NOTHING)
    return Plan.model_validate(
        {
            "products": parts["product"],
            "planograms": parts["planogram"],
            "fleet": fleet,
            "groups": parts["group"],
            "machines": parts["machine"],
        }
    )
