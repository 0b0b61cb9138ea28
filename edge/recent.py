"""The last MQTT messages of this machine, and the sale's state before them: for a bug report. Pure.

There are two halves. When the newer one is full the older one goes, whole, and with it its state: so what is
left can be replayed from the state that it began with. A message larger than a half is cut; nothing that
large is obeyed.
"""

import base64
from collections.abc import Sequence
from typing import Any, Final

from edge.link_events import Inbound, Publish
from edge.sale.state import State
from shared import topics
from shared.capture.message import Message

LIMIT_BYTES: Final = 256 * 1024
_OBJECTS_BYTES: Final = 1_000  # of Python's own, a message: measured, rounded up
_NS: Final = 10**9


class _Half:
    def __init__(self, state: State) -> None:
        self.before = state
        self.messages: list[Message] = []
        self.size_bytes = 0


class Recent:
    """`state`: the sale's when the program starts."""

    def __init__(self, state: State, limit_bytes: int = LIMIT_BYTES) -> None:
        self._half_bytes = limit_bytes // 2
        self._older, self._newer = _Half(state), _Half(state)

    def heard(self, message: Inbound, state: State, at_ns: int, now_s: float) -> None:
        """`state`: before it was taken in. What MQTT says beside it is what the topic has."""
        parsed = topics.parse(message.topic)
        qos, retain = (parsed[1].qos, parsed[1].retained) if parsed else (0, False)
        self._add(
            Message(
                t_ns=round(now_s * _NS),
                at_ns=at_ns,
                dir="in",
                topic=message.topic,
                qos=qos,
                retain=retain,
                payload=message.payload[: self._half_bytes],
            ),
            state,
        )

    def said(self, message: Publish, state: State, at_ns: int, now_s: float) -> None:
        properties: dict[str, Any] = {"ContentType": message.content_type}
        if message.correlation is not None:
            properties["CorrelationData_b64"] = base64.b64encode(message.correlation).decode("ascii")
        self._add(
            Message(
                t_ns=round(now_s * _NS),
                at_ns=at_ns,
                dir="out",
                topic=message.topic,
                qos=message.qos,
                retain=message.retain,
                payload=message.payload[: self._half_bytes],
                properties=properties,
            ),
            state,
        )

    def _add(self, message: Message, state: State) -> None:
        size = len(message.payload) + _OBJECTS_BYTES
        if self._newer.messages and self._newer.size_bytes + size > self._half_bytes:
            self._older, self._newer = self._newer, _Half(state)
        self._newer.messages.append(message)
        self._newer.size_bytes += size

    @property
    def before(self) -> State:
        """The sale's state before the first of them."""
        return self._older.before

    def messages(self) -> Sequence[Message]:
        """`t_ns` is monotonic time of the board."""
        return (*self._older.messages, *self._newer.messages)
