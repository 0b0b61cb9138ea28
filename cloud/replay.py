"""The ingest as a handler of captures (shared/replay.py): what a broker would have brought the cloud.

What the capture has of other directions is passed over. Receipts are its answers.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from cloud.batch import Arrived
from cloud.ingest import Ingest
from shared import codec, topics
from shared.capture import Message
from shared.clock import Now
from shared.messages import Receipt

_HEARD: Final = topics.heard_by(topics.CLOUD_USER)
Receipts = list[tuple[str, Receipt]]


class IngestHandler:
    """`batch_s`: what comes so soon after a first message is one batch with it; 0: each is one of its own.

    `run` runs a coroutine to its end; asyncio's own, unless the ingest's parts belong to a loop.
    """

    def __init__(
        self,
        ingest: Ingest,
        batch_s: float = 0.0,
        run: Callable[[Coroutine[Any, Any, Receipts]], Receipts] = asyncio.run,
    ) -> None:
        self._ingest = ingest
        self._batch_s = batch_s
        self._run = run
        self._waiting: list[Message] = []
        self._due_s: float | None = None

    def handle(self, message: Message, now: Now) -> Iterable[Message]:
        parsed = topics.parse(message.topic)
        if parsed is None or parsed[1] not in _HEARD:
            return ()
        self._waiting.append(message)
        if not self._batch_s:
            return self.wake(now)
        if self._due_s is None:
            self._due_s = now.monotonic_s + self._batch_s
        return ()

    def next_wake_s(self) -> float | None:
        return self._due_s

    def wake(self, now: Now) -> Iterable[Message]:
        batch, self._waiting, self._due_s = self._waiting, [], None
        arrived = [Arrived(m.topic, m.payload, m.qos, m.retain, m.at_ns, m.dup) for m in batch]
        receipts = self._run(self._ingest.process(arrived, [m.properties for m in batch]))
        return [_message(machine, receipt, now) for machine, receipt in receipts]


def _message(machine: str, receipt: Receipt, now: Now) -> Message:
    topic = topics.RECEIPT
    return Message(
        t_ns=round(now.monotonic_s * 10**9),
        at_ns=now.wall_ns,
        dir="out",
        topic=topic.of(machine),
        qos=topic.qos,
        retain=topic.retained,
        payload=codec.pack(receipt.model_dump()),
        properties={"ContentType": topic.codec.value},
    )
