"""One hour's records become its rollups: a point a machine, one a product, and the same of the whole fleet.

Pure. They are sums of integers over the points of records, so whatever order those came in, the rollups are
the same. `sales` leaves free and test vends out; `sales` + `free_sales` + `test_sales` and `sold_minor` are
what the audits count (shared/totals.py). An amount by tender has the parts of mixed sales in it, a count has
not.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
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

Key = tuple[str, ...]  # measurement, and its tags in that order
Fields = dict[str, int]


class Sums:
    """Of one hour."""

    def __init__(self) -> None:
        self._sums: defaultdict[Key, Fields] = defaultdict(dict)

    def add(self, kind: str, point: Mapping[str, Any]) -> None:
        """One point of a record, with the columns in READ."""
        sales, product = _SUMMED[kind](point)
        for machine in (point["machine"], ALL):
            self._add(("sales_hour", point["currency"], machine), sales)
            if product:
                self._add(("product_hour", point["currency"], machine, point["product"]), product)

    def _add(self, key: Key, amounts: Fields) -> None:
        sums = self._sums[key]
        for name, amount in amounts.items():
            sums[name] = sums.get(name, 0) + amount

    def lines(self, hour: Hour, there: Mapping[tuple[Key, int], Fields]) -> Iterator[str]:
        """Line protocol of all that InfluxDB has otherwise. `there`: its rollups, by key and time.

        What it should not have becomes zeros: not all of its generations can delete.
        """
        wanted = {(key, hour.start_ns): sums for key, sums in self._sums.items()}
        wall = {"weekday": hour.weekday, "hour": hour.hour}
        for key, at_ns in wanted.keys() | there.keys():
            measurement, *tags = key
            names, fields = ROLLUPS[measurement]
            sums = wanted.get((key, at_ns), {})
            whole = {name: sums.get(name, 0) for name in fields}
            if measurement == "sales_hour":
                whole |= wall
            if there.get((key, at_ns)) != whole:
                named = ",".join(f"{name}={tag}" for name, tag in zip(names, tags, strict=True))
                values = ",".join(f"{name}={value}i" for name, value in whole.items())
                yield f"{measurement},{named} {values} {at_ns}"


def read_back(measurement: str, row: Mapping[str, Any]) -> tuple[tuple[Key, int], Fields]:
    """A rollup as InfluxDB answers it."""
    tags, fields = ROLLUPS[measurement]
    names = (*fields, "weekday", "hour") if measurement == "sales_hour" else fields
    key = (measurement, *(row[tag] for tag in tags))
    return (key, row["time"]), {name: row[name] for name in names}


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
