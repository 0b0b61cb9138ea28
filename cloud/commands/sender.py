"""Commands to the broker, until each is answered. This side only carries envelopes: it can sign none.

Not retained, and each for its own machine. A message expires with its command; one that is sent after its
deadline, to learn what became of it, in a minute.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from typing import Final, Protocol

from cloud.commands.table import CommandTable, Due
from cloud.mqtt import PublishRefusedError, Request
from shared import topics

_log = logging.getLogger(__name__)
_LOOK_S: Final = 0.25  # how soon a command is noticed
_TROUBLE_PAUSE_S: Final = 5.0
_LATE_EXPIRY_S: Final = 60


class Publishes(Protocol):
    async def publish(
        self, topic: str, payload: bytes, *, qos: int, retain: bool, content_type: str, request: Request
    ) -> None: ...


async def send_commands(connection: Publishes, table: CommandTable, wall_ns: Callable[[], int]) -> None:
    """Until the connection is lost (MqttError). What broker or disk refuses is tried again, slowly."""
    everything = True
    while True:
        try:
            due = table.due(wall_ns(), everything=everything)
            results = [await _send(connection, table, command, wall_ns()) for command in due]
        except sqlite3.OperationalError as error:
            _log.error("cannot use the store (%s); commands wait until it can", error)
            results = [False]
        everything = everything and not all(results)
        await asyncio.sleep(_LOOK_S if all(results) else _TROUBLE_PAUSE_S)


async def _send(connection: Publishes, table: CommandTable, command: Due, now_ns: int) -> bool:
    topic = topics.COMMAND
    left_ns = command.expires_ns - now_ns
    request = Request(
        response_topic=topics.REPLY.of(command.machine),
        correlation=bytes.fromhex(command.id),
        expiry_s=-(-left_ns // 10**9) if left_ns > 0 else _LATE_EXPIRY_S,
    )
    try:
        await connection.publish(
            topic.of(command.machine),
            command.envelope,
            qos=topic.qos,
            retain=topic.retained,
            content_type=topic.codec.value,
            request=request,
        )
    except PublishRefusedError as error:
        _log.error(
            "the broker refuses a command for %s (%s): check the rights of this client",
            command.machine,
            error,
        )
        return False
    table.sent(command.id, now_ns)
    return True
