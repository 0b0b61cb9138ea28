"""Messages of every sort, as a recording has them."""

from pathlib import Path
from typing import Any, Literal

from shared import codec, topics
from shared.capture import Header as Opening
from shared.capture import Message
from shared.capture.rotation import new
from shared.commands import FreeVend, Header, Order, dump_order

EPOCH = "0123456789ab"
START_NS = 1_790_000_000_000_000_000
MS = 10**6
CODE = "0007-483920"


def message(
    topic: str,
    payload: bytes = b"",
    *,
    t_ns: int = 0,
    qos: int = 1,
    retain: bool = False,
    dup: bool = False,
    direction: Literal["in", "out"] = "in",
    **properties: object,
) -> Message:
    return Message(t_ns, START_NS + t_ns, direction, topic, qos, retain, payload, properties, dup)


def record(machine: str, seq: int, kind: str, **body: object) -> dict[str, Any]:
    header = {"v": 1, "machine": machine, "epoch": EPOCH, "seq": seq, "at_ns": START_NS + seq * MS}
    return {**header, "clock": "synced", "kind": kind, **body}


def sale(machine: str, seq: int, **changes: object) -> dict[str, Any]:
    return record(
        machine,
        seq,
        "sale",
        **{
            "slot": "A1",
            "product": "cola",
            "price_minor": 150,
            "paid_minor": 150,
            "currency": "EUR",
            "price_version": 0,
            "tenders": [{"tender": "cash", "amount_minor": 150}],
            "stock_left": 9,
            "link_down": False,
            "duration_ms": 1_800,
            "outcome": "delivered",
            **changes,
        },
    )


def owed(machine: str, seq: int) -> dict[str, Any]:
    return record(machine, seq, "owed", amount_minor=150, currency="EUR", reason="no_change", claim=CODE)


def records(topic: topics.Topic, machine: str, *those: object, t_ns: int = 0) -> Message:
    return message(topic.of(machine), codec.pack(list(those)), t_ns=t_ns, ContentType="application/msgpack")


def sales(machine: str, *numbers: int, t_ns: int = 0) -> Message:
    return records(topics.SALE, machine, *(sale(machine, number) for number in numbers), t_ns=t_ns)


def command(machine: str, topic_of: str | None = None) -> Message:
    order = Order(Header(machine=machine, id="ab" * 16, issued_ns=1, expires_ns=2), FreeVend(slot="A1"))
    signed = dump_order(order)
    envelope = {"v": 1, "key": "desk", "signed": signed, "signature": b"\x77" * 64}
    return message(
        topics.COMMAND.of(topic_of or machine),
        codec.pack(envelope),
        ResponseTopic=topics.REPLY.of(machine),
        CorrelationData_b64="q6s=",
    )


def write(path: Path, *messages: Message) -> Path:
    writer = new(path, Opening(START_NS, "test", {"retain_as_published": True}))
    writer.append(messages)
    writer.close()
    return path
