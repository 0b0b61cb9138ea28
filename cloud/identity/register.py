"""What was issued, to whom, and what of it is revoked; who is invited: tables of the cloud's database.

A name is denied when certificates of it were revoked and none is left that was not: a machine that joins
again after that is welcome, and the stolen key it had before is not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cloud.database import connect
from shared.certificates import Certificate

WRONG_TRIES: Final = 5  # of one invitation; then it is void
_LEFT: Final = (
    "SELECT DISTINCT name FROM certificate AS gone WHERE revoked_at_ns IS NOT NULL AND NOT EXISTS "
    "(SELECT 1 FROM certificate WHERE name = gone.name AND revoked_at_ns IS NULL)"
)


@dataclass(frozen=True, slots=True)
class Issued:
    serial: str
    name: str
    public_key: bytes
    pem: str
    not_before_ns: int
    not_after_ns: int
    issued_at_ns: int
    how: str
    who: str
    revoked_at_ns: int | None = None
    reason: str = ""

    @property
    def certificate(self) -> Certificate:
        return Certificate(self.name, self.serial, self.public_key, self.not_before_ns, self.not_after_ns)


@dataclass(frozen=True, slots=True)
class Invitation:
    machine: str
    salt: bytes
    digest: bytes
    expires_at_ns: int
    who: str
    wrong_tries: int = 0
    serial: str | None = None


class Register:
    """Opens a database that `make` made. Raises StoreError when another version wrote it."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is read in it stays true until what is written in it is."""
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            yield

    # ---- certificates

    def add(self, issued: Issued) -> None:
        self._insert("certificate", asdict(issued))

    def of(self, name: str) -> list[Issued]:
        """The newest first."""
        rows = self._db.execute(
            "SELECT * FROM certificate WHERE name = ? ORDER BY issued_at_ns DESC, not_after_ns DESC", (name,)
        )
        return [Issued(**row) for row in rows]

    def everybody(self) -> list[str]:
        return [
            row["name"] for row in self._db.execute("SELECT DISTINCT name FROM certificate ORDER BY name")
        ]

    def revoke(self, name: str, reason: str, at_ns: int) -> int:
        """All that the name has; returns how many."""
        with self._db:
            done = self._db.execute(
                "UPDATE certificate SET revoked_at_ns = ?, reason = ? "
                "WHERE name = ? AND revoked_at_ns IS NULL",
                (at_ns, reason, name),
            )
        return done.rowcount

    def revoked(self, now_ns: int) -> dict[str, int]:
        """When, by serial; without those that are out of date anyway."""
        rows = self._db.execute(
            "SELECT serial, revoked_at_ns FROM certificate "
            "WHERE revoked_at_ns IS NOT NULL AND not_after_ns > ?",
            (now_ns,),
        )
        return {row["serial"]: row["revoked_at_ns"] for row in rows}

    def lives(self) -> dict[str, list[tuple[int, int | None]]]:
        """Issued and revoked at, of all certificates of each name that ever lost one."""
        rows = self._db.execute(
            "SELECT name, issued_at_ns, revoked_at_ns FROM certificate WHERE name IN "
            "(SELECT name FROM certificate WHERE revoked_at_ns IS NOT NULL)"
        )
        found: dict[str, list[tuple[int, int | None]]] = {}
        for name, issued_at_ns, revoked_at_ns in rows:
            found.setdefault(name, []).append((issued_at_ns, revoked_at_ns))
        return found

    def denied(self) -> frozenset[str]:
        return frozenset(row["name"] for row in self._db.execute(_LEFT))

    # ---- invitations

    def invite(self, invitation: Invitation) -> None:
        with self._db:
            self._db.execute("DELETE FROM invitation WHERE machine = ?", (invitation.machine,))
            self._insert("invitation", asdict(invitation))

    def invitation(self, machine: str) -> Invitation | None:
        row = self._db.execute("SELECT * FROM invitation WHERE machine = ?", (machine,)).fetchone()
        return Invitation(**row) if row else None

    def invitations(self, now_ns: int) -> list[Invitation]:
        """Those that can still be used."""
        rows = self._db.execute(
            "SELECT * FROM invitation WHERE serial IS NULL AND expires_at_ns > ? AND wrong_tries < ? "
            "ORDER BY machine",
            (now_ns, WRONG_TRIES),
        )
        return [Invitation(**row) for row in rows]

    def tried_in_vain(self, machine: str) -> None:
        self._db.execute("UPDATE invitation SET wrong_tries = wrong_tries + 1 WHERE machine = ?", (machine,))

    def used(self, machine: str, serial: str) -> None:
        self._db.execute("UPDATE invitation SET serial = ? WHERE machine = ?", (serial, machine))

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        names, places = ", ".join(row), ", ".join("?" * len(row))
        self._db.execute(
            f"INSERT INTO {table} ({names}) VALUES ({places})",  # noqa: S608  # names of this file
            tuple(row.values()),
        )
