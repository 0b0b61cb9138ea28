"""What was published, and assertions on it that say what there was instead. Pure."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from shared.capture import Message
from shared.decoded import decode, plain
from shared.selection import matches

_SHOWN: Final = 20


class Answers:
    """In order. A record counts by itself, however many a message has."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self.messages = list(messages)

    def on(self, pattern: str, **fields: object) -> list[Any]:
        """What was said on topics of this MQTT filter, decoded; of it what has these fields."""
        return [
            said
            for message in self.messages
            if matches(pattern, message.topic)
            for said in _said(message)
            if not fields or (isinstance(said, dict) and all(said.get(k) == v for k, v in fields.items()))
        ]

    def expect(self, pattern: str, times: int = 1, **fields: object) -> list[Any]:
        """As `on`, and so many of them. Raises AssertionError."""
        found = self.on(pattern, **fields)
        if len(found) != times:
            wanted = "".join(f" {name}={value!r}" for name, value in fields.items())
            raise AssertionError(
                f"{len(found)} times{wanted} on {pattern}, not {times}; published were:\n{self}"
            )
        return found

    def __str__(self) -> str:
        lines = [f"  {m.topic} {json.dumps(said)}" for m in self.messages for said in _said(m)]
        more = [f"  and {len(lines) - _SHOWN} before these"] if len(lines) > _SHOWN else []
        return "\n".join(more + lines[-_SHOWN:]) or "  nothing"


def _said(message: Message) -> Iterator[Any]:
    found = decode(message.topic, message.payload)
    value = plain(message.payload if found.codec is None else found.value)
    if isinstance(value, list):
        yield from value
    else:
        yield value
