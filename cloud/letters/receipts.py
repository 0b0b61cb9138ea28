"""Receipts for records that were refused once and are stored now: machines keep those until they hear of it.

A receipt that gets lost leaves a record parked in its machine, which harms nothing: `vend-cloud command
MACHINE resend FROM..TO` makes it ask again.
"""

import asyncio
import logging
import sqlite3
from typing import Final

from cloud.batch import Batch, settle
from cloud.mqtt import PublishRefusedError
from cloud.publisher import Publishes
from shared import codec, topics
from shared.messages import Receipt

_log = logging.getLogger(__name__)
_LOOK_S: Final = 1.0
_TROUBLE_PAUSE_S: Final = 5.0
_PAGE: Final = 10_000  # records


async def confirm_late(connection: Publishes, db: sqlite3.Connection) -> None:
    """Until the connection is lost (MqttError). What broker or disk refuses is tried again, slowly."""
    while True:
        try:
            done = [await _confirm(connection, db, *late) for late in due(db)]
        except sqlite3.OperationalError as error:
            _log.error("cannot use the store (%s); late receipts wait until it can", error)
            done = [False]
        await asyncio.sleep(_LOOK_S if all(done) else _TROUBLE_PAUSE_S)


def due(db: sqlite3.Connection) -> list[tuple[str, Receipt]]:
    """By machine."""
    batch = Batch()
    rows = db.execute("SELECT * FROM late_receipt ORDER BY machine, epoch, seq LIMIT ?", (_PAGE,))
    for row in rows:
        batch.stored.setdefault((row["machine"], row["epoch"]), {})[row["seq"]] = row["at_ns"]
    return settle(batch, {})


async def _confirm(connection: Publishes, db: sqlite3.Connection, machine: str, receipt: Receipt) -> bool:
    topic = topics.RECEIPT
    payload = codec.pack(receipt.model_dump())
    try:
        await connection.publish(
            topic.of(machine), payload, qos=topic.qos, retain=topic.retained, content_type=topic.codec.value
        )
    except PublishRefusedError as error:
        _log.error("the broker refuses a receipt for %s (%s): check this client's rights", machine, error)
        return False
    with db:
        db.executemany(
            "DELETE FROM late_receipt WHERE machine = ? AND epoch = ? AND seq BETWEEN ? AND ?",
            [(machine, receipt.epoch, *span) for span in receipt.stored],
        )
    return True
