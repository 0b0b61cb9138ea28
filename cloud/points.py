"""Records become InfluxDB points: one row a kind says which measurement, tags and fields.

A point's identity is measurement, tags and time; all come from the record alone, so writing it again writes
the same point over itself. `epoch` is a tag so that two journals of one machine can never meet in a point.
Tags are few, because the number of series decides the speed of every query.
"""

import json
from dataclasses import dataclass
from typing import Final

from influxdb_client.client.write.point import Point
from influxdb_client.domain.write_precision import WritePrecision

from shared.messages import Stock
from shared.records import Audit, Record, Sale

_HEADER_FIELDS: Final = ("seq", "clock")


@dataclass(frozen=True, slots=True)
class Row:
    """How one kind is written. `tags` and `fields` are names in the record's body."""

    fields: tuple[str, ...]
    tags: tuple[str, ...] = ()


MEASUREMENTS: Final = {
    "sale": Row(
        (
            "slot",
            "product",
            "price_minor",
            "paid_minor",
            "currency",
            "price_version",
            "stock_left",
            "link_down",
            "duration_ms",
            "outcome",
        )
    ),  # and from its tenders the tag `tender` and the fields `<tender>_minor`
    "vend_failed": Row(("slot", "product", "price_minor", "currency", "reason"), ("tender",)),
    "cash_in": Row(("value_minor", "currency", "medium", "type", "found"), ("route",)),
    "payout": Row(("wanted_minor", "paid_minor", "paid_notes_minor", "currency"), ("reason",)),
    "refund": Row(("amount_minor", "currency")),
    "revalue": Row(("amount_minor", "currency")),
    "owed": Row(("amount_minor", "currency", "reason", "claim")),
    "claim_used": Row(("amount_minor", "currency", "claim")),
    "claim_paid": Row(("amount_minor", "currency", "claim")),
    "coins_loaded": Row(("value_minor", "coins", "currency")),
    "coins_taken": Row(("value_minor", "coins", "currency")),
    "tubes_corrected": Row(("difference_minor", "currency")),
    "recycler_corrected": Row(("difference_minor", "currency")),
    "visit": Row(("event", "door", "service")),
    "door": Row(("open",)),
    "lockout": Row(("event", "name", "reason"), ("scope",)),
    "refill": Row(("slot", "product", "before", "after", "added")),
    "stock_corrected": Row(("slot", "product", "before", "after")),
    "collection": Row(("bag", "cashbox_minor", "stacker_minor", "tubes_minor", "recycler_minor", "currency")),
    "fault": Row(("code", "detail"), ("device",)),
    "fault_cleared": Row(("code",), ("device",)),
    "boot": Row(("software", "recovered")),
    "applied": Row(("price_version", "config_version")),
    "audit": Row(
        (
            "currency",
            "sales",
            "sold_minor",
            "card_sales",
            "card_sold_minor",
            "cash_in_minor",
            "card_in_minor",
            "paid_out_minor",
            "refunded_minor",
            "revalued_minor",
            "owed_minor",
            "redeemed_minor",
            "settled_minor",
            "credit_minor",
            "free_sales",
            "test_sales",
        )
    ),  # and `slots` as JSON
}


def record_line(record: Record) -> str:
    """Line protocol of one record: integers stay integers, times are nanoseconds."""
    header, body = record.header, record.body
    row = MEASUREMENTS[body.kind]
    point = Point(body.kind).tag("machine", header.machine).tag("epoch", header.epoch)
    if isinstance(body, Sale):
        _tenders(point, body)
    for name in row.tags:
        point.tag(name, getattr(body, name))
    for name in _HEADER_FIELDS:
        point.field(name, getattr(header, name))
    for name in row.fields:
        point.field(name, getattr(body, name))
    if isinstance(body, Audit):
        point.field("slots", json.dumps(body.slots, separators=(",", ":")))
    return str(point.time(header.at_ns, WritePrecision.NS).to_line_protocol())


def _tenders(point: Point, sale: Sale) -> None:
    paid: dict[str, int] = {}
    for part in sale.tenders:
        paid[part.tender] = paid.get(part.tender, 0) + part.amount_minor
    point.tag("tender", next(iter(paid)) if len(paid) == 1 else "mixed")
    for tender, amount_minor in paid.items():
        point.field(f"{tender}_minor", amount_minor)


def stock_lines(machine: str, stock: Stock) -> list[str]:
    """Line protocol of a stock snapshot, one point a slot."""
    return [
        str(
            Point("stock")
            .tag("machine", machine)
            .tag("slot", slot)
            .field("count", left.count)
            .field("capacity", left.capacity)
            .field("par", left.par)
            .field("product", left.product)
            .time(stock.at_ns, WritePrecision.NS)
            .to_line_protocol()
        )
        for slot, left in stock.slots.items()
    ]
