"""The smallest capture that still fails: delta debugging, on messages and on the records in them.

Nothing can be left out of the result: without any one message, or any one record, it does not fail any more.
Pure but for what the caller's `fails` does, which is asked often and must always say the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from shared import codec, topics
from shared.capture import Message
from shared.decoded import decode

_T = TypeVar("_T")
Fails = Callable[[Sequence[Message]], bool]


def shrink(messages: Sequence[Message], fails: Fails) -> list[Message]:
    """`messages` fail. Raises what `fails` raises."""
    before: list[Message] = []
    left = list(messages)
    while left != before:  # with fewer records another message may no longer be needed
        before = left
        left = least(left, fails)
        for number, message in enumerate(left):
            left[number] = _smaller(message, left[:number], left[number + 1 :], fails)
    return left


def _smaller(message: Message, before: list[Message], after: list[Message], fails: Fails) -> Message:
    records = _records(message)
    if len(records) < 2:
        return message

    def still_fails(some: Sequence[object]) -> bool:
        return fails([*before, _with(message, some), *after])

    return _with(message, least(records, still_fails))


def least(items: Sequence[_T], fails: Callable[[Sequence[_T]], bool]) -> list[_T]:
    """Leave out halves, quarters ... single ones, as long as it fails without them."""
    left = list(items)
    size = len(left)
    while size:
        start, before = 0, len(left)
        while start < len(left):
            rest = left[:start] + left[start + size :]
            if fails(rest):
                left = rest
            else:
                start += size
        if size > 1:
            size //= 2
        elif len(left) == before:
            break
    return left


def _records(message: Message) -> tuple[object, ...]:
    parsed = topics.parse(message.topic)
    value = decode(message.topic, message.payload).value
    return value if parsed is not None and parsed[1].model is None and isinstance(value, tuple) else ()


def _with(message: Message, records: Sequence[object]) -> Message:
    return replace(message, payload=codec.pack(list(records)))
