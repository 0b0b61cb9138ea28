"""What machines said last, prices charged, dead letters: tables of the cloud's database."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cloud import books
from cloud.batch import TOLD, Batch, DeadLetter, Line
from cloud.commands.table import keep_replies
from cloud.database import connect
from cloud.rollups import dirty
from shared import codec


def digest_of(letter: DeadLetter) -> bytes:
    """Under which a letter is kept, and counted when it comes again."""
    return hashlib.sha256(b"\0".join((letter.topic.encode(), letter.code.encode(), letter.payload))).digest()


class Store:
    """Opens a database that `make` made; `db` is for the tables of other parts. Raises StoreError when
    another version wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.db = connect(path)

    def close(self) -> None:
        self.db.close()

    def screen(self, batch: Batch) -> list[Line]:
        """Refuse numbers that cannot be; returns the lines whose number is stored already."""
        return books.screen(self.db, batch)

    def keep(self, batch: Batch, at_ns: int) -> None:
        """What a batch taught beside its points, in one transaction. `at_ns`: when it arrived."""
        with self.db:
            for name in TOLD:
                self.db.executemany(
                    f"INSERT INTO machine (machine, {name}, {name}_ns) VALUES (?, ?, ?) "  # noqa: S608  # names above
                    f"ON CONFLICT (machine) DO UPDATE SET "
                    f"{name} = excluded.{name}, {name}_ns = excluded.{name}_ns",
                    [
                        (m, value.model_dump_json(), batch.told_ns[name, m])
                        for m, value in getattr(batch, name).items()
                    ],
                )
            self.db.executemany(
                "INSERT INTO machine (machine, seen_at_ns) VALUES (?, ?) "
                "ON CONFLICT (machine) DO UPDATE SET seen_at_ns = max(seen_at_ns, excluded.seen_at_ns)",
                list(batch.heard.items()),
            )
            self.db.executemany(
                "INSERT INTO machine (machine, sold_ns) VALUES (?, ?) "
                "ON CONFLICT (machine) DO UPDATE SET sold_ns = max(sold_ns, excluded.sold_ns)",
                list(batch.sold.items()),
            )
            self.db.executemany(
                "UPDATE machine SET door_open_ns = CASE WHEN NOT ? THEN 0 WHEN door_open_ns = 0 THEN ? "
                "ELSE door_open_ns END WHERE machine = ?",
                [
                    (health.door_open, health.at_ns, m)
                    for m, health in batch.health.items()
                    if health.door_open is not None
                ],
            )
            self.db.executemany(
                "INSERT INTO charged VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (machine, slot, tender) DO UPDATE SET "
                "price_minor = excluded.price_minor, price_version = excluded.price_version, "
                "at_ns = excluded.at_ns WHERE excluded.at_ns > at_ns",
                [
                    (c.machine, c.slot, c.tender, c.price_minor, c.price_version, c.at_ns)
                    for c in batch.charged.values()
                ],
            )
            keep_replies(self.db, batch.replies, at_ns)
            self._bury(batch.dead)
            books.keep(self.db, batch, at_ns)
            dirty.mark(self.db, batch)

    def _bury(self, letters: Iterable[DeadLetter]) -> None:
        self.db.executemany(
            "INSERT INTO dead_letter VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1) "
            "ON CONFLICT (digest) DO UPDATE SET count = count + 1, "
            "last_at_ns = max(last_at_ns, excluded.last_at_ns)",
            [
                (
                    digest_of(d),
                    d.topic,
                    d.payload[: codec.MAX_MESSAGE_BYTES],  # the whole is in the archive
                    d.code,
                    d.reason,
                    d.epoch,
                    d.seq,
                    d.arrived_ns,
                    d.arrived_ns,
                )
                for d in letters
            ],
        )

    def share_group(self) -> str:
        """The secret name under which the processes of this data_dir share the records."""
        (name,) = self.db.execute("SELECT name FROM share_group").fetchone()
        return str(name)

    def waiting(self) -> int:
        """How many of the messages with what is wanted are not published yet."""
        return self._count("wanted WHERE version > published_version")

    def online(self) -> int:
        return self._count("machine WHERE json_extract(status, '$.online')")

    def _count(self, rows: str) -> int:
        (count,) = self.db.execute(f"SELECT count(*) FROM {rows}").fetchone()  # noqa: S608  # names above
        return int(count)

    def machines(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.db.execute("SELECT * FROM machine ORDER BY machine")]

    def charged(self, machine: str) -> dict[tuple[str, str], dict[str, Any]]:
        """By slot and tender."""
        rows = self.db.execute("SELECT * FROM charged WHERE machine = ?", (machine,))
        return {(row["slot"], row["tender"]): dict(row) for row in rows}

    def dead_letters(self, limit: int) -> list[dict[str, Any]]:
        """The newest first."""
        rows = self.db.execute("SELECT * FROM dead_letter ORDER BY last_at_ns DESC LIMIT ?", (limit,))
        return [dict(row) for row in rows]
