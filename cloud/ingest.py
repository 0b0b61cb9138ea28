"""A batch's way: archive → judge → screen → database → store → receipts. Acknowledging comes after all of it.

Contract: `process` returns when every record is in the database, or kept as a dead letter with its reason.
Until then it waits and tries again; the broker and the machines hold the rest. It needs no socket: a
simulation gives it its own archive, sink and store.
"""

import asyncio
import logging
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final, Protocol

from cloud.batch import Arrived, Batch, Line, digest, refuse, settle
from cloud.watch import Part, Watch
from shared import topics
from shared.capture import Message
from shared.messages import NUMBER_TAKEN, Receipt

_log = logging.getLogger(__name__)
_PAUSE_S: Final = 1.0


class Archive(Protocol):
    """Both may raise OSError: disk trouble, tried again."""

    started_at_ns: int

    def append(self, messages: Sequence[Message]) -> None: ...


class Sink(Protocol):
    """Both take as long as it takes."""

    async def taken(self, lines: Sequence[Line]) -> Sequence[Line]:
        """Of records whose number is stored: those whose number another record has."""

    async def write(self, lines: Sequence[str]) -> dict[int, str]: ...


class Keeper(Protocol):
    def screen(self, batch: Batch) -> list[Line]:
        """Refuse what cannot be; returns the lines whose number is stored already."""

    def keep(self, batch: Batch, at_ns: int) -> None: ...


OnDisk = Callable[[Callable[[], None]], Awaitable[None]]


async def in_place(write: Callable[[], None]) -> None:
    write()


class Ingest:
    """`on_disk` runs a write of archive or keeper; the program has one thread for all of them. `revoked`: the
    machines from which nothing is taken now.
    """

    def __init__(
        self,
        archive: Archive,
        sink: Sink,
        keeper: Keeper,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_disk: OnDisk = in_place,
        revoked: Callable[[], Collection[str]] = frozenset,
        watch: Watch | None = None,
    ) -> None:
        self._archive = archive
        self._sink = sink
        self._keeper = keeper
        self._sleep = sleep
        self._on_disk = on_disk
        self._revoked = revoked
        self._watch = watch or Watch()

    async def process(
        self, messages: Sequence[Arrived], properties: Sequence[dict[str, Any]]
    ) -> list[tuple[str, Receipt]]:
        """Bring one batch home; returns the receipts to publish, by machine."""
        with self._watch.batch(messages):
            return await self._bring_home(messages, properties)

    async def _bring_home(
        self, messages: Sequence[Arrived], properties: Sequence[dict[str, Any]]
    ) -> list[tuple[str, Receipt]]:
        started_ns = self._archive.started_at_ns
        captured = [
            Message(
                t_ns=m.arrived_ns - started_ns,
                at_ns=m.arrived_ns,
                dir="in",
                topic=m.topic,
                qos=m.qos,
                retain=m.retain,
                payload=m.payload,
                properties=p,
                dup=m.dup,
            )
            for m, p in zip(messages, properties, strict=True)
        ]
        await self._persist(lambda: self._archive.append(captured))
        revoked: set[str] = set()
        await self._persist(lambda: revoked.update(self._revoked()))
        batch = digest(messages, revoked)
        again: list[Line] = []

        def screen() -> None:
            again[:] = self._keeper.screen(batch)

        await self._persist(screen)
        if again:
            taken = await self._sink.taken(again)
            refuse(
                batch, taken, NUMBER_TAKEN, "another record of this journal has this number: it was copied"
            )
        refused = await self._sink.write([line.text for line in batch.lines])
        receipts = settle(batch, refused)
        at_ns = max(m.arrived_ns for m in messages)
        await self._persist(lambda: self._keeper.keep(batch, at_ns))
        self._watch.settled(batch, refused)
        _tell(batch)
        return receipts

    async def _persist(self, use: Callable[[], None]) -> None:
        while True:
            try:
                await self._on_disk(use)
            except (OSError, sqlite3.OperationalError) as error:
                _log.error("cannot use the disk (%s); nothing is acknowledged until it can", error)
                self._watch.trouble(Part.DISK, f"cannot be used ({error}); make room")
                await self._sleep(_PAUSE_S)
            else:
                self._watch.well(Part.DISK)
                return


def _tell(batch: Batch) -> None:
    """A line for each machine and code, however many letters there are."""
    letters = Counter((topics.parse(letter.topic), letter.code) for letter in batch.dead)
    for (parsed, code), count in letters.items():
        machine, name = (parsed[0], parsed[1].name) if parsed else (None, None)
        _log.warning(
            "%s of %s cannot be stored (%s); `vend-cloud dead-letters` has more",
            count,
            machine or "an unknown topic",
            code,
            extra={"machine": machine, "topic": name, "code": code, "count": count},
        )
