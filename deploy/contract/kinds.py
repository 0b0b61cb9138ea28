"""Every kind of message, and what is inside messages: records by kind, orders by name. Each with an example.

`encode` and `decode` are what the programs do; the wire never has anything else.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import BaseModel

from deploy.contract import examples
from shared import codec, commands, records, topics

RECORD_TOPICS: Final = (topics.SALE, topics.EVENT)


@dataclass(frozen=True, slots=True)
class Kind:
    """`header`: its fields stand before those of `model`; None where the model is the whole message.

    `inside`: it is a part of that topic's messages and no message of its own.
    """

    name: str
    topic: topics.Topic
    version: int
    model: type[BaseModel]
    header: type[BaseModel] | None
    inside: bool
    example: object
    encode: Callable[[], bytes]
    decode: Callable[[bytes], object]

    @property
    def is_json(self) -> bool:
        return self.topic.codec is topics.Codec.JSON

    def unpacked(self, wire: bytes) -> Any:  # noqa: ANN401  # any value of the codecs
        """Maps, lists and scalars, as any client reads them."""
        return json.loads(wire) if self.is_json else codec.unpack(wire)

    def view(self) -> Any:  # noqa: ANN401  # any value of the codecs
        """The example so; of a record that alone."""
        value = self.unpacked(self.encode())
        return value[0] if self.header is records.Header else value

    @property
    def what(self) -> str:
        """The first paragraph of the model's own words."""
        words = self.model.__doc__ or self.topic.what
        return " ".join(words.split("\n\n")[0].split())


def _record(number: int, model: type[BaseModel]) -> Kind:
    body = examples.BODIES[model]
    header = examples.header(number)
    record = records.Record(header, body)

    def decode(data: bytes) -> object:
        (item,) = _array(data)
        return records.parse_record(item)

    return Kind(
        name=body.kind,
        topic=topics.SALE if model is records.Sale else topics.EVENT,
        version=records.SCHEMA_VERSION,
        model=model,
        header=records.Header,
        inside=True,
        example=record,
        encode=lambda: codec.join([codec.pack(records.dump_record(header, body))]),
        decode=decode,
    )


def _array(data: bytes) -> tuple[object, ...]:
    value = codec.unpack(data)
    assert isinstance(value, tuple)
    return value


def _message(topic: topics.Topic, model: type[BaseModel]) -> Kind:
    value = examples.MESSAGES[model]

    def encode() -> bytes:
        if topic.codec is topics.Codec.JSON:
            return bytes(value.model_dump_json(), "utf-8")
        return codec.pack(value.model_dump())

    def decode(data: bytes) -> object:
        if topic.codec is topics.Codec.JSON:
            return model.model_validate_json(data)
        return model.model_validate(codec.unpack(data))

    return Kind(
        name=topic.name.replace("/", "-"),
        topic=topic,
        version=_version(model),
        model=model,
        header=None,
        inside=False,
        example=value,
        encode=encode,
        decode=decode,
    )


def _version(model: type[BaseModel]) -> int:
    version = model.model_fields["v"].default
    assert isinstance(version, int)
    return version


def _order(model: type[BaseModel]) -> Kind:
    action = examples.ACTIONS[model]
    order = commands.Order(examples.ORDER_HEADER, action)
    return Kind(
        name=f"command.{action.name}",
        topic=topics.COMMAND,
        version=_version(commands.Envelope),
        model=model,
        header=commands.Header,
        inside=True,
        example=order,
        encode=lambda: commands.dump_order(order),
        decode=commands.parse_order,
    )


KINDS: Final = (
    *(_record(number, model) for number, model in enumerate(get_args(records.Body), start=1)),
    *(_message(topic, topic.model) for topic in topics.TOPICS if topic.model is not None),
    *(_order(model) for model in get_args(commands.Action)),
)
