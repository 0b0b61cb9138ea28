"""Wanted prices, what machines said last, prices charged, dead letters: tables of the cloud's database."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cloud import books
from cloud.batch import Batch, DeadLetter, Line
from cloud.database import StoreError, connect
from shared import codec
from shared.messages import PriceList


class Store:
    """Opens a database that `make` made. Raises StoreError when another version wrote it."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path)

    def close(self) -> None:
        self._db.close()

    def screen(self, batch: Batch) -> list[Line]:
        """Refuse numbers that cannot be; returns the lines whose number is stored already."""
        return books.screen(self._db, batch)

    def keep(self, batch: Batch, at_ns: int) -> None:
        """What a batch taught beside its points, in one transaction. `at_ns`: when it arrived."""
        with self._db:
            for name in ("status", "reported", "stock"):
                self._db.executemany(
                    f"INSERT INTO machine (machine, {name}) VALUES (?, ?) "  # noqa: S608  # names above
                    f"ON CONFLICT (machine) DO UPDATE SET {name} = excluded.{name}",
                    [(m, value.model_dump_json()) for m, value in getattr(batch, name).items()],
                )
            self._db.executemany(
                "INSERT INTO machine (machine, seen_at_ns) VALUES (?, ?) "
                "ON CONFLICT (machine) DO UPDATE SET seen_at_ns = excluded.seen_at_ns",
                [(machine, at_ns) for machine in batch.heard],
            )
            self._db.executemany(
                "INSERT INTO charged VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (machine, slot, tender) DO UPDATE SET "
                "price_minor = excluded.price_minor, price_version = excluded.price_version, "
                "at_ns = excluded.at_ns WHERE excluded.at_ns > at_ns",
                [
                    (c.machine, c.slot, c.tender, c.price_minor, c.price_version, c.at_ns)
                    for c in batch.charged.values()
                ],
            )
            self._bury(batch.dead)
            books.keep(self._db, batch, at_ns)

    def _bury(self, letters: Iterable[DeadLetter]) -> None:
        self._db.executemany(
            "INSERT INTO dead_letter VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1) "
            "ON CONFLICT (digest) DO UPDATE SET count = count + 1, last_at_ns = excluded.last_at_ns",
            [
                (
                    hashlib.sha256(b"\0".join((d.topic.encode(), d.code.encode(), d.payload))).digest(),
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

    def want(self, lists: Mapping[str, PriceList], at_ns: int) -> None:
        """Set wanted lists by machine, all or none. Raises StoreError for one that is not newer."""
        with self._db:
            for machine, prices in lists.items():
                done = self._db.execute(
                    "INSERT INTO wanted (machine, version, prices, changed_at_ns) VALUES (?, ?, ?, ?) "
                    "ON CONFLICT (machine) DO UPDATE SET version = excluded.version, "
                    "prices = excluded.prices, changed_at_ns = excluded.changed_at_ns "
                    "WHERE excluded.version > version",
                    (machine, prices.version, prices.model_dump_json(), at_ns),
                )
                if done.rowcount == 0:
                    raise StoreError(f"{machine}: somebody else set prices just now; look and set them again")

    def wanted(self, machine: str) -> PriceList | None:
        row = self._db.execute("SELECT prices FROM wanted WHERE machine = ?", (machine,)).fetchone()
        return PriceList.model_validate_json(row["prices"]) if row else None

    def unpublished(self, *, everything: bool) -> list[tuple[str, int, bytes]]:
        """(machine, version, payload) of lists to publish: those that changed, or all."""
        rows = self._db.execute(
            "SELECT machine, version, prices FROM wanted WHERE ? OR version > published_version",
            (everything,),
        )
        return [(row["machine"], row["version"], row["prices"].encode()) for row in rows]

    def published(self, machine: str, version: int) -> None:
        with self._db:
            self._db.execute("UPDATE wanted SET published_version = ? WHERE machine = ?", (version, machine))

    def machines(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self._db.execute("SELECT * FROM machine ORDER BY machine")]

    def charged(self, machine: str) -> dict[tuple[str, str], dict[str, Any]]:
        """By slot and tender."""
        rows = self._db.execute("SELECT * FROM charged WHERE machine = ?", (machine,))
        return {(row["slot"], row["tender"]): dict(row) for row in rows}

    def dead_letters(self, limit: int) -> list[dict[str, Any]]:
        """The newest first."""
        rows = self._db.execute("SELECT * FROM dead_letter ORDER BY last_at_ns DESC LIMIT ?", (limit,))
        return [dict(row) for row in rows]
