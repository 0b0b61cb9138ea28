"""Wanted price lists to the broker, retained: all of them at every connect, then each as it changes.

All at every connect, because a broker may have lost its disk or come back with an old one. Never an empty
payload: nothing clears a price.
"""

import asyncio
import logging
import sqlite3
from typing import Final, Protocol

from cloud.mqtt import PublishRefusedError
from cloud.store import Store
from shared import topics

_log = logging.getLogger(__name__)
_LOOK_S: Final = 0.5  # how soon a price set on the command line is noticed
_TROUBLE_PAUSE_S: Final = 5.0


class Publishes(Protocol):
    async def publish(
        self, topic: str, payload: bytes, *, qos: int, retain: bool, content_type: str
    ) -> None: ...


async def publish_prices(connection: Publishes, store: Store) -> None:
    """Until the connection is lost (MqttError). What broker or disk refuses is tried again, slowly."""
    everything = True
    while True:
        try:
            lists = store.unpublished(everything=everything)
            results = [await _publish(connection, store, *wanted) for wanted in lists]
        except sqlite3.OperationalError as error:
            _log.error("cannot use the store (%s); prices wait until it can", error)
            results = [False]
        everything = everything and not all(results)
        await asyncio.sleep(_LOOK_S if all(results) else _TROUBLE_PAUSE_S)


async def _publish(connection: Publishes, store: Store, machine: str, version: int, payload: bytes) -> bool:
    topic = topics.PRICES
    try:
        await connection.publish(
            topic.of(machine), payload, qos=topic.qos, retain=topic.retained, content_type=topic.codec.value
        )
    except PublishRefusedError as error:
        _log.error(
            "the broker refuses the prices of %s (%s): check the rights of this client", machine, error
        )
        return False
    store.published(machine, version)
    return True
