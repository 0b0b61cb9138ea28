"""A journal made of what is known of another one, to replay in it what happened to a machine.

A copy by intent: nothing that it says may ever reach the broker of its original.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from edge.store.journal import Journal
from edge.store.kept import Kept
from edge.store.transaction import transaction
from shared import codec
from shared.records import Sale
from shared.topics import EVENT, SALE

_SALE: Final = Sale.model_fields["kind"].default


def seed(path: Path, machine: str, epoch: str, records: Sequence[Kept], state: bytes | None = None) -> None:
    """Make the journal at `path`, which is not there yet. `state`: of the sale, as a journal keeps it.

    Raises ValueError for a record whose bytes have no time and kind.
    """
    Journal(path, machine).close()
    rows = []
    for kept in records:
        body = codec.unpack(kept.body)
        if not isinstance(body, dict) or not {"at_ns", "kind"} <= body.keys():
            raise ValueError(f"record {kept.seq} cannot be read")
        stream = SALE.name if body["kind"] == _SALE else EVENT.name
        rows.append((kept.seq, body["at_ns"], stream, kept.body, kept.state, kept.refused))
    with closing(sqlite3.connect(path, isolation_level=None)) as db, transaction(db):
        db.execute("UPDATE epoch SET epoch = ?", (epoch,))
        db.execute("UPDATE journal SET state = ?", (state,))
        db.executemany(
            "INSERT INTO record (seq, at_ns, stream, body, state, refused) VALUES (?, ?, ?, ?, ?, ?)", rows
        )
