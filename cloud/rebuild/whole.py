"""A whole rebuild on a data_dir: lock, read, write, prove. One at a time; `vend-cloud run` may go on."""

import asyncio
import fcntl
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloud.config import CloudSettings
from cloud.database import StoreError, make
from cloud.identity.register import Register
from cloud.influx import Influx
from cloud.rebuild import captures, proof
from cloud.rebuild.past import Past
from cloud.rebuild.replay import replay
from cloud.rebuild.tally import DAY_NS, Tally
from cloud.store import Store

_log = logging.getLogger(__name__)
Tell = Callable[[int], None]
Bars = Callable[[str, int, int], AbstractContextManager[Tell]]  # what, how much, how much is done


def rebuilt(
    settings: CloudSettings, folders: Sequence[Path], bars: Bars, *, restart: bool = False
) -> dict[str, Any]:
    """What was read and how it compares. Raises StoreError, QueryError."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    path, scratch = settings.data_dir / "store.db", settings.data_dir / "rebuild.db"
    with alone(settings.data_dir / "rebuild.lock", "another rebuild is running; wait for it"):
        sources = captures.found(folders)
        if not sources:
            raise StoreError(f"no capture files ({captures.PATTERN}) in {', '.join(map(str, folders))}")
        make(path)
        if restart:
            forget(scratch)
        with closing(Tally(scratch)) as tally, closing(Store(path)) as store:
            done = asyncio.run(_work(settings, tally.resumed(sources), store, tally, bars))
        if not done["differences"]:
            forget(scratch)
    return done


@contextmanager
def alone(path: Path, otherwise: str) -> Iterator[None]:
    with path.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(otherwise) from None
        yield


def forget(scratch: Path) -> None:
    for path in (scratch, *(scratch.with_name(f"{scratch.name}-{end}") for end in ("wal", "shm"))):
        path.unlink(missing_ok=True)


async def _work(
    settings: CloudSettings, sources: Sequence[captures.Source], store: Store, tally: Tally, bars: Bars
) -> dict[str, Any]:
    with closing(Register(settings.data_dir / "store.db")) as register:
        past = Past(store.db, register.lives())
    async with Influx(settings.influx) as influx:
        await influx.create_database()
        total, before = sum(s.size for s in sources), sum(s.offset for s in sources)
        if before:
            _log.warning("goes on at %.0f %%; --restart would begin anew", 100 * before / total)
        with bars("archive", total, before) as tell:
            await replay(sources, store, past, tally, influx, tell)
        with bars("proof", len(tally.parts()), 0) as tell:
            found = [d async for d in proof.differences(influx.query, tally, lambda: tell(1))]
    return report(tally) | {"differences": [asdict(d) | {"day": _day(d.day)} for d in found]}


def report(tally: Tally) -> dict[str, Any]:
    """What was read, for people and programs."""
    figures, kinds = tally.figures(), tally.kinds()
    return {
        "messages": figures["messages"],
        "records": sum(kind.count for kind in kinds),
        "records_sent_again": figures["read"] - sum(kind.count for kind in kinds),
        "dead_letters": figures["dead letters"],
        "kinds": [asdict(kind) for kind in kinds],
        "damaged": [{"file": file, "line": line, "why": why} for file, line, why in tally.damages()],
    }


def _day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY_NS / 10**9, UTC).date().isoformat()
