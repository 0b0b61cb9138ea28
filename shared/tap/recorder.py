"""What a broker lets us hear, brought to where it is to be kept, and acknowledged only then.

Contract: `keep` gets the messages in order, and they are the broker's until it returns. Killed at any point
nothing that was acknowledged is lost; after a lost connection the last few may come a second time, `dup` set.
On a full disk it waits and says so; the broker holds the rest, as much as its settings let it.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final, Self

import paho.mqtt.client as mqtt

from shared.capture import Message
from shared.mqtt_properties import from_paho
from shared.settings import MqttSettings
from shared.tap.link import Link, Talk

_BATCH: Final = 500
_TURN_S: Final = 0.3
_PAUSE_S: Final = 1.0

Keep = Callable[[Sequence[Message]], None]


class Recorder:
    """Connected inside its `with` block; `heard` counts what was kept. Raises LinkError."""

    def __init__(
        self, settings: MqttSettings, filters: Sequence[str], keep: Keep, talk: Talk, most: int | None = None
    ) -> None:
        self._keep = keep
        self._talk = talk
        self._most = most
        self._began_ns = time.monotonic_ns()
        self._waiting: list[tuple[Message, int, int]] = []
        self.heard = 0
        self.link = Link(settings, talk, filters, self._take)

    def __enter__(self) -> Self:
        self.link.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.link.__exit__(*error)

    def run(self, is_over: Callable[[], bool]) -> None:
        """Until it is over, or there are as many as wanted; what has come by then is kept."""
        while not self._has_all() and not is_over():
            had = len(self._waiting)
            self.link.turn(0.0 if had else _TURN_S)
            if len(self._waiting) == had or had >= _BATCH:
                self._flush(is_over)
        self._flush(is_over)

    def _has_all(self) -> bool:
        return self._most is not None and self.heard + len(self._waiting) >= self._most

    def _take(self, message: mqtt.MQTTMessage) -> None:
        if self._has_all():
            return
        kept = Message(
            t_ns=time.monotonic_ns() - self._began_ns,
            at_ns=time.time_ns(),
            dir="in",
            topic=message.topic,
            qos=message.qos,
            retain=bool(message.retain),
            payload=bytes(message.payload),
            properties=from_paho(message.properties),
            dup=bool(message.dup),
        )
        self._waiting.append((kept, message.mid, self.link.connection))

    def _flush(self, is_over: Callable[[], bool]) -> None:
        if not self._waiting:
            return
        messages = [message for message, _, _ in self._waiting]
        while True:
            try:
                self._keep(messages)
            except OSError as error:
                if is_over() or isinstance(error, BrokenPipeError):  # nobody reads what `tail` says any more
                    raise
                self._talk(f"cannot write ({error}); trying again until there is room")
                time.sleep(_PAUSE_S)
            else:
                break
        for message, mid, connection in self._waiting:
            self.link.acknowledge(mid, message.qos, connection)
        self.heard += len(messages)
        self._waiting.clear()
