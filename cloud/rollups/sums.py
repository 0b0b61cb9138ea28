"""One hour's records become its rollups: a point a machine, one a product, and the same of the whole fleet.

Pure. They are sums of integers over the points of records, so whatever order those came in, the rollups are
the same. `sales` leaves free and test vends out; `sales` + `free_sales` + `test_sales` and `sold_minor` are
what the audits count (shared/totals.py). An amount by tender has the parts of mixed sales in it, a count has
not.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from cloud.rollups.hours import Hour

ALL: Final = "_all"  # no machine can be called so
# What is read of each kind of record, tags included.
READ: Final[Mapping[str, tuple[str, ...]]] = {
    "sale": (
        *("machine", "tender", "product", "currency", "paid_minor"),
        *("cash_minor", "card_minor", "wallet_minor", "link_down"),
    ),
    "vend_failed": ("machine", "product", "currency"),
    "refund": ("machine", "currency", "amount_minor"),
}
_AMOUNTS: Final = ("cash_minor", "card_minor", "wallet_minor")
_UNSOLD: Final = {"free", "test"}
SALES_FIELDS: Final = (
    *("sales", "sold_minor", "cash_sales", "cash_minor", "card_sales", "card_minor", "wallet_sales"),
    *("wallet_minor", "mixed_sales", "free_sales", "test_sales", "late_sales", "failed", "refunded_minor"),
)
PRODUCT_FIELDS: Final = ("sales", "sold_minor", "failed")
# By measurement: its tags, in the order of a line, and its sums.
ROLLUPS: Final = {
    "sales_hour": (("currency", "machine"), SALES_FIELDS),
    "product_hour": (("currency", "machine", "product"), PRODUCT_FIELDS),
}

Fields = dict[str, int]
Key = tuple[str, ...]  # of a rollup: its tags, in that order; currency and machine first


class Sums:
    """Of one hour. `sales`, `products`: what is to be in InfluxDB, without fields that are nothing."""

    def __init__(self) -> None:
        self.sales: defaultdict[Key, Fields] = defaultdict(dict)
        self.products: defaultdict[Key, Fields] = defaultdict(dict)

    def add(self, kind: str, point: Mapping[str, Any]) -> None:
        """One point of a record, with the columns in READ."""
        sales, product = _SUMMED[kind](point)
        for machine in (point["machine"], ALL):
            key = (point["currency"], machine)
            _add(self.sales[key], sales)
            if product:
                _add(self.products[*key, point["product"]], product)


def _add(sums: Fields, amounts: Fields) -> None:
    for name, amount in amounts.items():
        sums[name] = sums.get(name, 0) + amount


def is_same(sums: Fields, row: Mapping[str, Any] | None) -> bool:
    """Whether this is what InfluxDB has; None is not."""
    return row is not None and all(row[name] == sums.get(name, 0) for name in SALES_FIELDS)


def is_nothing(row: Mapping[str, Any]) -> bool:
    return is_same({}, row)


def line(measurement: str, key: Key, sums: Fields, at_ns: int, wall: str = "") -> str:
    """Line protocol, every field in it. No tag of ours has a letter that must be escaped."""
    tags, fields = ROLLUPS[measurement]
    named = ",".join(f"{name}={tag}" for name, tag in zip(tags, key, strict=True))
    values = ",".join(f"{name}={sums.get(name, 0)}i" for name in fields)
    return f"{measurement},{named} {values}{wall} {at_ns}"


def wall_of(hour: Hour) -> str:
    return f",weekday={hour.weekday}i,hour={hour.hour}i"


def _sale(point: Mapping[str, Any]) -> tuple[Fields, Fields]:
    tender, paid_minor = point["tender"], point["paid_minor"]
    is_sold = tender not in _UNSOLD
    sums = {f"{tender}_sales": 1, "sold_minor": paid_minor}
    sums |= {name: amount for name in _AMOUNTS if (amount := point[name])}
    if is_sold:
        sums |= {"sales": 1, "late_sales": int(point["link_down"])}
    return sums, {"sales": int(is_sold), "sold_minor": paid_minor}


def _failed(_point: Mapping[str, Any]) -> tuple[Fields, Fields]:
    return {"failed": 1}, {"failed": 1}


def _refund(point: Mapping[str, Any]) -> tuple[Fields, Fields]:
    return {"refunded_minor": point["amount_minor"]}, {}


_SUMMED: Final = {"sale": _sale, "vend_failed": _failed, "refund": _refund}
