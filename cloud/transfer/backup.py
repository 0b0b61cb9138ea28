"""A folder from which data_dir is made again by copying it back: quick, and while everything goes on.

The database first, by SQLite's own backup, so it is of one moment; then the archive, which so has all that
the database knows. A folder with an earlier backup is brought up to date: of the archive only files that
changed are copied, and none is ever deleted there. Killed at any point, each file in it is an old or a new
one, whole, and the next backup does the rest.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from cloud.config import CloudSettings
from cloud.database import StoreError, connect
from cloud.rebuild import captures
from cloud.rebuild.whole import Bars
from shared.files import sync_folder, write_whole

_BLOCK_BYTES: Final = 1024 * 1024


def backup(settings: CloudSettings, folder: Path, bars: Bars, *, keys: bool) -> dict[str, Any]:
    """`keys`: those of the authority and of commands too. Raises StoreError, OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # claims of customers are in it
    _database(settings.data_dir / "store.db", folder / "store.db")
    archive = folder / "archive"
    archive.mkdir(mode=0o700, exist_ok=True)
    sources = captures.found([settings.data_dir / "archive"])
    changed = [source for source in sources if not _is_there(source, archive)]
    with bars("archive", sum(source.size for source in changed), 0) as tell:
        for source in changed:
            tell(_copy(source, archive / source.path.name))
    sync_folder(archive)
    return {
        "archive_files": len(sources),
        "archive_bytes": sum(source.size for source in sources),
        "copied_files": len(changed),
        "key_files": _keys(settings, folder) if keys else 0,
    }


def _database(store: Path, to: Path) -> None:
    fresh = to.with_suffix(".new")
    for left in to.parent.glob(f"{fresh.name}*"):
        left.unlink()  # of one that was killed
    try:
        with closing(connect(store)) as db, closing(sqlite3.connect(fresh)) as copy:
            db.backup(copy)
            (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise StoreError(f"{store} cannot be copied ({found}); the backup that is there was not touched")
    fresh.chmod(0o600)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.rename(to)
    sync_folder(to.parent)


def _is_there(source: captures.Source, archive: Path) -> bool:
    """A file of the archive only grows, or loses a line that was torn."""
    try:
        copy = (archive / source.path.name).stat()
    except FileNotFoundError:
        return False
    return (copy.st_size, copy.st_mtime_ns) == (source.size, source.path.stat().st_mtime_ns)


def _copy(source: captures.Source, to: Path) -> int:
    """Up to its present size: what is written meanwhile changes its time, and the next backup copies it."""
    changed_ns = source.path.stat().st_mtime_ns
    fresh = to.with_name(f".{to.name}.new")
    left = source.size
    with source.path.open("rb") as old, fresh.open("wb") as new:
        while left and (block := old.read(min(left, _BLOCK_BYTES))):
            new.write(block)
            left -= len(block)
        new.flush()
        os.utime(fresh, ns=(changed_ns, changed_ns))
        os.fsync(new.fileno())
    fresh.rename(to)
    return source.size


def _keys(settings: CloudSettings, folder: Path) -> int:
    count = 0
    for source, name in ((settings.ca_dir, "ca"), (settings.data_dir / "keys", "keys")):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
        if not source.exists():
            continue
        for path in sorted(path for path in source.iterdir() if path.is_file()):
            write_whole(folder / name / path.name, path.read_bytes(), path.stat().st_mode & 0o777)
            count += 1
    return count
