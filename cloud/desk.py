"""The desk: what one process of several on a data_dir does, and how it becomes the one.

Everybody takes in records. Publishing what is wanted, and listening to what machines say of themselves on
retained topics, is one process's: two would write an older word over a newer one. The kernel gives the seat
back when its holder dies, in whatever way.
"""

import asyncio
import fcntl
import logging
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Final

from aiomqtt import MqttError

from cloud.gauges.broker import TOPICS as OF_THE_BROKER
from cloud.mqtt import Connection
from shared import topics

_log = logging.getLogger(__name__)
_LOOK_S: Final = 1.0  # how soon the seat of a process that died is taken
_RETAINED: Final = [topic for topic in topics.heard_by(topics.CLOUD_USER) if topic.retained]
Part = Callable[[Connection], Coroutine[None, None, None]]


class Seat:
    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self.is_ours = False

    def take(self) -> bool:
        """Whether it is ours, now or already. Returns at once."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self.is_ours = True
        return True

    def close(self) -> None:
        self._file.close()


async def keep_desk(connection: Connection, seat: Seat, parts: Sequence[Part]) -> None:
    """Until the connection is lost (MqttError): wait for the seat, then do all its parts side by side."""
    if not seat.take():
        _log.info("another process has the desk; this one takes in records, and the desk when that one ends")
    while not seat.take():  # noqa: ASYNC110  # what is waited for is another process
        await asyncio.sleep(_LOOK_S)
    _log.info("this process publishes prices and listens to what machines say of themselves")
    for topic in _RETAINED:
        await connection.subscribe(topic.filter, topic.qos)
    await _listen_to_the_broker(connection)
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(part(connection))


async def _listen_to_the_broker(connection: Connection) -> None:
    """A broker may keep its figures to itself; then there are none."""
    try:
        for name in OF_THE_BROKER:
            await connection.subscribe(name, 0)
    except MqttError as error:
        _log.warning("no figures of the broker: %s", error)
