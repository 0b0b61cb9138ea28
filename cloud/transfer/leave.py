"""Everything that is the operator's, as a folder of open formats that appears whole or not at all.

The records are the archive's files: they hold every message as it came, so that an import judges them with
the same code and gets points, dead letters and snapshots alike. InfluxDB has less of each record. What of
InfluxDB the archive has not is counted and told. No private keys are in it.
"""

import asyncio
import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cloud.config import CloudSettings
from cloud.database import VERSION, StoreError, connect
from cloud.identity.register import Register
from cloud.influx import Influx
from cloud.rebuild import captures, proof
from cloud.rebuild.past import Past
from cloud.rebuild.replay import Nowhere, replay
from cloud.rebuild.tally import Journal, Tally
from cloud.rebuild.whole import Bars, forget, report
from cloud.store import Store
from cloud.transfer import manifest, tables
from cloud.wanted import desk, file
from shared.files import write_whole

_BLOCK_BYTES: Final = 1024 * 1024


def leave(settings: CloudSettings, folder: Path, bars: Bars) -> dict[str, Any]:
    """Export into a folder that is not there yet; returns the manifest, and the differences to InfluxDB.

    Raises StoreError, QueryError, OSError.
    """
    if folder.exists():
        raise StoreError(f"{folder} is there already; name a new folder")
    part = folder.with_name(f"{folder.name}.part")
    if part.exists():
        shutil.rmtree(part)  # of one that was killed
    part.mkdir(mode=0o700, parents=True)  # claims of customers are in it
    (part / "tables").mkdir()
    (part / "archive").mkdir()
    counts = _tables(settings.data_dir / "store.db", part)
    _copy(
        captures.found([settings.data_dir / "archive"]), part / "archive", bars
    )  # after what follows from it
    scratch = part / "count.db"
    with closing(Tally(scratch)) as tally:
        absent, found = asyncio.run(_count(settings, part / "archive", tally, bars))
        said = report(tally)
    forget(scratch)
    made = _manifest(part, counts, said, sum(absent.values()), bars)
    write_whole(part / manifest.NAME, made.model_dump_json(indent=1).encode(), 0o644)
    part.rename(folder)
    return {**made.model_dump(exclude={"files"}), "differences": [asdict(one) for one in found]}


def _tables(store: Path, part: Path) -> dict[str, int]:
    """All of one moment; the plan beside them is for people, and an import does not read it."""
    with closing(connect(store)) as db:
        with db:
            db.execute("BEGIN")
            counts = {
                name: tables.write(db, name, part / "tables" / f"{name}.jsonl") for name in tables.names(db)
            }
        _, wanted = desk.current(db)
    (part / "plan.toml").write_text(file.written(wanted), encoding="utf-8")
    return counts


def _copy(sources: Sequence[captures.Source], folder: Path, bars: Bars) -> None:
    """Each up to its present size: a line that is being written is torn in the copy, and no harm."""
    with bars("archive", sum(source.size for source in sources), 0) as tell:
        for source in sources:
            left = source.size
            with source.path.open("rb") as old, (folder / source.path.name).open("xb") as new:
                while left and (block := old.read(min(left, _BLOCK_BYTES))):
                    new.write(block)
                    left -= len(block)
                    tell(len(block))


async def _count(
    settings: CloudSettings, archive: Path, tally: Tally, bars: Bars
) -> tuple[dict[Journal, int], list[proof.Difference]]:
    """Judge what was copied, and compare it with InfluxDB both ways."""
    path = settings.data_dir / "store.db"
    sources = captures.found([archive])
    with closing(Register(path)) as register, closing(Store(path)) as store:
        past = Past(store.db, register.lives())
        async with Influx(settings.influx) as influx:
            await influx.create_database()
            with bars("count", sum(source.size for source in sources), 0) as tell:
                await replay(sources, store, past, tally, Nowhere(influx), tell, counts=True)
    async with Influx(settings.influx) as influx:
        with bars("compare", len(tally.parts()), 0) as tell:
            found = [one async for one in proof.differences(influx.query, tally, lambda: tell(1))]
        return await proof.beyond(influx.query, tally), found


def _manifest(
    part: Path, counts: dict[str, int], said: dict[str, Any], absent: int, bars: Bars
) -> manifest.Manifest:
    paths = sorted(path for path in part.rglob("*") if path.is_file())
    with bars("checksums", sum(path.stat().st_size for path in paths), 0) as tell:
        files = {str(path.relative_to(part)): manifest.facts(path, tell) for path in paths}
    return manifest.Manifest(
        made_at=datetime.fromtimestamp(int(time.time()), UTC).isoformat(),
        schema_version=VERSION,
        tables=counts,
        messages=said["messages"],
        records=said["records"],
        dead_letters=said["dead_letters"],
        damaged_lines=len(said["damaged"]),
        absent=absent,
        kinds=tuple(manifest.KindFacts(**kind) for kind in said["kinds"]),
        files=files,
    )
