"""The records of a small fleet: two weeks of September 2026, some sales of the two before, one of today."""

from datetime import UTC, datetime
from typing import Any, Final

from tests.cloud.records import sale

MINUTE_NS: Final = 60 * 10**9
EUR: Final = {"currency": "EUR"}


def at_ms(text: str) -> int:
    """UTC, as `2026-09-21 08:15`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def at_ns(text: str) -> int:
    return at_ms(text) * 10**6


Made = tuple[str, str, dict[str, Any]]  # when, kind, body


def _sold(
    when: str, tender: str, price: int, product: str = "cola", slot: str = "A1", **more: object
) -> Made:
    parts = {"cash": 100, "card": price - 100} if tender == "mixed" else {tender: price}
    free = tender in {"free", "test"}
    body = {
        "product": product,
        "slot": slot,
        "price_minor": price,
        "paid_minor": 0 if free else price,
        "tenders": tuple(
            {"tender": name, "amount_minor": 0 if free else part} for name, part in parts.items()
        ),
        **more,
    }
    return when, "sale", body


_HISTORY: Final[dict[str, list[Made]]] = {
    "vm-1": [
        _sold("2026-09-03 10:00", "cash", 150),
        _sold("2026-09-05 11:00", "card", 200, "chips", "A2"),
        ("2026-09-05 11:05", "vend_failed", {"slot": "A2", "product": "chips", "price_minor": 200,
                                             "tender": "card", "reason": "jammed", **EUR}),
        _sold("2026-09-14 08:05", "cash", 150),
        _sold("2026-09-14 08:50", "card", 200, "chips", "A2"),
        _sold("2026-09-15 12:30", "mixed", 250, "water", "A3"),
        _sold("2026-09-16 12:00", "free", 150),
        _sold("2026-09-21 08:15", "cash", 150, link_down=True),
        ("2026-09-21 08:20", "vend_failed", {"slot": "A2", "product": "chips", "price_minor": 200,
                                             "tender": "card", "reason": "jammed", **EUR}),
        ("2026-09-21 08:21", "refund", {"amount_minor": 200, **EUR}),
        ("2026-09-21 08:30", "fault", {"device": "changer", "code": "coin_jam"}),
        ("2026-09-21 09:00", "fault_cleared", {"device": "changer", "code": "coin_jam"}),
        ("2026-09-21 09:30", "door", {"open": True}),
        ("2026-09-21 09:31", "visit", {"event": "began", "door": True}),
        ("2026-09-21 09:40", "collection", {"bag": "B 1", "cashbox_minor": 450, "stacker_minor": 1_000,
                                            "tubes_minor": 800, "recycler_minor": 500, **EUR}),
        _sold("2026-09-21 09:45", "test", 150),
        ("2026-09-21 09:50", "visit", {"event": "ended", "door": True}),
        ("2026-09-21 09:51", "door", {"open": False}),
        ("2026-09-21 10:00", "applied", {"price_version": 7}),
        ("2026-09-21 10:01", "lockout", {"event": "began", "scope": "slot", "name": "A2",
                                         "reason": "jammed"}),
        ("2026-09-21 10:02", "boot", {"software": "0.1.0", "recovered": "nothing"}),
        _sold("2026-09-27 23:30", "wallet", 300, "salad", "A4"),
    ],
    "vm-2": [
        _sold("2026-09-15 12:40", "cash", 150),
        ("2026-09-15 12:41", "cash_in", {"value_minor": 200, "medium": "coin", "type": 2, "route": "tube",
                                         **EUR}),
        ("2026-09-15 12:42", "payout", {"wanted_minor": 50, "paid_minor": 50, "reason": "change", **EUR}),
        _sold("2026-09-20 18:00", "card", 220, "chips", "A2", link_down=True),
        ("2026-09-21 07:00", "owed", {"amount_minor": 70, "reason": "tubes_empty", "claim": "0001-123456",
                                      **EUR}),
        ("2026-09-21 07:30", "claim_paid", {"amount_minor": 40, "claim": "0001-123456",
                                      **EUR}),
        ("2026-09-21 11:00", "collection", {"bag": "B 2", "cashbox_minor": 300, "stacker_minor": 0,
                                            "tubes_minor": 100, "recycler_minor": 0, **EUR}),
        _sold("2026-09-21 20:10", "card", 220, "chips", "A2"),
        ("2026-09-21 21:00", "audit", {"sales": 3, "sold_minor": 590, "card_sales": 2, "card_sold_minor": 440,
                                       "cash_in_minor": 200, "card_in_minor": 440, "paid_out_minor": 50,
                                       "refunded_minor": 0, "owed_minor": 70, "redeemed_minor": 0,
                                       "settled_minor": 40, "credit_minor": 0, **EUR}),
    ],
    "vm-3": [_sold("2026-09-21 13:00", "card", 2_500, "cola", currency="SEK")],
}  # fmt: skip
END_NS: Final = at_ns("2026-09-28 00:00")
_MISSING: Final = 2  # vm-3 sent none of its first records
RECENTLY_NS: Final = 2 * 60 * MINUTE_NS  # so long ago vm-1 sold the last time


def records_of(machine: str, now_ns: int) -> list[dict[str, Any]]:
    made = []
    first = 1 + _MISSING if machine == "vm-3" else 1
    for seq, (when, kind, body) in enumerate(_HISTORY[machine], start=first):
        base = sale(machine, seq, at_ns=at_ns(when))
        if kind != "sale":
            base = {name: base[name] for name in ("v", "machine", "epoch", "seq", "at_ns", "clock")}
        made.append({**base, "kind": kind, **body})
    if machine == "vm-1":
        seq = len(made) + 1
        recent = {"slot": "A2", "product": "chips", "at_ns": now_ns - RECENTLY_NS}
        made.append(sale(machine, seq, **recent))
    return made
