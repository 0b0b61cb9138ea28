"""What Today, Sales report and Cash must show, worked out by hand from `history.py`. By title."""

from typing import Final

from tests.grafana.history import at_ms
from tests.grafana.seen import DAY, FORTNIGHT, HOUR_MS, Points, Seen, rows


def _days(**sold: float) -> dict[str, Points]:
    """A bar a day of the fortnight, and of the moment at its end."""
    start_ms = at_ms("2026-09-14 00:00")
    by_day = {14 + n: 0.0 for n in range(15)} | {int(day[1:]): amount for day, amount in sold.items()}
    return {"sold": [(start_ms + (day - 14) * 24 * HOUR_MS, amount) for day, amount in by_day.items()]}


def _hours(**sold: float) -> dict[str, Points]:
    start_ms = at_ms("2026-09-21 00:00")
    by_hour = dict.fromkeys(range(24), 0.0) | {int(hour[1:]): amount for hour, amount in sold.items()}
    return {"sold": [(start_ms + hour * HOUR_MS, amount) for hour, amount in by_hour.items()]}


TODAY: Final = {
    "Sold ($currency)": Seen(DAY, {"sold": 3.7}),
    "Vends": Seen(DAY, {"vends": 2}),
    "Failed vends": Seen(DAY, {"failed": 1}),
    "Average sale ($currency)": Seen(DAY, {"average": 1.85}),
    "Sold by tender ($currency)": Seen(DAY, {"cash": 1.5, "card": 2.2, "wallet": 0}),
    "Machines": Seen(DAY, {"online": 2, "of": 3}),
    "Records": Seen(DAY, {"proven": 9, "waiting": 4, "missing": 2}),
    "Sold by hour ($currency)": Seen(DAY, _hours(h8=1.5, h20=2.2)),
    "The last sales ($currency)": Seen(
        DAY,
        rows("Time", "product", "paid", "late", "tender", "machine", "slot", "outcome")(
            (at_ms("2026-09-21 20:10"), "chips", 2.2, False, "card", "vm-2", "A2", "delivered"),
            (at_ms("2026-09-21 09:45"), "cola", 0, False, "test", "vm-1", "A1", "delivered"),
            (at_ms("2026-09-21 08:15"), "cola", 1.5, True, "cash", "vm-1", "A1", "delivered"),
        ),
    ),
}

_SUMS: Final = ("sold", "vends", "failed")
SALES: Final = {
    "Sold ($currency)": Seen(FORTNIGHT, {"this period": 16.4, "the period before": 3.5}),
    "Vends": Seen(FORTNIGHT, {"this period": 8, "the period before": 2}),
    "Failed vends": Seen(FORTNIGHT, {"this period": 1, "the period before": 1}),
    "Sold by day ($currency)": Seen(FORTNIGHT, _days(d14=3.5, d15=4.0, d20=2.2, d21=3.7, d27=3.0)),
    "Vends by hour of the week": Seen(
        FORTNIGHT,
        rows("hour", "Mon", "Tue", "Wed", "Sun")(
            (8, 3, None, None, None),
            (9, 0, None, None, None),
            (12, None, 2, 0, None),
            (18, None, None, None, 1),
            (20, 1, None, None, None),
            (23, None, None, None, 1),
        ),
    ),
    "Sold by tender ($currency)": Seen(FORTNIGHT, {"cash": 5.5, "card": 7.9, "wallet": 3}),
    "Vends by tender": Seen(FORTNIGHT, {"cash": 3, "card": 3, "wallet": 1, "mixed": 1, "free": 1, "test": 1}),
    "Refunded ($currency)": Seen(FORTNIGHT, {"refunded": 2}),
    "Arrived late": Seen(FORTNIGHT, {"late": 2}),
    "Sold by machine ($currency)": Seen(FORTNIGHT, rows("machine", "sold")(("vm-1", 10.5), ("vm-2", 5.9))),
    "Vends by machine": Seen(FORTNIGHT, rows("machine", "vends")(("vm-1", 5), ("vm-2", 3))),
    "Failed by machine": Seen(FORTNIGHT, rows("machine", "failed")(("vm-1", 1), ("vm-2", 0))),
    "By product ($currency)": Seen(
        FORTNIGHT,
        rows("product", *_SUMS)(
            ("chips", 6.4, 3, 1), ("cola", 4.5, 3, 0), ("salad", 3, 1, 0), ("water", 2.5, 1, 0)
        ),
    ),
}

_BAG: Final = ("Time", "machine", "bag")
CASH: Final = {
    "In the machines now ($currency)": Seen(FORTNIGHT, {"cash": 99.5}),
    "Over or short ($currency)": Seen(FORTNIGHT, {"difference": -0.5}),
    "Bags": Seen(FORTNIGHT, {"collected": 2, "counted": 1}),
    "Where it is ($currency)": Seen(FORTNIGHT, {"tubes": 5.5, "cash box": 24, "stacker": 60, "recycler": 10}),
    "Expected in each machine ($currency)": Seen(
        FORTNIGHT,
        rows("machine", "tubes", "cash box", "stacker", "recycler", "notes")(
            ("vm-1", 5, 12, 30, 5, 4), ("vm-2", 0.5, 12, 30, 5, 4)
        ),
    ),
    "Counted bags ($currency)": Seen(
        FORTNIGHT,
        rows(*_BAG, "expected", "counted", "difference")(
            (at_ms("2026-09-21 09:40"), "vm-1", "B 1", 14.5, 14, -0.5)
        ),
    ),
    "Collections ($currency)": Seen(
        FORTNIGHT,
        rows(*_BAG, "cash box", "stacker", "tubes stay", "recycler stays")(
            (at_ms("2026-09-21 11:00"), "vm-2", "B 2", 3, 0, 1, 0),
            (at_ms("2026-09-21 09:40"), "vm-1", "B 1", 4.5, 10, 8, 5),
        ),
    ),
    "Cash that moved ($currency)": Seen(FORTNIGHT, {"cash in": 2, "paid out": 0.5}),
    "Owed to customers ($currency)": Seen(FORTNIGHT, {"owed": 0.7, "paid": 0.4}),
}
