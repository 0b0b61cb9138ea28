"""What a machine's figures are in EVA-DTS 6.1: one row a segment, elements in the standard's order.

Pure. Each figure stands there twice: since the machine's first record, and since the last read with reset.
What Vendlink does not know is left out. Events get the standard's codes where it has one.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

from cloud.dts.text import Element, Segment
from shared import money

MODEL: Final = "VENDLINK"
# ISO 4217 numbers with the 1 that DTS puts before them.
CURRENCIES: Final = {
    "EUR": 1978,
    "USD": 1840,
    "GBP": 1826,
    "CHF": 1756,
    "CNY": 1156,
    "RUB": 1643,
    "VND": 1704,
}
FAULTS: Final = {
    ("changer", "offline"): "EAR",
    ("changer", "tube_jam"): "EAF",
    ("changer", "coin_jam"): "EAD",
    ("validator", "offline"): "ENK",
    ("validator", "jammed"): "ENC",
    ("validator", "stacker_full"): "ENE",
    ("validator", "cashbox_out_of_position"): "ENF",
    ("reader_1", "silent"): "EKM",
    ("reader_2", "silent"): "EK2M",
    ("board", "silent"): "EJM",
}
NO_DROP, MOTOR, DOOR_OPEN = "ELA", "EJB", "EGS"


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over all records of a machine. `sold`: count and value by tender; `slots`: the same by slot, of
    what was paid for; `cash_in`: value by route. Money in minor units.
    """

    sold: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    slots: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    cash_in: Mapping[str, int] = field(default_factory=dict)
    paid_out_minor: int = 0
    paid_notes_minor: int = 0
    taken_minor: int = 0  # coins taken out by hand
    loaded_minor: int = 0  # and put in
    revalued_minor: int = 0
    boots: int = 0
    events: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Self:
        pairs = {name: {k: (n, v) for k, (n, v) in kept[name].items()} for name in ("sold", "slots")}
        return cls(**{**kept, **pairs})


@dataclass(frozen=True, slots=True)
class Slot:
    """As it is now; None where the machine has not said."""

    name: str
    price_minor: int | None
    product: str | None
    capacity: int | None
    count: int | None


@dataclass(frozen=True, slots=True)
class Read:
    """`number`: of this read, from 1; `resets`: how many so far; `last_ns`: when the read before it was."""

    machine: str
    software: str
    currency: str
    at_ns: int
    number: int
    resets: int
    last_ns: int | None
    slots: tuple[Slot, ...]
    active: frozenset[str] = frozenset()  # event codes that hold now


def segments(read: Read, now: Figures, base: Figures) -> Iterator[Segment]:
    """`base`: the figures of the last read with reset."""

    def sums(*tenders: str) -> list[Element]:
        """Value and number since the first record, value and number since the reset."""
        total, before = _sold(now, tenders), _sold(base, tenders)
        return [total[1], total[0], total[1] - before[1], total[0] - before[0]]

    yield Segment("ID1", [read.machine, MODEL, read.software, None, None, read.machine])
    exponent = money.exponent(read.currency)
    yield Segment("ID4", [exponent, CURRENCIES.get(read.currency), read.currency])
    yield Segment("ID5", _when(read.at_ns))
    yield Segment("VA1", sums("cash", "card", "wallet", "mixed"))
    yield Segment("VA2", sums("test"))
    yield Segment("VA3", sums("free"))
    yield Segment("CA2", sums("cash"))
    yield Segment("CA3", [*_cash_in(now, base), *_cash_in(now), *_notes(now, base)])
    dispensed = [now.paid_out_minor - now.paid_notes_minor + now.taken_minor, now.taken_minor]
    before = [base.paid_out_minor - base.paid_notes_minor + base.taken_minor, base.taken_minor]
    bills = [now.paid_notes_minor - base.paid_notes_minor, now.paid_notes_minor]
    yield Segment("CA4", [*(n - b for n, b in zip(dispensed, before, strict=True)), *dispensed, *bills])
    yield Segment("CA10", [now.loaded_minor - base.loaded_minor, now.loaded_minor])
    yield Segment("DA2", sums("card"))
    yield Segment("DA4", [now.revalued_minor, now.revalued_minor - base.revalued_minor])
    for slot in read.slots:
        yield from _slot(slot, now, base)
    for code in sorted(now.events):
        count = now.events[code]
        yield Segment("EA2", [code, count - base.events.get(code, 0), count, None, int(code in read.active)])
    last: list[Element] = [None, None] if read.last_ns is None else _when(read.last_ns)
    yield Segment(
        "EA3", [read.resets, *_when(read.at_ns), MODEL, *last, None, None, read.number, read.resets]
    )
    yield Segment("EA7", [now.boots - base.boots, now.boots])


def _slot(slot: Slot, now: Figures, base: Figures) -> Iterator[Segment]:
    yield Segment(
        "PA1",
        [slot.name, slot.price_minor, slot.product, slot.capacity, None, None, 0, slot.count],
    )
    (count, value), (before, worth) = now.slots.get(slot.name, (0, 0)), base.slots.get(slot.name, (0, 0))
    yield Segment("PA2", [count, value, count - before, value - worth])


def _sold(figures: Figures, tenders: tuple[str, ...]) -> tuple[int, int]:
    found = [figures.sold.get(tender, (0, 0)) for tender in tenders]
    return sum(count for count, _ in found), sum(value for _, value in found)


def _cash_in(now: Figures, base: Figures | None = None) -> list[Element]:
    """All cash, to the cash box, to the tubes; the fourth element has units that vary, and is left out."""
    into = Counter(now.cash_in)
    into.subtract(base.cash_in if base else {})
    return [sum(into.values()), into["cashbox"], into["tube"], None]


def _notes(now: Figures, base: Figures) -> list[Element]:
    """Notes since the reset and in all, and those of them that went to the recycler."""
    into = [[f.cash_in.get(route, 0) for route in ("stacker", "recycler")] for f in (now, base)]
    (stacked, recycled), (stacked_before, recycled_before) = into
    total, before = stacked + recycled, stacked_before + recycled_before
    return [total - before, total, recycled - recycled_before, recycled]


def _when(at_ns: int) -> list[Element]:
    moment = datetime.fromtimestamp(at_ns / 1e9, UTC)
    return [moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")]
