"""A fleet's month of records, made fast: lines as `record_line` makes them, which a test holds them to."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from cloud.figures import books_line
from cloud.gauges.rows import Known, Link, machine_row
from cloud.gauges.usual import Recent
from cloud.points import record_line
from shared.fields import Tender
from shared.records import Header, Record, Refund, Sale, TenderAmount, VendFailed

DAY_S: Final = 86_400
HOUR_S: Final = 3_600
_BOOKS_S: Final = 300
_STATES_S: Final = 3 * HOUR_S
START_S: Final = 1_788_220_800  # 2026-09-01, UTC
_HOURS: Final = (
    1,
    1,
    1,
    1,
    1,
    2,
    4,
    7,
    8,
    7,
    6,
    7,
    8,
    7,
    6,
    6,
    6,
    6,
    5,
    4,
    3,
    2,
    2,
    1,
)  # how much is sold in each
_TENDERS: Final[dict[Tender, int]] = {"cash": 40, "card": 50, "wallet": 8, "free": 1, "test": 1}
_PRODUCTS: Final = [(f"A{n % 10}" if n < 10 else f"B{n}", f"product-{n}", 80 + n * 10) for n in range(40)]
_LATE: Final = 0.03
_FAILED: Final = 0.01
_REFUNDED: Final = 0.004


@dataclass(frozen=True, slots=True)
class Size:
    """`start_s`: a whole hour."""

    machines: int
    days: int
    sales: int  # of a machine and day
    start_s: int = START_S

    @property
    def all_sales(self) -> int:
        return self.machines * self.days * self.sales

    @property
    def end_s(self) -> int:
        return self.start_s + self.days * DAY_S

    def until(self, now_s: float) -> "Size":
        """The same that ends with the last whole hour."""
        return replace(self, start_s=int(now_s) // HOUR_S * HOUR_S - self.days * DAY_S)

    def names(self) -> Iterator[str]:
        return (f"m{number:04}" for number in range(self.machines))


@dataclass(frozen=True, slots=True)
class Sold:
    """What differs from sale to sale."""

    machine: str
    epoch: str
    seq: int
    at_ns: int
    slot: str
    product: str
    price_minor: int
    tender: Tender
    link_down: bool

    @property
    def paid_minor(self) -> int:
        return 0 if self.tender in {"free", "test"} else self.price_minor

    def line(self) -> str:
        return (
            f"sale,epoch={self.epoch},machine={self.machine},tender={self.tender} "
            f'{self.tender}_minor={self.price_minor}i,clock="synced",currency="EUR",duration_ms=1800i,'
            f'link_down={str(self.link_down).lower()},outcome="delivered",paid_minor={self.paid_minor}i,'
            f'price_minor={self.price_minor}i,price_version=1i,product="{self.product}",seq={self.seq}i,'
            f'slot="{self.slot}",stock_left=5i {self.at_ns}'
        )

    def record(self) -> Record:
        return Record(
            self._header(self.seq, self.at_ns),
            Sale(
                slot=self.slot,
                product=self.product,
                price_minor=self.price_minor,
                paid_minor=self.paid_minor,
                currency="EUR",
                price_version=1,
                tenders=(TenderAmount(tender=self.tender, amount_minor=self.price_minor),),
                stock_left=5,
                link_down=self.link_down,
                duration_ms=1_800,
                outcome="delivered",
            ),
        )

    def failed(self, *, is_refunded: bool) -> Iterator[Record]:
        """It failed before somebody chose again."""
        body = VendFailed(
            slot=self.slot,
            product=self.product,
            price_minor=self.price_minor,
            currency="EUR",
            tender=self.tender,
            reason="jammed",
        )
        yield Record(self._header(self.seq + 1, self.at_ns + 1), body)
        if is_refunded:
            refund = Refund(amount_minor=self.price_minor, currency="EUR")
            yield Record(self._header(self.seq + 2, self.at_ns + 2), refund)

    def _header(self, seq: int, at_ns: int) -> Header:
        return Header(v=1, machine=self.machine, epoch=self.epoch, seq=seq, at_ns=at_ns, clock="synced")


def sold(size: Size, day: int, rng: random.Random) -> Iterator[Sold]:
    """A day's sales, machine by machine, each machine's in order."""
    for number, machine in enumerate(size.names()):
        epoch = f"{number:012x}"
        hours = sorted(rng.choices(range(24), _HOURS, k=size.sales))
        seconds = sorted(hour * HOUR_S + rng.randrange(HOUR_S) for hour in hours)
        tenders = rng.choices(list(_TENDERS), list(_TENDERS.values()), k=size.sales)
        products = rng.choices(_PRODUCTS, k=size.sales)
        late = [rng.random() < _LATE for _ in hours]
        for sale, at_s in enumerate(seconds):
            seq = (day * size.sales + sale) * 3 + 1
            slot, product, price_minor = products[sale]
            at_ns = (size.start_s + day * DAY_S + at_s) * 10**9 + seq % 1_000_000
            tender, link_down = tenders[sale], late[sale]
            yield Sold(machine, epoch, seq, at_ns, slot, product, price_minor, tender, link_down)


def lines(size: Size, day: int, rng: random.Random) -> Iterator[str]:
    for sale in sold(size, day, rng):
        yield sale.line()
        if rng.random() < _FAILED:
            for record in sale.failed(is_refunded=rng.random() < _REFUNDED / _FAILED):
                yield record_line(record)


def states(size: Size) -> Iterator[str]:
    """What gauges and books wrote of each machine in the last hours."""
    for at_s in range(size.end_s - _STATES_S, size.end_s + 1, _BOOKS_S):
        for machine in size.names():
            yield books_line(machine, (), at_s * 10**9)
            if at_s % HOUR_S == 0:
                yield _gauge_line(machine, at_s * 10**9)


def _gauge_line(machine: str, at_ns: int) -> str:
    known = Known(machine, None, 0, None, None, seen_ns=at_ns, sold_ns=at_ns, door_open_ns=0)
    link, sold = Link(online=True, since_ns=at_ns), Recent(vends=100, failed=1)
    return machine_row(known, link, None, sold, now_ns=at_ns, as_of_ns=at_ns, offset_s=0).text()
