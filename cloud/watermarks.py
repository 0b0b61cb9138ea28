"""Watermarks to the broker, retained: all at every connect, then as they rise, and at once for a machine that
connects, which waits for it.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from typing import Final

from cloud.books import Books
from cloud.mqtt import PublishRefusedError
from cloud.publisher import Publishes
from shared import topics
from shared.messages import Watermark

_log = logging.getLogger(__name__)
_LOOK_S: Final = 0.1  # a machine that connects waits for this
_RISE_EVERY: Final = 20  # looks: a machine that sells is not told after every sale
_TROUBLE_PAUSE_S: Final = 5.0
_AT_ONCE: Final = 100


async def publish_watermarks(connection: Publishes, books: Books) -> None:
    """Until the connection is lost (MqttError). What broker or disk refuses is tried again, slowly."""
    everything, looks = True, 0
    while True:
        try:
            if everything:
                due = books.machines()
            elif looks % _RISE_EVERY == 0:
                due = sorted({*books.unanswered(), *books.unmarked()})
            else:
                due = books.unanswered()
            done = [
                await _publish(connection, books, due[start : start + _AT_ONCE])
                for start in range(0, len(due), _AT_ONCE)
            ]
        except sqlite3.OperationalError as error:
            _log.error("cannot use the store (%s); watermarks wait until it can", error)
            done = [False]
        everything, looks = everything and not all(done), looks + 1
        await asyncio.sleep(_LOOK_S if all(done) else _TROUBLE_PAUSE_S)


async def _publish(connection: Publishes, books: Books, machines: Sequence[str]) -> bool:
    marks = [(machine, books.watermark(machine)) for machine in machines]
    taken = await asyncio.gather(*(_say(connection, machine, mark) for machine, mark in marks))
    books.published([mark for mark, is_taken in zip(marks, taken, strict=True) if is_taken])
    return all(taken)


async def _say(connection: Publishes, machine: str, mark: Watermark) -> bool:
    topic = topics.WATERMARK
    payload = mark.model_dump_json().encode()
    try:
        await connection.publish(
            topic.of(machine), payload, qos=topic.qos, retain=topic.retained, content_type=topic.codec.value
        )
    except PublishRefusedError as error:
        _log.error("the broker refuses the watermark of %s (%s): check this client's rights", machine, error)
        return False
    return True
