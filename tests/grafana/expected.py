"""What each panel must show of the world, worked out by hand from `world.py`. By dashboard and title.

A period is a day of many records (`DAY`), two weeks (`FORTNIGHT`), or the last hour (`NOW`). A time is in ms.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.grafana.world import MINUTE_NS, RECENTLY_NS, SAID_BEFORE_NS, at_ms

Points = list[tuple[int, float | None]]
Span = Callable[[int], tuple[int, int]]
HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = MINUTE_NS // 10**6


def DAY(_now_ms: int) -> tuple[int, int]:  # noqa: N802  # named as the table reads
    return at_ms("2026-09-21 00:00"), at_ms("2026-09-21 23:59")


def FORTNIGHT(_now_ms: int) -> tuple[int, int]:  # noqa: N802
    return at_ms("2026-09-14 00:00"), at_ms("2026-09-28 00:00")


def NOW(now_ms: int) -> tuple[int, int]:  # noqa: N802
    return now_ms - HOUR_MS, now_ms


@dataclass(frozen=True, slots=True)
class Seen:
    """`value`: what is shown, or a function of the present in ms."""

    span: Span
    value: Any


def _rows(*names: str) -> Callable[..., list[dict[str, Any]]]:
    return lambda *rows: [dict(zip(names, row, strict=True)) for row in rows]


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
        _rows("Time", "product", "paid", "late", "tender", "machine", "slot", "outcome")(
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
        _rows("hour", "Mon", "Tue", "Wed", "Sun")(
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
    "By machine ($currency)": Seen(
        FORTNIGHT, _rows("machine", *_SUMS)(("vm-1", 10.5, 5, 1), ("vm-2", 5.9, 3, 0))
    ),
    "By product ($currency)": Seen(
        FORTNIGHT,
        _rows("product", *_SUMS)(
            ("chips", 6.4, 3, 1), ("cola", 4.5, 3, 0), ("salad", 3, 1, 0), ("water", 2.5, 1, 0)
        ),
    ),
}


def _machines(now_ms: int) -> list[dict[str, Any]]:
    said_ms = now_ms - SAID_BEFORE_NS // 10**6
    rows = _rows(
        *(
            "machine",
            "state",
            "since",
            "cash",
            "card",
            "wallet",
            "last sale",
            "stock",
            "change",
            "change low",
        ),
        *("temperature", "owed records", "other prices", "why no cash", "why no card", "why no wallet"),
        "software",
    )
    sold_2, sold_3 = at_ms("2026-09-21 20:10"), at_ms("2026-09-21 13:00")
    sold_1 = now_ms - RECENTLY_NS // 10**6
    no_net, no_wallet = "card reader has no network", "not set up"
    return rows(
        ("vm-2", 0, said_ms, 1, 1, 0, sold_2, 75, 5.5, 1, 9.5, 4, 0, "", "", no_wallet, "0.1.0"),
        ("vm-3", 1, said_ms, 1, 0, 0, sold_3, 100, None, None, None, 0, 0, "", no_net, no_wallet, "0.1.0"),
        ("vm-1", 1, said_ms, 1, 1, 0, sold_1, 50, 10, 0, 6, 0, 2, "", "", no_wallet, "0.1.0"),
    )


MACHINES: Final = {
    "Online": Seen(NOW, {"online": 2, "of": 3}),
    "Cannot do all": Seen(NOW, {"change low": 1, "locked": 1}),
    "To look after": Seen(NOW, {"faults": 1, "prices": 2}),
    "Each machine ($currency)": Seen(NOW, _machines),
}


def _is_now(now_ms: int) -> list[dict[str, Any]]:
    row = {
        "state": 1,
        "since": now_ms - SAID_BEFORE_NS // 10**6,
        "cash": 1,
        "card": 1,
        "wallet": 0,
        "why no cash": "",
        "why no card": "",
        "why no wallet": "not set up",
        "money in it": 52,
        "door open": 0,
        "lockout": 0,
        "clock": "synced",
        "software": "0.1.0",
    }
    return [row]


_STORY: Final = (
    *("Time", "sold", "paid", "tender", "late", "failed", "why", "device", "fault", "fault ended", "visit"),
    *("door", "lockout", "of", "price list", "start"),
)


def _story(*told: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    empty = dict.fromkeys(_STORY)
    return [{**empty, "Time": at_ms(f"2026-09-21 {when}"), **cells} for when, cells in told]


def _said(value: float) -> Callable[[int], Points]:
    """One point, in the minute in which the machine spoke."""
    return lambda now_ms: [((now_ms - SAID_BEFORE_NS // 10**6) // MINUTE_MS * MINUTE_MS, value)]


def _lines(**found: Callable[[int], Points]) -> Callable[[int], dict[str, Any]]:
    return lambda now_ms: {name: made(now_ms) for name, made in found.items()}


MACHINE: Final = {
    "Sold ($currency)": Seen(DAY, {"sold": 1.5}),
    "Vends": Seen(DAY, {"vends": 1, "failed": 1}),
    "Records": Seen(DAY, {"proven": 0, "waiting": 0, "missing": 0}),
    "Now": Seen(DAY, _is_now),
    "What happened ($currency)": Seen(
        DAY,
        _story(
            ("10:02", {"start": "0.1.0"}),
            ("10:01", {"lockout": "began", "of": "A2"}),
            ("10:00", {"price list": 7}),
            ("09:51", {"door": False}),
            ("09:50", {"visit": "ended"}),
            ("09:45", {"sold": "cola", "paid": 0, "tender": "test", "late": False}),
            ("09:31", {"visit": "began"}),
            ("09:30", {"door": True}),
            ("09:00", {"device": "changer", "fault ended": "coin_jam"}),
            ("08:30", {"device": "changer", "fault": "coin_jam"}),
            ("08:20", {"failed": "chips", "why": "jammed"}),
            ("08:15", {"sold": "cola", "paid": 1.5, "tender": "cash", "late": True}),
        ),
    ),
    "Stock by slot": Seen(
        DAY,
        _rows("slot", "product", "count", "par", "capacity", "bring", "sold in 7 days", "days left")(
            ("A1", "cola", 8, 8, 10, 0, 0, -1),
            ("A2", "chips", 2, 8, 10, 6, 1, 2),
            ("A3", "water", 0, 4, 10, 4, 0, -1),
        ),
    ),
    "Tubes": Seen(DAY, _rows("coin", "count", "capacity", "bring")(("50", 10, 60, 20))),
    "Cash in it ($currency)": Seen(DAY, {"tubes": 5, "cash box": 12, "stacker": 30, "recycler": 5}),
    "Temperature": Seen(NOW, _lines(highest=_said(6))),
    "Link": Seen(NOW, _lines(**{"round trip (ms)": _said(45), "reconnects": _said(3)})),
    "Clock": Seen(NOW, _lines(offset=_said(12))),
}

INVENTORY: Final = {
    "Filled": Seen(NOW, {"filled": 100 - 12 * 100 / 36}),
    "Slots": Seen(NOW, {"low": 2, "empty": 1}),
    "To bring": Seen(NOW, {"products": 12, "coins": 20}),
    "Machines by need": Seen(
        NOW,
        _rows("machine", "filled", "empty", "low", "slots", "runs out in", "change low")(
            ("vm-1", 50, 1, 2, 3, 48, 0), ("vm-2", 75, 0, 0, 1, -1, 1), ("vm-3", 100, 0, 0, 1, -1, None)
        ),
    ),
    "Slots that run out within a week": Seen(
        NOW,
        _rows("machine", "slot", "product", "days left", "count", "bring")(("vm-1", "A2", "chips", 2, 2, 6)),
    ),
    "Products to bring": Seen(NOW, _rows("product", "bring (sum)")(("chips", 6), ("water", 4), ("cola", 2))),
    "Products to bring, by machine": Seen(
        NOW,
        _rows("machine", "slot", "product", "bring")(
            ("vm-1", "A2", "chips", 6), ("vm-1", "A3", "water", 4), ("vm-2", "A1", "cola", 2)
        ),
    ),
    "Coins to bring": Seen(NOW, _rows("coin", "bring")(("50", 20))),
    "Coins to bring, by machine": Seen(
        NOW, _rows("machine", "coin", "count", "bring")(("vm-1", "50", 10, 20))
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
        _rows("machine", "tubes", "cash box", "stacker", "recycler", "notes")(
            ("vm-1", 5, 12, 30, 5, 4), ("vm-2", 0.5, 12, 30, 5, 4)
        ),
    ),
    "Counted bags ($currency)": Seen(
        FORTNIGHT,
        _rows(*_BAG, "expected", "counted", "difference")(
            (at_ms("2026-09-21 09:40"), "vm-1", "B 1", 14.5, 14, -0.5)
        ),
    ),
    "Collections ($currency)": Seen(
        FORTNIGHT,
        _rows(*_BAG, "cash box", "stacker", "tubes stay", "recycler stays")(
            (at_ms("2026-09-21 11:00"), "vm-2", "B 2", 3, 0, 1, 0),
            (at_ms("2026-09-21 09:40"), "vm-1", "B 1", 4.5, 10, 8, 5),
        ),
    ),
    "Cash that moved ($currency)": Seen(FORTNIGHT, {"cash in": 2, "paid out": 0.5}),
    "Owed to customers ($currency)": Seen(FORTNIGHT, {"owed": 0.7, "paid": 0.4}),
}


def _minutes(*values: float | None, first: int = 4) -> Callable[[int], Points]:
    """A point in each of the minutes before now."""
    return lambda now_ms: [
        ((now_ms - (first - n) * MINUTE_MS) // MINUTE_MS * MINUTE_MS, value) for n, value in enumerate(values)
    ]


def _same(value: float) -> Callable[[int], Points]:
    return _minutes(value, value, value, value)


SYSTEM: Final = {
    "Broker and database": Seen(NOW, {"broker": 1, "InfluxDB": 1}),
    "Sale to stored": Seen(NOW, {"slowest": 600}),
    "Dead letters": Seen(NOW, {"dead letters": 3}),
    "Ingest rate (records/s)": Seen(NOW, _lines(desk=_minutes(2, 2, 2, first=3))),
    "Lag from sale to stored": Seen(
        NOW,
        _lines(
            **{
                "half": _same(200),
                "99 of 100": _minutes(300, 400, 500, 600),
                "slowest": _minutes(300, 400, 500, 600),
            }
        ),
    ),
    "Queue at the broker": Seen(NOW, _lines(stored=_same(30), queued=_same(5))),
    "Broker": Seen(NOW, _lines(**{"clients": _same(4), "received/s": _same(2), "dropped": _same(0)})),
    "InfluxDB": Seen(NOW, _lines(**{"write, 99 of 100": _same(20)})),
    "Waiting in the cloud": Seen(
        NOW, _lines(**{"inbox": _same(5), "oldest figure (s)": _minutes(None, None, None, None)})
    ),
}

EXPECTED: Final[Mapping[str, Mapping[str, Seen]]] = {
    "Today": TODAY,
    "Sales report": SALES,
    "Machines": MACHINES,
    "One machine": MACHINE,
    "Inventory and route": INVENTORY,
    "Cash": CASH,
    "System": SYSTEM,
}
