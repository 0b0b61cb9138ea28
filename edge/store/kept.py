"""Records as the journal keeps them: what was written down, and what became of it."""

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from shared import codec
from shared.records import Record, RecordError, parse_record


@dataclass(frozen=True, slots=True)
class Kept:
    """`state`: owed (not confirmed by the cloud), stored, or parked: `refused` by the cloud for a reason."""

    seq: int
    state: str
    refused: str | None
    body: bytes  # as it goes on the wire

    def record(self) -> Record | None:
        """None: this program cannot read it."""
        with suppress(codec.CodecError, RecordError):
            return parse_record(codec.unpack(self.body))
        return None

    def as_json(self) -> dict[str, Any]:
        fields: object = None
        with suppress(codec.CodecError):
            fields = codec.unpack(self.body)
        return {"seq": self.seq, "state": self.state, "refused": self.refused, "record": fields}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        return cls(raw["seq"], raw["state"], raw["refused"], codec.pack(raw["record"]))


def between(db: sqlite3.Connection, first: int, last: int) -> list[Kept]:
    """The records of the present epoch from `first` to `last`, both included, oldest first."""
    (after,) = db.execute("SELECT max(after) FROM epoch").fetchone()
    rows = db.execute(
        "SELECT seq - ?, state, refused, body FROM record WHERE seq > ? AND seq BETWEEN ? AND ? ORDER BY seq",
        (after, after, after + first, after + last),
    )
    return [Kept(*row) for row in rows]
