"""Which messages of a capture are meant: by topic, machine and time. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.capture import Message
from shared.renaming import machine_of


@dataclass(frozen=True, slots=True)
class Selection:
    """Empty or None: all. `topics`: MQTT filters. Times count from the capture's start; the end is not in."""

    topics: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    from_ns: int | None = None
    until_ns: int | None = None

    def has(self, message: Message) -> bool:
        return (
            (self.from_ns is None or message.t_ns >= self.from_ns)
            and (self.until_ns is None or message.t_ns < self.until_ns)
            and (not self.topics or any(matches(pattern, message.topic) for pattern in self.topics))
            and (not self.machines or machine_of(message.topic) in self.machines)
        )

    def of(self, messages: Iterable[Message]) -> Iterator[Message]:
        return filter(self.has, messages)


def matches(pattern: str, topic: str) -> bool:
    """MQTT 5, 4.7.1: `+` is one level, `#` all that are left and the parent itself."""
    wanted, levels = pattern.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in {"+", "#"}:
        return False
    for number, level in enumerate(wanted):
        if level == "#":
            return True
        if number >= len(levels) or level not in {"+", levels[number]}:
            return False
    return len(wanted) == len(levels)
