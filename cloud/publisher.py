"""What is wanted to the broker, retained: all of it at every connect, then each message as it changes.

All at every connect, because a broker may have lost its disk or come back with an old one. Never an empty
payload: nothing clears a price. A page at a time is read and under way, so that neither memory nor the
broker's patience depends on the size of the fleet. Machines that speak for the first time get what is wanted
of all, and a change whose command was broken off is brought to its end.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Final, Protocol

from cloud.mqtt import PublishRefusedError
from cloud.wanted import book, desk
from shared import topics

_log = logging.getLogger(__name__)
_LOOK_S: Final = 0.5  # how soon a price set on the command line is noticed
_TROUBLE_PAUSE_S: Final = 5.0
_FOLLOW_S: Final = 5.0
_BROKEN_OFF_NS: Final = 60 * 10**9  # a command that has not let its change follow by now is dead
_WANTED: Final = (topics.PRICES, topics.CONFIG)


class Publishes(Protocol):
    async def publish(
        self, topic: str, payload: bytes, *, qos: int, retain: bool, content_type: str
    ) -> None: ...


async def publish_wanted(connection: Publishes, db: sqlite3.Connection) -> None:
    """Until the connection is lost (MqttError). What broker or disk refuses is tried again, slowly."""
    everything = True
    while True:
        try:
            done = [await _publish_all(connection, db, topic, everything=everything) for topic in _WANTED]
        except sqlite3.OperationalError as error:
            _log.error("cannot use the store (%s); prices wait until it can", error)
            done = [False]
        everything = everything and not all(done)
        await asyncio.sleep(_LOOK_S if all(done) else _TROUBLE_PAUSE_S)


async def _publish_all(
    connection: Publishes, db: sqlite3.Connection, topic: topics.Topic, *, everything: bool
) -> bool:
    after, done = "", True
    while messages := book.unpublished(db, topic.name, after, everything=everything):
        done = await _publish_page(connection, db, topic, messages) and done
        after = messages[-1].machine
    return done


async def _publish_page(
    connection: Publishes, db: sqlite3.Connection, topic: topics.Topic, messages: Sequence[book.Message]
) -> bool:
    sent = (
        connection.publish(
            topic.of(m.machine),
            m.payload.encode(),
            qos=topic.qos,
            retain=topic.retained,
            content_type=topic.codec.value,
        )
        for m in messages
    )
    results = dict(zip(messages, await asyncio.gather(*sent, return_exceptions=True), strict=True))
    book.published(db, [message for message, error in results.items() if error is None])
    for message, error in results.items():
        if isinstance(error, PublishRefusedError):
            name = topic.of(message.machine)
            _log.error("the broker refuses %s (%s): check the rights of this client", name, error)
        elif error is not None:
            raise error
    return not any(results.values())


async def follow(_connection: Publishes, db: sqlite3.Connection, thread: Executor) -> None:
    """Until it is cancelled: look at machines that are new, and at all after a change that was broken off."""
    while True:
        try:
            await asyncio.get_running_loop().run_in_executor(thread, _follow, db)
        except sqlite3.OperationalError as error:
            _log.error("cannot use the store (%s); new machines wait until it can", error)
        await asyncio.sleep(_FOLLOW_S)


def _follow(db: sqlite3.Connection) -> None:
    now_ns = time.time_ns()
    machines = None if book.broken_off(db, now_ns - _BROKEN_OFF_NS) else book.strangers(db)
    if machines is None or machines:
        for message in desk.settle(db, machines, now_ns, lambda _done: None):
            _log.info("%s of %s: version %d wanted", message.topic, message.machine, message.version)
