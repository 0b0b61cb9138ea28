"""Machines under other names, in topics and inside payloads. Pure.

A command that names its machine inside what is signed is no longer well signed afterwards.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pydantic import TypeAdapter, ValidationError

from shared.capture import Message
from shared.decoded import rewrite
from shared.fields import MachineId

_ID: Final[TypeAdapter[str]] = TypeAdapter(MachineId)
_ROOT: Final = ("vend", "v1")
_RESPONSE: Final = "ResponseTopic"


class RenamingError(ValueError):
    """These names cannot be used; the text says which."""


class Renaming:
    """`names`: old and new ones. Raises RenamingError for names that no machine can have."""

    def __init__(self, names: Mapping[str, str]) -> None:
        for name in (*names, *names.values()):
            try:
                _ID.validate_python(name)
            except ValidationError:
                raise RenamingError(f"{name!r} is no name of a machine") from None
        if len(set(names.values())) < len(names):
            raise RenamingError("two machines would have the same name")
        self._names = dict(names)
        self._taken = set(names.values()) - set(names)

    def of(self, message: Message) -> Message:
        """Raises RenamingError where a machine that keeps its name has the new one of another."""
        if not self._names:
            return message
        machine = machine_of(message.topic)
        if machine in self._taken:
            raise RenamingError(f"there is a {machine} already: give it another name too")
        properties = message.properties
        if _RESPONSE in properties:
            properties = {**properties, _RESPONSE: self._topic(str(properties[_RESPONSE]))}
        return replace(
            message,
            topic=self._topic(message.topic),
            payload=rewrite(message.topic, message.payload, self._leaf),
            properties=properties,
        )

    def _leaf(self, name: str, value: object) -> object:
        return self._names.get(value, value) if name == "machine" and isinstance(value, str) else value

    def _topic(self, topic: str) -> str:
        machine = machine_of(topic)
        if machine not in self._names:
            return topic
        return "/".join((*_ROOT, self._names[machine], *topic.split("/")[3:]))


def machine_of(topic: str) -> str | None:
    """Of any topic below a machine's branch, also one that the table does not have."""
    levels = topic.split("/")
    return levels[2] if tuple(levels[:2]) == _ROOT and len(levels) > 3 else None
