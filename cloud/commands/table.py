"""Commands and what became of them: tables of the cloud's database.

A command is answered once: the first reply to the very message that was sent counts, all others are strays. A
reply may come long after the deadline, from a machine whose link was down; so an unanswered command is sent
again after it, to learn what became of it: a machine that knows it answers, any other says that it is over.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cloud.database import connect
from shared import commands as wire

_S: Final = 10**9
AGAIN_NS: Final = 5 * _S  # the first time that a machine is asked again; then after ever longer pauses
ASKED_FOR_NS: Final = 24 * 3_600 * _S  # after the deadline
SKEW_NS: Final = 60 * _S  # no machine's clock is so far behind that it would still obey


@dataclass(frozen=True, slots=True)
class Due:
    """A command to publish now."""

    id: str
    machine: str
    expires_ns: int
    envelope: bytes


class CommandTable:
    """Opens a database that `make` made. Raises StoreError when another version wrote it."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path)

    def close(self) -> None:
        self._db.close()

    def add(self, order: wire.Order, envelope: bytes, *, key: str, role: str, who: str) -> None:
        header, action = order.header, order.action
        args = json.dumps(action.model_dump(exclude={"name"}, exclude_defaults=True))
        with self._db:
            self._db.execute(
                "INSERT INTO command "
                "(id, machine, who, key, role, name, args, issued_ns, expires_ns, envelope) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    header.id,
                    header.machine,
                    who,
                    key,
                    role,
                    action.name,
                    args,
                    header.issued_ns,
                    header.expires_ns,
                    envelope,
                ),
            )

    def due(self, now_ns: int, *, everything: bool) -> list[Due]:
        """What to publish: new ones, and unanswered ones of machines that were heard since they were sent.
        `everything`: of all machines, because this connection is new.
        """
        rows = self._db.execute(
            "SELECT id, command.machine, expires_ns, envelope FROM command LEFT JOIN machine USING (machine) "
            "WHERE outcome IS NULL AND ("
            "  sent_ns = 0 AND expires_ns > :now"
            "  OR sent_ns > 0"
            "    AND (expires_ns > :now OR :now BETWEEN expires_ns + :skew AND expires_ns + :asked)"
            "    AND (:all OR seen_at_ns > sent_ns AND :now - sent_ns > max(:again, sent_ns - issued_ns))"
            ") ORDER BY issued_ns, command.rowid LIMIT 1000",
            {
                "now": now_ns,
                "skew": SKEW_NS,
                "asked": ASKED_FOR_NS,
                "again": AGAIN_NS,
                "all": everything,
            },
        )
        return [Due(*row) for row in rows]

    def sent(self, command: str, at_ns: int) -> None:
        with self._db:
            self._db.execute("UPDATE command SET sent_ns = ? WHERE id = ?", (at_ns, command))

    def find(self, command: str, now_ns: int) -> dict[str, Any]:
        """Raises KeyError."""
        row = self._db.execute("SELECT * FROM command WHERE id = ?", (command,)).fetchone()
        if row is None:
            raise KeyError(command)
        return _shown(row, now_ns)

    def machines(self) -> list[str]:
        """All that ever told their journal."""
        rows = self._db.execute("SELECT machine FROM machine WHERE status IS NOT NULL ORDER BY machine")
        return [row["machine"] for row in rows]

    def list(self, machine: str | None, limit: int, now_ns: int) -> list[dict[str, Any]]:
        """The newest first."""
        rows = self._db.execute(
            "SELECT * FROM command WHERE ? IS NULL OR machine = ? ORDER BY issued_ns DESC LIMIT ?",
            (machine, machine, limit),
        )
        return [_shown(row, now_ns) for row in rows]

    def strays(self) -> dict[str, int]:
        """Replies to nothing that was asked, by machine."""
        rows = self._db.execute("SELECT machine, count FROM stray_reply ORDER BY machine")
        return {row["machine"]: row["count"] for row in rows}

    def epoch_of(self, machine: str) -> str | None:
        """The journal of a machine by its last word; None for one that never spoke."""
        row = self._db.execute("SELECT status FROM machine WHERE machine = ?", (machine,)).fetchone()
        return None if row is None or row["status"] is None else str(json.loads(row["status"])["epoch"])


def _shown(row: sqlite3.Row, now_ns: int) -> dict[str, Any]:
    """A command for people and programs; `state` is its outcome, or how far it came."""
    shown = {name: row[name] for name in row.keys() if name != "envelope"}  # noqa: SIM118  # a Row's `in` is of values
    if row["outcome"] is not None:
        state = row["outcome"]
    elif row["expires_ns"] > now_ns:
        state = "sent" if row["sent_ns"] else "waiting"
    else:
        state = "no answer" if row["sent_ns"] else "not sent"
    shown |= {name: json.loads(row[name]) if row[name] else None for name in ("args", "result")}
    return {**shown, "state": state}


def _result(reply: wire.Reply) -> dict[str, Any]:
    return reply.result | ({"recording": reply.recording} if reply.recording else {})


def keep_replies(db: sqlite3.Connection, replies: Iterable[tuple[str, wire.Reply]], at_ns: int) -> None:
    """Within the transaction of whoever took them in."""
    for machine, reply in replies:
        row = db.execute(
            "SELECT envelope, outcome, replied_ns FROM command WHERE id = ? AND machine = ?",
            (reply.id, machine),
        ).fetchone()
        if row is None or wire.digest(row["envelope"]) != reply.digest:
            db.execute(
                "INSERT INTO stray_reply VALUES (?, 1, ?) ON CONFLICT (machine) DO UPDATE SET "
                "count = count + 1, last_at_ns = excluded.last_at_ns",
                (machine, at_ns),
            )
        elif row["outcome"] is None:
            db.execute(
                "UPDATE command SET outcome = ?, code = ?, text = ?, result = ?, replied_ns = ? WHERE id = ?",
                (reply.outcome, reply.code, reply.text, json.dumps(_result(reply)), at_ns, reply.id),
            )
