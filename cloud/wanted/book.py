"""The plan in the database, its history, and the messages that follow from it: SQL and nothing else.

A change is one short transaction: its entries before and after, and a number that only goes up. The messages
of the machines follow from it page by page (cloud/wanted/desk.py), so that ten thousand machines never hold
up the program that takes in sales. `settled` says that they have all followed.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cloud.database import StoreError
from cloud.wanted.plan import Key

PAGE: Final = 200  # machines, and messages under way at once


@dataclass(frozen=True, slots=True)
class Row:
    """What the tables have about one machine, JSON as it stands."""

    machine: str
    reported: str | None
    stock: str | None
    own: str | None
    is_known: bool  # to the desk
    prices: str | None
    config: str | None


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    machine: str
    version: int
    payload: str


class StaleError(Exception):
    """Somebody changed the plan while this was computed from the one before."""


def entries(db: sqlite3.Connection) -> tuple[int, dict[Key, str]]:
    """The number of the last change, 0 before the first, and the plan as of then."""
    with _transaction(db, "DEFERRED"):
        rows = db.execute("SELECT kind, name, content FROM entry ORDER BY kind, name").fetchall()
        return last_change(db), {(row["kind"], row["name"]): row["content"] for row in rows}


def last_change(db: sqlite3.Connection) -> int:
    (number,) = db.execute("SELECT coalesce(max(number), 0) FROM change").fetchone()
    return int(number)


def write(
    db: sqlite3.Connection,
    seen: int,
    changes: Mapping[Key, tuple[str | None, str | None]],
    who: str,
    what: str,
    at_ns: int,
) -> int:
    """Write down a change of the plan as of `seen`: each entry before and after. Returns its number.

    Raises StoreError when somebody else has changed the plan since.
    """
    with _transaction(db):
        if last_change(db) != seen:
            raise StoreError("somebody else changed the plan just now; look at it and try again")
        number = seen + 1
        db.execute(
            "INSERT INTO change (number, at_ns, who, what) VALUES (?, ?, ?, ?)", (number, at_ns, who, what)
        )
        for (kind, name), (before, after) in changes.items():
            db.execute("INSERT INTO change_entry VALUES (?, ?, ?, ?, ?)", (number, kind, name, before, after))
            if after is None:
                db.execute("DELETE FROM entry WHERE (kind, name) = (?, ?)", (kind, name))
            else:
                db.execute("INSERT OR REPLACE INTO entry VALUES (?, ?, ?)", (kind, name, after))
    return number


def history(db: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """The newest first, with how many entries each changed."""
    rows = db.execute(
        "SELECT change.*, (SELECT count(*) FROM change_entry WHERE change = number) AS entries "
        "FROM change ORDER BY number DESC LIMIT ?",
        (limit,),
    )
    return [dict(row) for row in rows]


def changed(db: sqlite3.Connection, number: int) -> dict[Key, tuple[str | None, str | None]]:
    """What a change did, by entry: before and after. Raises StoreError for one that never was."""
    rows = db.execute("SELECT * FROM change_entry WHERE change = ?", (number,)).fetchall()
    if not rows:
        raise StoreError(f"there is no change {number}; `vend-cloud history` lists them")
    return {(row["kind"], row["name"]): (row["before"], row["after"]) for row in rows}


def changes_since(db: sqlite3.Connection, number: int, keys: Iterable[Key]) -> dict[Key, int]:
    """Of these entries those that were changed after a change, and by which."""
    later = db.execute(
        "SELECT kind, name, min(change) AS change FROM change_entry WHERE change > ? GROUP BY kind, name",
        (number,),
    )
    found = {(row["kind"], row["name"]): row["change"] for row in later}
    return {key: found[key] for key in keys if key in found}


# --- machines, page by page ---------------------------------------------------------------------------------


_ROW: Final = (
    "SELECT name AS machine, reported, stock, own.prices AS own, own.machine IS NOT NULL AS is_known, "
    "p.payload AS prices, c.payload AS config FROM ({names}) "
    "LEFT JOIN machine ON machine.machine = name LEFT JOIN own ON own.machine = name "
    "LEFT JOIN wanted p ON p.topic = 'prices' AND p.machine = name "
    "LEFT JOIN wanted c ON c.topic = 'config' AND c.machine = name"
)
_EVERY: Final = _ROW.format(
    names="SELECT machine AS name FROM machine WHERE machine > :after UNION "
    "SELECT name FROM entry WHERE kind = 'machine' AND name > :after UNION "
    "SELECT machine FROM own WHERE machine > :after ORDER BY name LIMIT :page"
)
_SOME: Final = _ROW.format(names="SELECT value AS name FROM json_each(:names)")


def page(db: sqlite3.Connection, after: str) -> list[Row]:
    """The next machines by name that are known in any way."""
    return [Row(*row) for row in db.execute(_EVERY, {"after": after, "page": PAGE})]


def some(db: sqlite3.Connection, names_json: str) -> list[Row]:
    return [Row(*row) for row in db.execute(_SOME, {"names": names_json})]


def put(
    db: sqlite3.Connection,
    seen: int,
    owns: Sequence[tuple[str, str | None]],
    messages: Sequence[Message],
    at_ns: int,
) -> None:
    """Messages that are wanted as of change `seen`, and what machines had before. Versions only go up.

    Raises StaleError.
    """
    with _transaction(db):
        if last_change(db) != seen:
            raise StaleError
        db.executemany(
            "INSERT INTO own VALUES (?, ?) "
            "ON CONFLICT (machine) DO UPDATE SET prices = excluded.prices WHERE prices IS NULL",
            owns,
        )
        db.executemany(
            "INSERT INTO wanted (topic, machine, version, payload, changed_at_ns) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (topic, machine) DO UPDATE SET version = excluded.version, "
            "payload = excluded.payload, changed_at_ns = excluded.changed_at_ns "
            "WHERE excluded.version > version",
            [(m.topic, m.machine, m.version, m.payload, at_ns) for m in messages],
        )


def settled(db: sqlite3.Connection, number: int) -> None:
    """All machines have followed the plan as of this change."""
    with _transaction(db):
        db.execute("UPDATE change SET settled = 1 WHERE number <= ?", (number,))


def is_settled(db: sqlite3.Connection, number: int) -> bool:
    """Whether all changes up to this one are."""
    row = db.execute("SELECT 1 FROM change WHERE settled = 0 AND number <= ? LIMIT 1", (number,)).fetchone()
    return row is None


def broken_off(db: sqlite3.Connection, before_ns: int) -> bool:
    """Whether a change of before that time waits for its messages."""
    row = db.execute("SELECT 1 FROM change WHERE settled = 0 AND at_ns < ? LIMIT 1", (before_ns,)).fetchone()
    return row is not None


def strangers(db: sqlite3.Connection) -> list[str]:
    """A page of machines that have said all about themselves and were not looked at yet."""
    rows = db.execute(
        "SELECT machine FROM machine WHERE reported IS NOT NULL AND stock IS NOT NULL "
        "AND machine NOT IN (SELECT machine FROM own) ORDER BY machine LIMIT ?",
        (PAGE,),
    )
    return [row["machine"] for row in rows]


# --- what is to be published --------------------------------------------------------------------------------


def unpublished(db: sqlite3.Connection, topic: str, after: str, *, everything: bool) -> list[Message]:
    """The next messages of a topic to publish, by machine: those that changed, or all."""
    which = "" if everything else "AND version > published_version "
    rows = db.execute(
        "SELECT topic, machine, version, payload FROM wanted "  # noqa: S608  # constants above
        f"WHERE topic = ? AND machine > ? {which}ORDER BY machine LIMIT ?",
        (topic, after, PAGE),
    )
    return [Message(*row) for row in rows]


def published(db: sqlite3.Connection, messages: Sequence[Message]) -> None:
    with _transaction(db):
        db.executemany(
            "UPDATE wanted SET published_version = ? WHERE topic = ? AND machine = ? "
            "AND published_version <> ?",
            [(m.version, m.topic, m.machine, m.version) for m in messages],
        )


class _transaction:  # noqa: N801  # reads as a statement
    """BEGIN … COMMIT, rolled back on any exception."""

    def __init__(self, db: sqlite3.Connection, kind: str = "IMMEDIATE") -> None:
        self._db, self._kind = db, kind

    def __enter__(self) -> None:
        self._db.execute(f"BEGIN {self._kind}")

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
