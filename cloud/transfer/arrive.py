"""An export into an empty system: checked, loaded, rebuilt, and proven to have the same totals.

Killed at any point and started again it goes on: what is loaded is loaded again instead of itself, and the
rebuild knows how far it was. A system that is not empty is refused, so nothing of it can be harmed.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from cloud.config import CloudSettings
from cloud.database import VERSION, StoreError, connect, make
from cloud.desk import Seat
from cloud.influx import Influx
from cloud.rebuild import captures
from cloud.rebuild.whole import Bars, rebuilt
from cloud.transfer import manifest, tables
from shared.files import write_whole

_MARK: Final = "import-all.begun"  # the SHA-256 of the manifest, until its totals are proven


def arrive(settings: CloudSettings, folder: Path, bars: Bars) -> dict[str, Any]:
    """Import; returns what the rebuild says, and `troubles`: none where all totals are those of the export.

    Raises StoreError, QueryError, OSError.
    """
    said = manifest.read(folder)
    if said.schema_version != VERSION:
        raise StoreError(
            f"the export is of a database of version {said.schema_version}, this program's is {VERSION}: "
            "import it with the version of vendlink that wrote it, and upgrade then"
        )
    with bars("checksums", sum(one.size_bytes for one in said.files.values()), 0) as tell:
        wrong = list(manifest.troubles(folder, said, tell))
    if wrong:
        raise StoreError("\n".join(wrong))
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with closing(Seat(settings.data_dir / "desk.lock")) as seat:
        if not seat.take():
            raise StoreError("`vend-cloud run` works on this data_dir: stop it until the import is done")
        _begin(settings, hashlib.sha256((folder / manifest.NAME).read_bytes()).hexdigest())
        _load(settings.data_dir / "store.db", folder, said)
        archive = settings.data_dir / "archive"
        _copy(folder, said, archive)
        done = rebuilt(settings, [archive], bars)
        troubles = list(_unlike(said, done))
        if not troubles:
            (settings.data_dir / _MARK).unlink()
    return {**done, "tables": said.tables, "absent": said.absent, "troubles": troubles}


def _begin(settings: CloudSettings, digest: str) -> None:
    mark = settings.data_dir / _MARK
    store = settings.data_dir / "store.db"
    if mark.exists():
        if mark.read_text() != digest:
            raise StoreError("another import was begun here: finish it, or empty data_dir and InfluxDB")
        return
    make(store)
    with closing(connect(store)) as db:
        if not tables.is_empty(db):
            raise StoreError(f"{store} is not empty: import into a data_dir of its own")
    archive = settings.data_dir / "archive"
    if captures.found([archive]):
        raise StoreError(f"{archive} is not empty: import into a data_dir of its own")
    if asyncio.run(_measurements(settings)):
        raise StoreError(
            f"InfluxDB's database {settings.influx.database} is not empty: name a new one in the settings"
        )
    write_whole(mark, digest.encode(), 0o644)


async def _measurements(settings: CloudSettings) -> list[dict[str, Any]]:
    async with Influx(settings.influx) as influx:
        await influx.create_database()
        return await influx.query("SHOW MEASUREMENTS")


def _load(store: Path, folder: Path, said: manifest.Manifest) -> None:
    make(store)
    with closing(connect(store)) as db, db:
        db.execute("BEGIN IMMEDIATE")
        known = tables.names(db)
        for name, count in said.tables.items():
            if name not in known:
                raise StoreError(f"the export has a table {name} that is none of this version's")
            if tables.load(db, name, folder / "tables" / f"{name}.jsonl") != count:
                raise StoreError(f"the manifest and tables/{name}.jsonl count its rows differently")


def _copy(folder: Path, said: manifest.Manifest, archive: Path) -> None:
    archive.mkdir(exist_ok=True)
    for name in said.files:
        where, _, file = name.partition("/")
        if where == "archive" and not (archive / file).exists():
            part = archive / f"{file}.part"
            shutil.copyfile(folder / name, part)
            part.rename(archive / file)


def _unlike(said: manifest.Manifest, done: dict[str, Any]) -> Iterator[str]:
    imported = {(one["kind"], one["currency"]): (one["count"], one["minor"]) for one in done["kinds"]}
    exported = {(one.kind, one.currency): (one.count, one.minor) for one in said.kinds}
    for key in sorted(imported.keys() | exported.keys()):
        if imported.get(key) != exported.get(key):
            yield f"{' '.join(key)}: exported {exported.get(key)}, imported {imported.get(key)}"
    for what, before, now in (
        ("messages", said.messages, done["messages"]),
        ("records", said.records, done["records"]),
        ("dead letters", said.dead_letters, done["dead_letters"]),
        ("damaged lines", said.damaged_lines, len(done["damaged"])),
    ):
        if before != now:
            yield f"{what}: exported {before}, imported {now}"
    if done["differences"]:
        yield f"{len(done['differences'])} days, kinds and journals are not in InfluxDB as they were read"
