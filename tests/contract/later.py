"""Messages of a newer version, made of those of today: fields that nobody knows wherever there are any."""

import json
from collections.abc import Callable
from typing import Any, Final

from deploy.contract import schemas
from deploy.contract.kinds import Kind
from shared import codec, commands, topics
from shared.messages import Config, Mark, PlannedSlot, PriceList, Receipt, Watermark
from tests.contract.edge import Edge
from tests.signing import NS, PRIVATE

PARTS: Final = schemas.components()
Draw = Callable[[], dict[str, Any]]  # some fields, each time others


def with_later(value: Any, schema: schemas.Schema, draw: Draw) -> Any:  # noqa: ANN401
    """A decoded message with fields of a newer version in each of its maps that has named fields."""
    variants = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    (inner,) = variants[0].get("allOf", variants[:1])
    if "$ref" in inner:
        inner = PARTS[inner["$ref"].removeprefix(schemas.REF)]
    if isinstance(value, dict):
        if "properties" not in inner:  # names are data: slots, tenders
            return {key: with_later(one, inner["additionalProperties"], draw) for key, one in value.items()}
        named = {key: with_later(one, inner["properties"][key], draw) for key, one in value.items()}
        return {**draw(), **named}
    if isinstance(value, list | tuple):
        items = inner["items"]
        each = items if isinstance(items, list) else [items] * len(value)
        return [with_later(one, of, draw) for one, of in zip(value, each, strict=True)]
    return value


def newer(kind: Kind, wire: bytes, draw: Draw) -> bytes:
    schema = PARTS[schemas.NAMES[kind.name]]
    value = kind.unpacked(wire)
    if isinstance(value, tuple):
        return codec.pack([with_later(record, schema, draw) for record in value])
    value = with_later(value, schema, draw)
    return json.dumps(value).encode() if kind.is_json else codec.pack(value)


def told(edge: Edge, draw: Draw) -> list[tuple[topics.Topic, bytes]]:
    """One message on each topic that comes down and has to do with sales, as that cloud says it."""
    times = [ns for seq in (1, 2) for ns in edge.journal.times(edge.journal.epoch, seq, seq)]
    epoch = edge.journal.epoch
    plain = {
        topics.WATERMARK: Watermark(heard_ns=1, journals=(Mark(epoch=epoch, seq=1, at_ns=times[0]),)),
        topics.RECEIPT: Receipt(epoch=epoch, stored=((1, 2),), checks=(times[0] ^ times[1],)),
        topics.PRICES: PriceList(version=1, currency="EUR", prices={"A1": 160, "B1": 90}),
        topics.CONFIG: Config(
            version=1,
            slots={
                "A1": PlannedSlot(product="water", capacity=12, par=9),
                "B1": PlannedSlot(product="milk", capacity=8, par=6, group="fresh"),
            },
            tenders_off={"card": "no cards today"},
        ),
    }
    said = []
    for topic, message in plain.items():
        value = message.model_dump(mode="json" if topic.codec is topics.Codec.JSON else "python")
        value = with_later(value, PARTS[type(message).__name__], draw)
        said.append(
            (topic, json.dumps(value).encode() if topic.codec is topics.Codec.JSON else codec.pack(value))
        )
    return [*said, (topics.COMMAND, _command(draw))]


def _command(draw: Draw) -> bytes:
    """A lock of B1, signed as it is."""
    issued_ns = 1_790_000_000 * NS
    header = commands.Header(machine="m1", id="ab" * 16, issued_ns=issued_ns, expires_ns=issued_ns + 60 * NS)
    order = {**header.model_dump(), "action": commands.Lock(slot="B1", reason="broken").model_dump()}
    signed = codec.pack(with_later(order, PARTS["LockOrder"], draw))
    signature = PRIVATE["operator"].sign(commands.to_sign("operator", signed))
    envelope = commands.Envelope(key="operator", signed=signed, signature=signature).model_dump()
    return codec.pack(with_later(envelope, PARTS["Envelope"], draw))
