"""What the other dashboards must show, worked out by hand from `history.py` and `said.py`. By title."""

from collections.abc import Callable
from typing import Any, Final

from tests.grafana.history import RECENTLY_NS, at_ms
from tests.grafana.said import SAID_BEFORE_NS
from tests.grafana.seen import DAY, MINUTE_MS, NOW, Points, Seen, rows


def _machines(now_ms: int) -> list[dict[str, Any]]:
    said_ms = now_ms - SAID_BEFORE_NS // 10**6
    row = rows(
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
    return row(
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
        rows("slot", "product", "count", "par", "capacity", "bring", "sold in 7 days", "days left")(
            ("A1", "cola", 8, 8, 10, 0, 0, -1),
            ("A2", "chips", 2, 8, 10, 6, 1, 2),
            ("A3", "water", 0, 4, 10, 4, 0, -1),
        ),
    ),
    "Tubes": Seen(DAY, rows("coin", "count", "capacity", "bring")(("50", 10, 60, 20))),
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
        rows("machine", "filled", "empty", "low", "slots", "runs out in", "change low")(
            ("vm-1", 50, 1, 2, 3, 48, 0), ("vm-2", 75, 0, 0, 1, -1, 1), ("vm-3", 100, 0, 0, 1, -1, None)
        ),
    ),
    "Slots that run out within a week": Seen(
        NOW,
        rows("machine", "slot", "product", "days left", "count", "bring")(("vm-1", "A2", "chips", 2, 2, 6)),
    ),
    "Products to bring": Seen(NOW, rows("product", "bring (sum)")(("chips", 6), ("water", 4), ("cola", 2))),
    "Products to bring, by machine": Seen(
        NOW,
        rows("machine", "slot", "product", "bring")(
            ("vm-1", "A2", "chips", 6), ("vm-1", "A3", "water", 4), ("vm-2", "A1", "cola", 2)
        ),
    ),
    "Coins to bring": Seen(NOW, rows("coin", "bring")(("50", 20))),
    "Coins to bring, by machine": Seen(
        NOW, rows("machine", "coin", "count", "bring")(("vm-1", "50", 10, 20))
    ),
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
        NOW, _lines(**{"inbox": _same(5), "oldest figure (s)": _minutes(0, 0, 0, 40)})
    ),
}
