"""Dead letters judged again with today's models: what is good now goes the way of everything that arrives.

Contract: a letter ends in the transaction that notes its records as stored, after InfluxDB has them; killed
at any point and called again it goes on, and what is written twice is the same point. What is still bad stays
as it is. Letters with the code `revoked` stay, too: whoever sent them was not trusted then.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cloud.batch import Arrived, Batch, Line, digest
from cloud.ingest import Ingest, Sink
from cloud.rebuild.past import Past
from cloud.rebuild.replay import NoArchive, refuse_twins
from cloud.store import Store, digest_of
from shared import codec, topics

_PAGE: Final = 500
_NEVER: Final = "revoked"
Tell = Callable[[int], None]


@dataclass(slots=True)
class Outcome:
    """`stored`: by journal, numbers of records that are in the database now. `left`: letters by code."""

    looked_at: int = 0
    gone: int = 0
    stored: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Letter:
    row: int
    digest: bytes
    code: str
    message: Arrived

    @property
    def machine(self) -> str | None:
        parsed = topics.parse(self.message.topic)
        return parsed[0] if parsed else None


async def retry(
    store: Store, sink: Sink, machines: Collection[str], codes: Collection[str], tell: Tell
) -> Outcome:
    """`machines`, `codes`: of which letters; empty means all. `tell`: how many more were looked at."""
    outcome = Outcome()
    keeper = _Keeper(store, outcome)
    ingest = Ingest(NoArchive(), sink, keeper)
    for page in _pages(store.db):
        for letter in page:
            if (codes and letter.code not in codes) or (machines and letter.machine not in machines):
                continue
            outcome.looked_at += 1
            if letter.code != _NEVER and _is_good(letter.message):
                keeper.letters.append(letter)
            else:
                outcome.left[letter.code] += 1
        if keeper.letters:
            messages = [letter.message for letter in keeper.letters]
            await ingest.process(messages, [{}] * len(messages))
            keeper.letters.clear()
        tell(len(page))
    return outcome


def count(db: sqlite3.Connection) -> int:
    (number,) = db.execute("SELECT count(*) FROM dead_letter").fetchone()
    return int(number)


def _pages(db: sqlite3.Connection) -> Iterator[list[Letter]]:
    """Those that are there now, the oldest first."""
    (last,) = db.execute("SELECT coalesce(max(rowid), 0) FROM dead_letter").fetchone()
    after = 0
    while rows := db.execute(
        "SELECT rowid, * FROM dead_letter WHERE rowid > ? AND rowid <= ? ORDER BY rowid LIMIT ?",
        (after, last, _PAGE),
    ).fetchall():
        yield [Letter(row["rowid"], row["digest"], row["code"], _message(row)) for row in rows]
        after = rows[-1]["rowid"]


def _message(row: sqlite3.Row) -> Arrived:
    """As it came, or as one that carries this record alone."""
    parsed = topics.parse(row["topic"])
    payload: bytes = row["payload"]
    retain = False
    if parsed is not None:
        retain = parsed[1].retained
        if parsed[1].model is None and not _is_list(payload):
            payload = codec.join([payload])
    return Arrived(row["topic"], payload, 1, retain, row["last_at_ns"])


def _is_list(payload: bytes) -> bool:
    try:
        return isinstance(codec.unpack(payload), tuple)
    except codec.CodecError:
        return True  # nobody knows; it stays what it is


def _is_good(message: Arrived) -> bool:
    """At least in part: what is bad in it becomes letters of its own."""
    batch = digest([message])
    return bool(batch.lines) or not batch.dead


class _Keeper:
    """The ingest's keeper. `letters`: those that the next batch is made of."""

    def __init__(self, store: Store, outcome: Outcome) -> None:
        self.letters: list[Letter] = []
        self._store = store
        self._outcome = outcome
        self._past = Past(store.db, {})

    def screen(self, batch: Batch) -> list[Line]:
        refuse_twins(batch)
        return self._store.screen(batch)

    def keep(self, batch: Batch, at_ns: int) -> None:
        """May be called again with the same batch, when the disk could not be used."""
        still = {digest_of(letter) for letter in batch.dead}
        over = [letter for letter in self.letters if letter.digest not in still]
        known = {letter.digest for letter in self.letters}
        news = [letter for letter in batch.dead if digest_of(letter) not in known]
        self._write(replace(batch, dead=news), over, at_ns)
        self._outcome.gone += len(over)
        self._outcome.left.update(letter.code for letter in self.letters if letter.digest in still)
        self._outcome.left.update(letter.code for letter in news)
        for journal, times in batch.stored.items():
            self._outcome.stored.setdefault(journal, set()).update(times)

    def _write(self, batch: Batch, over: Sequence[Letter], at_ns: int) -> None:
        db = self._store.db
        db.execute("BEGIN IMMEDIATE")  # what is newer now must be so until the end
        with db:
            db.executemany("DELETE FROM dead_letter WHERE rowid = ?", [(letter.row,) for letter in over])
            db.executemany("INSERT OR REPLACE INTO late_receipt VALUES (?, ?, ?, ?)", _late(batch))
            self._past.leave_news(batch)
            self._store.keep(batch, at_ns)  # commits


def _late(batch: Batch) -> list[tuple[Any, ...]]:
    return [(*journal, seq, at_ns) for journal, times in batch.stored.items() for seq, at_ns in times.items()]
