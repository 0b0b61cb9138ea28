"""What is known of one machine becomes the rows of its gauges. Pure; the time is an argument.

A field whose value nobody knows is left out. What only runs on with time is given in whole minutes, so that a
machine with which nothing happens is rewritten once a minute and not at each look.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from influxdb_client.client.write.point import Point

from cloud.gauges.usual import (
    DAY_NS,
    HOUR_NS,
    UNKNOWN,
    Recent,
    Usual,
    coins_to_bring,
    missed_sales,
    runout_days,
)
from cloud.said import SWITCHED, line, tender_of, warmest
from shared.messages import Health, SlotStock, Status, Stock

SILENT_AFTER_NS: Final = 45 * 60 * 10**9  # its health is said every quarter of an hour
_MINUTE_NS: Final = 60 * 10**9
Value = int | float | str


@dataclass(frozen=True, slots=True)
class Known:
    """What the store has of one machine. `said_ns`: when its status came; `seen_ns`: its newest word, 0 where
    there is only the broker's memory. `waiting`, `missing`: records. `disagreements`: slots.
    """

    machine: str
    status: Status | None
    said_ns: int
    stock: Stock | None
    health: Health | None
    seen_ns: int
    sold_ns: int
    door_open_ns: int
    waiting: int = 0
    missing: int = 0
    disagreements: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """Whether a machine is there, and since when."""

    online: bool
    since_ns: int


@dataclass(frozen=True, slots=True)
class Row:
    """One point. `start_ns`: of its period."""

    measurement: str
    tags: tuple[tuple[str, str], ...]
    start_ns: int
    fields: Mapping[str, Value]

    @property
    def key(self) -> tuple[str, ...]:
        return (self.measurement, *(value for _, value in self.tags))

    def text(self) -> str:
        point = Point(self.measurement)
        for name, value in self.tags:
            point.tag(name, value)
        for name, found in self.fields.items():
            point.field(name, found)
        return line(point, self.start_ns)


def link_of(known: Known, as_of_ns: int, listening_ns: int) -> Link | None:
    """None where its status is not known. `listening_ns`: since when the cloud would have heard it.

    Silent is who said so by the last will, and who said nothing for three healths although he used to. The
    will has the time of its connection's beginning, so silence begins with the last word that came.
    """
    status = known.status
    if status is None:
        return None
    if not status.online:
        return Link(online=False, since_ns=known.seen_ns or known.said_ns)
    heard_ns = max(known.seen_ns, listening_ns)
    if known.health is not None and as_of_ns - heard_ns > SILENT_AFTER_NS:
        return Link(online=False, since_ns=known.seen_ns or known.said_ns)
    return Link(online=True, since_ns=status.since_ns)


def machine_row(
    known: Known,
    link: Link | None,
    usual: Usual | None,
    recent: Recent | None,
    *,
    now_ns: int,
    as_of_ns: int,
    offset_s: int,
) -> Row:
    """`as_of_ns`: until when anybody could know; it stands still while the broker is away."""
    fields: dict[str, Value | None] = {}
    if link is not None:
        fields |= {
            "online": int(link.online),
            "since_ms": link.since_ns // 10**6,
            "silent_s": 0 if link.online else _minutes_s(as_of_ns - link.since_ns),
        }
        as_of_ns = as_of_ns if link.online else min(as_of_ns, link.since_ns)
    fields["seen_ms"] = known.seen_ns // 10**6 or None
    fields |= _of_status(known.status) | _of_sales(known.sold_ns, usual, recent, as_of_ns, offset_s)
    if known.stock is not None:
        fields |= _of_stock(known.stock, usual)
    if known.health is not None:
        fields |= _of_health(known.health, known.door_open_ns, as_of_ns)
        fields["jams"] = sum("jam" in fault.code for fault in known.health.faults)
    if recent is not None:
        fields["jams"] = recent.jammed + int(fields.get("jams") or 0)
    fields |= {name: getattr(known, name) for name in ("waiting", "missing", "disagreements")}
    return _row("machine_now", {"machine": known.machine}, now_ns // HOUR_NS * HOUR_NS, fields)


def _of_status(status: Status | None) -> dict[str, Value | None]:
    if status is None:
        return {}
    fields: dict[str, Value | None] = {"owed": status.owed, "parked": status.parked}
    for tender in SWITCHED:
        fields[tender], fields[f"{tender}_why"] = tender_of(status, tender)
    return fields | {"software": status.software}


def _of_sales(
    sold_ns: int, usual: Usual | None, recent: Recent | None, as_of_ns: int, offset_s: int
) -> dict[str, Value | None]:
    """A machine that never sold has no last sale, and misses none."""
    fields: dict[str, Value | None] = {"missed_sales": UNKNOWN}
    if sold_ns:
        fields |= {"last_sale_ms": sold_ns // 10**6, "quiet_s": _minutes_s(as_of_ns - sold_ns)}
        if usual is not None:
            fields["missed_sales"] = missed_sales(usual.profile, sold_ns, as_of_ns, offset_s)
    if recent is not None:
        fields |= {"vends_24h": recent.vends, "failed_24h": recent.failed}
    return fields


def _of_stock(stock: Stock, usual: Usual | None) -> dict[str, Value | None]:
    """`stock_percent`: of what should be in it, the slots' pars. `runout_h`: of the slots that are not empty
    yet, the first one.
    """
    slots = {slot: held for slot, held in stock.slots.items() if held.par}
    par = sum(held.par for held in slots.values())
    left = [days for slot, held in slots.items() if held.count and (days := _runout(slot, held, usual)) >= 0]
    return {
        "stock_percent": 100 * sum(min(held.count, held.par) for held in slots.values()) // par
        if par
        else None,
        "slots": len(slots),
        "slots_low": sum(map(_is_low, slots.values())),
        "slots_empty": sum(not held.count for held in slots.values()),
        "runout_h": round(min(left) * 24, 1) if left else UNKNOWN,
    }


def _of_health(health: Health, door_open_ns: int, as_of_ns: int) -> dict[str, Value | None]:
    """`change_minor`: what can be given back. `money_in_minor`: what somebody would find in it."""
    boxes = (health.tubes_minor, health.recycler_minor, health.cashbox_minor, health.stacker_minor)
    is_open = bool(health.door_open)
    return {
        "change_minor": _sum(boxes[:2]),
        "change_low": None if health.change_low is None else int(health.change_low),
        "temperature_c": warmest(health),
        "lockout": int(bool(health.lockouts)),
        "door_open": None if health.door_open is None else int(is_open),
        "door_s": _minutes_s(as_of_ns - (door_open_ns or health.at_ns)) if is_open else 0,
        "faults": len(health.faults),
        "clock": health.clock,
        "money_in_minor": _sum(boxes),
    }


def slot_rows(machine: str, stock: Stock, usual: Usual | None, now_ns: int) -> list[Row]:
    return [
        _row(
            "slot_now",
            {"machine": machine, "slot": slot},
            now_ns // DAY_NS * DAY_NS,
            {
                "count": held.count,
                "capacity": held.capacity,
                "par": held.par,
                "bring": max(0, held.par - held.count),
                "product": held.product,
                "sold_7d": usual.sold.get(slot, 0) if usual else None,
                "runout_days": _runout(slot, held, usual),
                "low": int(_is_low(held)),
                "empty": int(held.par > 0 and not held.count),
            },
        )
        for slot, held in stock.slots.items()
    ]


def tube_rows(machine: str, health: Health, usual: Usual | None, now_ns: int) -> list[Row]:
    rows = []
    for tube in health.tubes:
        used = usual.coins.get(tube.coin_minor) if usual else None
        fields = {
            "count": tube.count,
            "capacity": tube.capacity,
            "bring": coins_to_bring(tube.count, tube.capacity, used),
            "used_7d": used,
        }
        tags = {"machine": machine, "coin": str(tube.coin_minor)}
        rows.append(_row("tube_now", tags, now_ns // DAY_NS * DAY_NS, fields))
    return rows


def _row(measurement: str, tags: dict[str, str], start_ns: int, fields: Mapping[str, Value | None]) -> Row:
    known = {name: value for name, value in fields.items() if value is not None}
    return Row(measurement, tuple(tags.items()), start_ns, known)


def _runout(slot: str, held: SlotStock, usual: Usual | None) -> float:
    return runout_days(held.count, usual.sold.get(slot, 0), usual.sold_days) if usual else UNKNOWN


def _is_low(held: SlotStock) -> bool:
    """An empty one too. A slot without a par is not in use."""
    return held.par > 0 and held.count * 4 <= held.par


def _minutes_s(span_ns: int) -> int:
    return max(0, span_ns) // _MINUTE_NS * 60


def _sum(amounts: tuple[int | None, ...]) -> int | None:
    """Of those that are known; None where none is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None
