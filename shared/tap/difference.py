"""Two captures by what they say: decoded values, in order within each topic; not bytes, times or batches.

Records count one by one, however many a message had. Pure; holds what both captures say.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final, Literal

from shared import topics
from shared.capture import Message
from shared.decoded import decode, plain

_EXPIRY: Final = "MessageExpiryInterval"  # what was left of it when the message came: time, not meaning


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that only one side said on a topic, at its place there, from 1."""

    side: Literal["-", "+"]
    topic: str
    number: int
    said: Any


def _items(messages: Iterable[Message], *, with_properties: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Topic and meaning of each message, or of each record of one."""
    for message in messages:
        found = decode(message.topic, message.payload)
        about: dict[str, Any] = {"qos": message.qos, "retain": message.retain}
        if with_properties:
            kept = {name: value for name, value in message.properties.items() if name != _EXPIRY}
            about["properties"] = kept
        parsed = topics.parse(message.topic)
        if found.codec is None:
            yield message.topic, {**about, "payload": plain(message.payload)}
        elif parsed is not None and parsed[1].model is None and isinstance(found.value, tuple):
            for record in found.value:
                yield message.topic, {**about, "record": plain(record)}
        else:
            yield message.topic, {**about, "value": plain(found.value)}


def differences(
    left: Iterable[Message], right: Iterable[Message], *, with_properties: bool = True
) -> list[Difference]:
    """By topic. `with_properties`: both sides have them."""
    before = _by_topic(left, with_properties=with_properties)
    after = _by_topic(right, with_properties=with_properties)
    found: list[Difference] = []
    for topic in sorted(before.keys() | after.keys()):
        found += _of_topic(topic, before.get(topic, []), after.get(topic, []))
    return found


def _by_topic(messages: Iterable[Message], *, with_properties: bool) -> dict[str, list[str]]:
    said: dict[str, list[str]] = defaultdict(list)
    for topic, item in _items(messages, with_properties=with_properties):
        said[topic].append(json.dumps(item, sort_keys=True))
    return said


def _of_topic(topic: str, before: list[str], after: list[str]) -> Iterator[Difference]:
    shorter = min(len(before), len(after))
    start = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    left, right = before[start:], after[start:]
    for what, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if what != "equal":
            yield from (Difference("-", topic, start + n + 1, json.loads(left[n])) for n in range(a, b))
            yield from (Difference("+", topic, start + n + 1, json.loads(right[n])) for n in range(c, d))
