"""The cloud's SQLite file: made, brought up to date and opened. Each part of the program has its own tables.

WAL, synchronous=FULL. The daemon and the command line open it side by side, so every transaction is short. A
disk that is full raises sqlite3.OperationalError: the caller keeps what it has and tries again.
"""

import fcntl
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "schema"
# By number, the file name's first word: the tables of a version, and the step from the version before it.
STEPS: Final = {int(path.name.partition("_")[0]): path for path in sorted(_FOLDER.glob("*.sql"))}
VERSION: Final = max(STEPS)


class StoreError(Exception):
    """The store, or what is asked of it, cannot be used; the text says what to do."""


def make(path: Path) -> None:
    """Make the file where there is none, and bring an older one up to date, each step whole or not at all.

    A new one appears whole: another program may be waiting for it. Two programs that start at once do it one
    after the other, or one's file would be moved over the other's. Raises StoreError for one that is newer.
    """
    with path.with_suffix(".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            with closing(_open(path)) as db:
                _upgrade(db)
        else:
            _make_new(path)


def _make_new(path: Path) -> None:
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch()  # by the umask alone: SQLite would never let a group write, and two users may share it
    with closing(sqlite3.connect(fresh)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        _upgrade(db)
    fresh.rename(path)


def connect(path: Path) -> sqlite3.Connection:
    """Open a file that `make` made; rows are read by name. Raises StoreError for another version's."""
    db = _open(path)
    version = _version(db)
    if version != VERSION:
        db.close()
        raise StoreError(
            f"{path} has version {version}, not {VERSION}: start this version's `vend-cloud run` once"
        )
    return db


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=10.0, check_same_thread=False)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA synchronous=FULL")
    if _version(db) > VERSION:
        version = _version(db)
        db.close()
        raise StoreError(f"{path} has version {version}; install the version of vendlink that wrote it")
    return db


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def _upgrade(db: sqlite3.Connection) -> None:
    db.isolation_level = None  # transactions are begun below, and nowhere else
    for number, step in STEPS.items():
        db.execute("BEGIN IMMEDIATE")
        if number > _version(db):
            for statement in step.read_text(encoding="utf-8").split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")
