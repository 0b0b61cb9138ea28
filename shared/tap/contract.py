"""Captures against the contract: the topic table, its models, and what of it never appeared. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from shared import codec, commands, topics
from shared.capture import Message
from shared.fields import explain
from shared.records import Body, RecordError, Sale, parse_record

_SHOWN: Final = 1_000  # violations that are kept; all are counted


def _names(topic: topics.Topic) -> Iterator[str]:
    if topic.model is None:
        for body in get_args(Body):
            if (body is Sale) == (topic is topics.SALE):
                yield f"{topic.name} {body.model_fields['kind'].default}"
    elif topic.model is commands.Envelope:
        for action in get_args(commands.Action):
            yield f"{topic.name} {action.model_fields['name'].default}"
    elif topic.model is commands.Reply:
        for outcome in get_args(commands.Outcome):
            yield f"{topic.name} {outcome}"
    else:
        yield topic.name


KINDS: Final = tuple(name for topic in topics.TOPICS for name in _names(topic))


@dataclass(frozen=True, slots=True)
class Violation:
    """`number`: which message of the capture, from 1."""

    number: int
    topic: str
    why: str


@dataclass(slots=True)
class Coverage:
    """What a capture has of the contract. `keeps_retained`: the recording says so of its retained flags."""

    keeps_retained: bool
    messages: int = 0
    wrong: int = 0
    violations: list[Violation] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def missing(self) -> list[str]:
        return [kind for kind in KINDS if not self.seen[kind]]

    def add(self, message: Message) -> None:
        self.messages += 1
        found = list(_problems(message, self.seen, keeps_retained=self.keeps_retained))
        self.wrong += bool(found)
        room = _SHOWN - len(self.violations)
        self.violations += [Violation(self.messages, message.topic, why) for why in found[:room]]


def _problems(message: Message, seen: Counter[str], *, keeps_retained: bool) -> Iterator[str]:
    parsed = topics.parse(message.topic)
    if parsed is None:
        yield "no topic of the contract"
        return
    machine, topic = parsed
    if message.qos != topic.qos:
        yield f"QoS {message.qos}; the contract has {topic.qos}"
    if message.retain and not topic.retained:
        yield "retained; the contract does not have it so"
    if keeps_retained and topic.retained and not message.retain:
        yield "not retained; the contract has it so"
    said = message.properties.get("ContentType", topic.codec.value)
    if said != topic.codec.value and message.payload:
        yield f"content type {said!r}; the contract has {topic.codec.value}"
    if topic.model is None:
        yield from _records(message, machine, topic, seen)
    elif message.payload or not topic.retained:  # an empty one clears a retained topic
        yield from _one(message.payload, machine, topic, topic.model, seen)


def _records(message: Message, machine: str, topic: topics.Topic, seen: Counter[str]) -> Iterator[str]:
    try:
        raw = codec.unpack(message.payload)
    except codec.CodecError as error:
        yield str(error)
        return
    if not isinstance(raw, tuple) or not raw:
        yield "not an array of records"
        return
    for item in raw:
        try:
            record = parse_record(item)
        except RecordError as error:
            yield f"record: {error}"
            continue
        kind = record.body.kind
        if record.header.machine != machine:
            yield f"record of {record.header.machine} on the topic of {machine}"
        elif isinstance(record.body, Sale) != (topic is topics.SALE):
            yield f"a {kind} does not belong on {topic.name}"
        else:
            seen[f"{topic.name} {kind}"] += 1


def _one(
    payload: bytes, machine: str, topic: topics.Topic, model: type[BaseModel], seen: Counter[str]
) -> Iterator[str]:
    try:
        value: Any
        if topic.codec is topics.Codec.JSON:
            value = model.model_validate_json(payload)
        else:
            value = model.model_validate(codec.unpack(payload))
        kind = topic.name
        if isinstance(value, commands.Reply):
            kind = f"{topic.name} {value.outcome}"
        elif isinstance(value, commands.Envelope):
            order = commands.parse_order(value.signed)
            kind = f"{topic.name} {order.action.name}"
            if order.header.machine != machine:
                yield f"a command for {order.header.machine} on the topic of {machine}"
                return
    except ValidationError as error:
        yield explain(error)
    except (codec.CodecError, commands.OrderError) as error:
        yield str(error)
    else:
        seen[kind] += 1
