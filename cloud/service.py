"""Connections to the broker, one after the other: records in and receipts out, the desk beside.

Every connection is new and its session clean: what was not acknowledged comes again from the broker or from
the machines. A batch under way when the connection breaks is dropped for the same reason.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Final

from aiomqtt import MqttError

from cloud.gauges.broker import BrokerFigures
from cloud.ingest import Ingest
from cloud.mqtt import Connection, PublishRefusedError
from cloud.watch import Watch
from shared import codec, topics
from shared.messages import Receipt
from shared.settings import MqttSettings

_log = logging.getLogger(__name__)
_BATCH_MESSAGES: Final = 500
_BATCH_BYTES: Final = 1024 * 1024  # about 5,000 sales: a good request for InfluxDB, 0.2 s of work
_BACKOFF_FIRST_S: Final = 0.25
_BACKOFF_LIMIT_S: Final = 10.0
Desk = Callable[[Connection], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Service:
    """`name`: at the broker. `filters`: of what is taken in. `stopping`: no connection is made any more."""

    settings: MqttSettings
    name: str
    filters: Sequence[tuple[str, int]]
    ingest: Ingest
    desk: Desk | None
    watch: Watch
    broker: BrokerFigures
    stopping: asyncio.Event

    async def run(self) -> None:
        rng = random.Random()  # noqa: S311  # jitter, not secrets
        pause_s = _BACKOFF_FIRST_S
        while True:
            try:
                async with Connection(self.settings, self.name, time.time_ns) as connection:
                    for pattern, qos in self.filters:
                        await connection.subscribe(pattern, qos)
                    self.watch.connected(lambda: connection.waiting)
                    _log.info("connected to %s:%s", self.settings.host, self.settings.port)
                    async with asyncio.TaskGroup() as group:
                        group.create_task(connection.lost())
                        group.create_task(self._take_in(connection))
                        if self.desk is not None:
                            group.create_task(self.desk(connection))
                        pause_s = _BACKOFF_FIRST_S
            except* (MqttError, OSError) as trouble:
                cause = _cause(trouble)
                _log.warning("broker: %s; connecting again", cause)
                self.watch.disconnected(f"not connected: {cause}")
                self.broker.forget()
            if self.stopping.is_set():  # a group that is ending by trouble of its own forgets a cancellation
                return
            await asyncio.sleep(pause_s * rng.uniform(0.5, 1.0))
            pause_s = min(_BACKOFF_LIMIT_S, pause_s * 2)

    async def _take_in(self, connection: Connection) -> None:
        """The next batch gathers while one is brought home: large under load, and no waiting without."""
        while True:
            received = await connection.receive(_BATCH_MESSAGES, _BATCH_BYTES)
            batch = [m for m in received if not self.broker.hear(m.arrived.topic, m.arrived.payload)]
            if not batch:
                continue
            receipts = await self.ingest.process([m.arrived for m in batch], [m.properties for m in batch])
            for message in batch:
                connection.acknowledge(message)
            await asyncio.gather(*(self._confirm(connection, *receipt) for receipt in receipts))

    async def _confirm(self, connection: Connection, machine: str, receipt: Receipt) -> None:
        """A receipt that gets lost is no loss: the machine sends again, and is told again."""
        topic = topics.RECEIPT
        payload = codec.pack(receipt.model_dump())
        try:
            await connection.publish(
                topic.of(machine),
                payload,
                qos=topic.qos,
                retain=topic.retained,
                content_type=topic.codec.value,
            )
        except (PublishRefusedError, MqttError) as error:
            self.watch.receipt(sent=False)
            fields = {"machine": machine, "epoch": receipt.epoch}
            _log.warning("receipt for %s not delivered: %s; it will ask again", machine, error, extra=fields)
        else:
            self.watch.receipt(sent=True)


def _cause(trouble: BaseException) -> BaseException:
    """The first of several, which all have the same one: the connection."""
    while isinstance(trouble, BaseExceptionGroup):
        trouble = trouble.exceptions[0]
    return trouble
