"""Commands as the journal keeps them: begun, and answered once. What is here is never carried out again.

A command is forgotten long after its deadline. From then on every command with a deadline up to that time is
over, whatever the clock says: one that goes back cannot make a forgotten command run a second time.
"""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

KEPT_NS: Final = 24 * 3_600 * 10**9  # after its deadline
MAX_KEPT: Final = 5_000  # more in two days are no operator's work


@dataclass(frozen=True, slots=True)
class KeptCommand:
    """`at_ns`: when it came, by this machine's clock. `digest`: of the message. `reply`: the bytes that are
    sent, None while it is being carried out.
    """

    id: str
    at_ns: int
    key: str
    name: str
    expires_ns: int
    digest: str
    reply: bytes | None = None


class KeptCommands:
    """On the journal's connection; `writing` is its transaction, which raises JournalFull."""

    def __init__(self, db: sqlite3.Connection, writing: Callable[[], AbstractContextManager[None]]) -> None:
        self._db = db
        self._writing = writing

    def find(self, command: str) -> KeptCommand | None:
        row = self._db.execute("SELECT * FROM command WHERE id = ?", (command,)).fetchone()
        return KeptCommand(*row) if row else None

    def unanswered(self) -> list[KeptCommand]:
        return [KeptCommand(*row) for row in self._db.execute("SELECT * FROM command WHERE reply IS NULL")]

    def is_full(self) -> bool:
        (count,) = self._db.execute("SELECT count(*) FROM command").fetchone()
        return bool(count >= MAX_KEPT)

    @property
    def over_ns(self) -> int:
        """Commands with a deadline up to this are over, known or not."""
        (over_ns,) = self._db.execute("SELECT commands_over_ns FROM journal").fetchone()
        return int(over_ns)

    def keep(self, row: KeptCommand) -> None:
        """On stable storage when it returns."""
        with self._writing():
            self.write(row)

    def write(self, row: KeptCommand) -> None:
        """Within a transaction of the journal."""
        self._db.execute(
            "INSERT INTO command VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET reply = excluded.reply WHERE reply IS NULL",
            (row.id, row.at_ns, row.key, row.name, row.expires_ns, row.digest, row.reply),
        )

    def forget(self, time_ns: int) -> None:
        """What is long over at this time, which must be a trusted one."""
        over_ns = time_ns - KEPT_NS
        due = "FROM command WHERE expires_ns <= ? AND reply IS NOT NULL"
        if self._db.execute(f"SELECT 1 {due} LIMIT 1", (over_ns,)).fetchone():
            with self._writing():
                self._db.execute(f"DELETE {due}", (over_ns,))
                self._db.execute("UPDATE journal SET commands_over_ns = max(commands_over_ns, ?)", (over_ns,))
