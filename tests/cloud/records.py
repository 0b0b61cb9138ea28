"""Records and messages as a machine sends them."""

from typing import Any

from cloud.batch import Arrived
from shared import codec, topics

EPOCH = "0123456789ab"
START_NS = 1_790_000_000_000_000_000


def sale(machine: str, seq: int, **changes: object) -> dict[str, Any]:
    """One sale, decoded: tuples where the wire has arrays."""
    return {
        "v": 1,
        "machine": machine,
        "epoch": EPOCH,
        "seq": seq,
        "at_ns": START_NS + seq * 1_000_000,
        "clock": "synced",
        "kind": "sale",
        "slot": "A1",
        "product": "cola",
        "price_minor": 150,
        "paid_minor": 150,
        "currency": "EUR",
        "price_version": 0,
        "tenders": ({"tender": "cash", "amount_minor": 150},),
        "stock_left": 9,
        "link_down": False,
        "duration_ms": 1_800,
        "outcome": "delivered",
        **changes,
    }


def boot(machine: str, seq: int) -> dict[str, Any]:
    header = {
        k: v for k, v in sale(machine, seq).items() if k in {"v", "machine", "epoch", "seq", "at_ns", "clock"}
    }
    return {**header, "kind": "boot", "software": "0.1.0", "recovered": "nothing"}


def arrived(
    machine: str, *records: object, topic: topics.Topic = topics.SALE, at_ns: int = 1, retain: bool = False
) -> Arrived:
    return Arrived(topic.of(machine), codec.pack(list(records)), topic.qos, retain, at_ns)
