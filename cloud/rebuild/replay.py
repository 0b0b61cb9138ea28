"""An archive's way into the database: read → judge → InfluxDB → store → tally. No receipts, nothing archived.

Contract: `replay` returns when every message of the sources is in the database, or kept as a dead letter.
InfluxDB may be away in between; it waits. Killed at any point and called again it goes on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from cloud.batch import Arrived, Batch, Line, refuse
from cloud.ingest import Ingest, Sink
from cloud.rebuild.captures import Piece, Source, merged
from cloud.rebuild.past import Past
from cloud.rebuild.tally import Tally
from cloud.store import Store
from shared.capture import Message
from shared.messages import NUMBER_TAKEN

_BATCH_MESSAGES: Final = 500
_BATCH_BYTES: Final = 1024 * 1024
_BATCH_NS: Final = 3_600 * 10**9  # a batch counts as arrived when its last message did

Tell = Callable[[int], None]


class _Keeper:
    """The ingest's keeper: news for the store, in one transaction, then the tally. `pieces`: what the next
    batch was read from. `counts`: it only counts.
    """

    def __init__(self, store: Store, past: Past, tally: Tally, *, counts: bool) -> None:
        self.pieces: Sequence[Piece] = ()
        self._store = store
        self._past = past
        self._tally = tally
        self._counts = counts

    def screen(self, batch: Batch) -> list[Line]:
        refuse_twins(batch)
        return self._store.screen(batch)

    def keep(self, batch: Batch, at_ns: int) -> None:
        dead = batch.dead
        if self._counts:
            batch.dead = []  # told when they came
        else:
            db = self._store.db
            db.execute("BEGIN IMMEDIATE")  # what is newer now must be so until the end
            with db:
                self._past.leave_news(batch)
                self._store.keep(batch, at_ns)  # commits
        self._tally.keep(self.pieces, batch.lines, dead)


def refuse_twins(batch: Batch) -> None:
    """All numbers may be stored already, and InfluxDB be empty: a batch's own twins are found here."""
    first: dict[tuple[str, str, int], int] = {}
    twins = [
        line
        for line in batch.lines
        if line.key is not None and first.setdefault(line.key, line.at_ns) != line.at_ns
    ]
    refuse(batch, twins, NUMBER_TAKEN, "another record of this journal has this number: it was copied")


class Nowhere:
    """The sink of who only counts: it asks InfluxDB, and writes nothing."""

    def __init__(self, influx: Sink) -> None:
        self._influx = influx

    async def taken(self, lines: Sequence[Line]) -> Sequence[Line]:
        return await self._influx.taken(lines)

    async def write(self, _lines: Sequence[str]) -> dict[int, str]:
        return {}


class NoArchive:
    """What was archived when it came."""

    started_at_ns = 0

    def append(self, messages: Sequence[Message]) -> None:
        pass


@dataclass(slots=True)
class _Group:
    """Messages that are judged together. `revoked`: all of them, or none, come from machines that were so."""

    pieces: list[Piece] = field(default_factory=list)
    messages: list[Arrived] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    size: int = 0

    def takes(self, message: Arrived, machine: str | None) -> bool:
        if not self.messages:
            return True
        span_ns = message.arrived_ns - self.messages[0].arrived_ns
        return bool(self.revoked) == bool(machine) and self.size < _BATCH_BYTES and span_ns < _BATCH_NS


async def replay(
    sources: Sequence[Source],
    store: Store,
    past: Past,
    tally: Tally,
    sink: Sink,
    tell: Tell,
    *,
    counts: bool = False,
) -> None:
    """`tell`: how many more bytes are done. `counts`: nothing is kept; `sink` is then Nowhere."""
    keeper = _Keeper(store, past, tally, counts=counts)
    revoked: set[str] = set()
    ingest = Ingest(NoArchive(), sink, keeper, revoked=lambda: revoked)
    ends = {source.path: source.offset for source in sources}
    for group in _groups(merged(sources), past):
        keeper.pieces = group.pieces
        if group.messages:
            revoked.clear()
            revoked.update(group.revoked)
            await ingest.process(group.messages, [{}] * len(group.messages))
        else:
            tally.keep(group.pieces)
        for piece in group.pieces:
            tell(piece.end - ends[piece.path])
            ends[piece.path] = piece.end


def _groups(pieces: Iterator[Piece], past: Past) -> Iterator[_Group]:
    group = _Group()
    for piece in pieces:
        said = piece.message
        message = None
        machine = None
        if said is not None and said.dir == "in":
            message = Arrived(said.topic, said.payload, said.qos, said.retain, said.at_ns, said.dup)
            machine = past.refused(message)
        is_full = len(group.pieces) >= _BATCH_MESSAGES
        if is_full or (message is not None and not group.takes(message, machine)):
            yield group
            group = _Group()
        group.pieces.append(piece)
        if message is not None:
            group.messages.append(message)
            group.size += len(message.payload)
            group.revoked |= {machine} if machine else set()
    if group.pieces:
        yield group
