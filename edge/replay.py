"""The edge's inbound side as a handler of captures (shared/replay.py): prices, config, receipts, commands.

Of the capture it hears what is meant for its own machine. The machine starts and connects just before the
first message that it hears; its timers run in the capture's time.
"""

from collections.abc import Iterable, Sequence

from edge.core import Core
from edge.link_events import Command, Connected, Inbound, Publish, Wake
from edge.sale import events as ev
from shared import topics
from shared.capture import Message
from shared.clock import Now


class CoreHandler:
    """`core` has not been started. `commands`: what else it wanted done, at devices and connection."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._has_started = False
        self.commands: list[Command] = []

    def handle(self, message: Message, now: Now) -> Iterable[Message]:
        parsed = topics.parse(message.topic)
        if parsed is None or parsed[0] != self._core.journal.machine:
            return []
        if parsed[1].direction is not topics.Direction.DOWN:
            return []
        commands: list[Command] = []
        if not self._has_started:
            self._has_started = True
            commands += self._core.handle(ev.Booted(), now)
            commands += self._core.handle(Connected(session_present=False, max_packet_bytes=None), now)
        commands += self._core.handle(Inbound(message.topic, message.payload), now)
        return self._sort(commands, now)

    def wake(self, now: Now) -> Iterable[Message]:
        return self._sort(self._core.handle(Wake(), now), now)

    def next_wake_s(self) -> float | None:
        return self._core.next_wake_s() if self._has_started else None

    def _sort(self, commands: Sequence[Command], now: Now) -> list[Message]:
        self.commands += [command for command in commands if not isinstance(command, Publish)]
        return [_message(command, now) for command in commands if isinstance(command, Publish)]


def _message(said: Publish, now: Now) -> Message:
    return Message(
        t_ns=round(now.monotonic_s * 10**9),
        at_ns=now.wall_ns,
        dir="out",
        topic=said.topic,
        qos=said.qos,
        retain=said.retain,
        payload=said.payload,
        properties={"ContentType": said.content_type},
    )
