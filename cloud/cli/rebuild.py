"""`vend-cloud rebuild`: InfluxDB from the archive, or from the journals of the machines."""

import asyncio
import fcntl
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cloud.cli.common import said
from cloud.config import CloudSettings
from cloud.database import StoreError, make
from cloud.identity.register import Register
from cloud.influx import Influx
from cloud.rebuild import captures, proof
from cloud.rebuild.past import Past
from cloud.rebuild.replay import replay
from cloud.rebuild.tally import DAY_NS, Tally
from cloud.store import Store
from shared import money

_SHOWN: Final = 20  # differences and damages in words; --json has all


@click.command()
@click.option(
    "--from-archive",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="A folder of capture files instead of data_dir/archive; may be given several times.",
)
@click.option("--restart", is_flag=True, help="Begin anew, though one was begun and not finished.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def rebuild(settings: CloudSettings, folders: Sequence[Path], *, restart: bool, as_json: bool) -> None:
    """Write everything that the archive holds into InfluxDB again, and prove that it is there.

    `vend-cloud run` may go on. What is in InfluxDB already stays the same. Killed, it goes on where it was.
    Exit status 0 only if all that was read is in InfluxDB, and nothing could not be read.
    """
    with said():
        done = rebuilt(settings, folders or (settings.data_dir / "archive",), restart=restart)
    if as_json:
        click.echo(json.dumps(done))
    else:
        for line in words(done):
            click.echo(line)
    if done["differences"] or done["damaged"]:
        sys.exit(1)


def rebuilt(settings: CloudSettings, folders: Sequence[Path], *, restart: bool = False) -> dict[str, Any]:
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
            done = asyncio.run(_work(settings, tally.resumed(sources), store, tally))
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
    settings: CloudSettings, sources: Sequence[captures.Source], store: Store, tally: Tally
) -> dict[str, Any]:
    with closing(Register(settings.data_dir / "store.db")) as register:
        past = Past(store.db, register.lives())
    async with Influx(settings.influx) as influx:
        await influx.create_database()
        total, before = sum(s.size for s in sources), sum(s.offset for s in sources)
        if before:
            click.echo(f"goes on at {before / total:.0%}; --restart would begin anew", err=True)
        with bar("archive", total, before) as tell:
            await replay(sources, store, past, tally, influx, tell)
        with bar("proof", len(tally.parts())) as tell:
            found = [d async for d in proof.differences(influx.query, tally, lambda: tell(1))]
    return report(tally) | {"differences": [asdict(d) | {"day": day(d.day)} for d in found]}


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


def words(done: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{done['messages']:,} messages: {done['records']:,} records, {done['records_sent_again']:,} of them "
        f"sent again, {done['dead_letters']:,} dead letters"
    )
    for kind in done["kinds"]:
        amount = money.text(kind["minor"], kind["currency"]) if kind["currency"] else ""
        yield f"  {kind['kind']:20} {kind['count']:>12,} {amount:>20}".rstrip()
    for damage in done["damaged"][:_SHOWN]:
        yield f"damaged: {damage['file']}, line {damage['line']}: {damage['why']}"
    for d in done["differences"][:_SHOWN]:
        yield (
            f"differs: {d['machine']} {d['epoch']}, {d['kind']} on {d['day']}: read {d['read']} "
            f"({d['read_minor']}), in InfluxDB {d['stored']} ({d['stored_minor']})"
        )
    for name in ("damaged", "differences"):
        if len(done[name]) > _SHOWN:
            yield f"and {len(done[name]) - _SHOWN:,} more: --json lists them"
    if done["differences"]:
        yield "InfluxDB does not hold all that was read: was it emptied meanwhile? Run again with --restart"
    elif done["damaged"]:
        yield "everything that could be read is in InfluxDB; the damaged lines are not"
    else:
        yield "all of it is in InfluxDB, by machine, day and kind, to the cent"


def day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY_NS / 10**9, UTC).date().isoformat()


@contextmanager
def bar(what: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """On a terminal. What is yielded is told how much more is done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(what, total=total, completed=done)
        yield lambda more: progress.advance(task, more)
