"""One SQLite transaction, and the error that says that the disk is full."""

import sqlite3
from types import TracebackType


class transaction:  # noqa: N801  # reads as a statement
    """BEGIN IMMEDIATE … COMMIT; rolled back on any exception, one in COMMIT included."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def is_full(error: sqlite3.Error) -> bool:
    return (
        error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL if hasattr(error, "sqlite_errorcode") else False
    )
