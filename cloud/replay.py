"""The ingest as a handler of captures (shared/replay.py): what a broker would have brought the cloud.

What the capture has of other directions is passed over. Receipts are its answers.
"""

import asyncio
import base64
import re
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cloud import database
from cloud.batch import Arrived, Line
from cloud.ingest import Ingest
from cloud.store import Store
from cloud.support import SOURCE
from shared import codec, topics
from shared.capture import CaptureError, Message, read_header
from shared.clock import Now
from shared.messages import Receipt

_HEARD: Final = topics.heard_by(topics.CLOUD_USER)
_SEQ: Final = re.compile(r"[ ,]seq=(\d+)i")
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


# ---- without a database and an archive ---------------------------------------------------------------------


class NoArchive:
    """What is replayed is in a file already."""

    started_at_ns = 0

    def append(self, messages: Sequence[Message]) -> None:
        """Nowhere."""


@dataclass(slots=True)
class Memory:
    """Points by identity (the line up to its fields, and its time), as InfluxDB keeps them.

    `times`: of records by machine, epoch and number. A number that is known as stored and has no time here
    belongs to a record of before, and so not to one that comes now.
    """

    points: dict[tuple[str, int], str] = field(default_factory=dict)
    times: dict[tuple[str, str, int], int] = field(default_factory=dict)

    async def write(self, lines: Sequence[str]) -> dict[int, str]:
        for line in lines:
            series, rest = line.split(" ", 1)
            fields, at = rest.rsplit(" ", 1)
            self.points[series, int(at)] = fields
            tags = dict(part.split("=", 1) for part in series.split(",")[1:])
            if "epoch" in tags and (seq := _SEQ.search(f" {fields}")):
                self.times[tags["machine"], tags["epoch"], int(seq[1])] = int(at)
        return {}

    async def taken(self, lines: Sequence[Line]) -> Sequence[Line]:
        return [line for line in lines if line.key and self.times.get(line.key) != line.at_ns]


@contextmanager
def reported(path: Path, folder: Path) -> Iterator[tuple[Ingest, Store, Memory]]:
    """The ingest of a file that `vend-cloud support` wrote, as it was before the first message in it.

    Its store is made in `folder`, which has none. Raises CaptureError for another file.
    """
    header = read_header(path)
    if header.source != SOURCE:
        raise CaptureError(f"{path} is no file of `{SOURCE}` ({header.source})")
    machine, before = header.about["machine"], header.about["before"]
    database.make(folder / "store.db")
    memory = Memory(times={(machine, epoch, seq): at_ns for epoch, seq, at_ns in before["times"]})
    with closing(Store(folder / "store.db")) as store:
        with store.db as db:
            for epoch, ranges in before["stored"].items():
                db.execute(
                    "INSERT INTO journal (machine, epoch, first_heard_ns, last_heard_ns, highest) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (machine, epoch, header.started_at_ns, header.started_at_ns, ranges[-1][1]),
                )
                db.executemany(
                    "INSERT INTO stored_range VALUES (?, ?, ?, ?)",
                    [(machine, epoch, first, last) for first, last in ranges],
                )
            db.executemany(
                "INSERT INTO dead_letter VALUES (:digest, :topic, :payload, :code, :reason, "
                ":epoch, :seq, :first_at_ns, :last_at_ns, :count)",
                [_letter(letter) for letter in before["letters"]],
            )
        revoked = {machine} if header.about["revoked"] else set[str]()
        yield Ingest(NoArchive(), memory, store, revoked=lambda: revoked), store, memory


def _letter(kept: dict[str, Any]) -> dict[str, Any]:
    payload = base64.b64decode(kept["payload"])
    return {**kept, "digest": bytes.fromhex(kept["digest"]), "payload": payload}
