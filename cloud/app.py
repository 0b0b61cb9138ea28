"""The one place that builds the cloud process: ingest and price publisher, on one connection at a time.

Every connection is new and its session clean: what was not acknowledged comes again from the broker or from
the machines. A batch under way when the connection breaks is dropped for the same reason. One thread, `disk`,
does all writing of archive and ingest store; the event loop does the rest.
"""

import asyncio
import logging
import random
import secrets
import signal
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from typing import Final

from aiomqtt import MqttError

from cloud.archive import Archive
from cloud.bags import Counts
from cloud.books import Books
from cloud.config import CloudSettings
from cloud.database import make
from cloud.figures import write_figures
from cloud.influx import Influx
from cloud.ingest import Ingest
from cloud.mqtt import Connection, PublishRefusedError
from cloud.publisher import publish_prices
from cloud.store import Store
from cloud.watermarks import publish_watermarks
from shared import codec, topics
from shared.messages import Receipt
from shared.settings import MqttSettings

_log = logging.getLogger(__name__)
_BATCH_MESSAGES: Final = 500
_BATCH_BYTES: Final = 1024 * 1024  # about 5,000 sales: a good request for InfluxDB, 0.2 s of work
_BACKOFF_FIRST_S: Final = 0.25
_BACKOFF_LIMIT_S: Final = 10.0
_NAME: Final = "vend-cloud"


async def run(settings: CloudSettings) -> None:
    """Until SIGTERM or SIGINT. Raises StoreError when another version wrote the store."""
    loop = asyncio.get_running_loop()
    folder, path = settings.data_dir / "archive", settings.data_dir / "store.db"
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        make(path)
        wanted = stack.enter_context(closing(Store(path)))
        keeper = stack.enter_context(closing(Store(path)))
        books = stack.enter_context(closing(Books(path)))
        counts = stack.enter_context(closing(Counts(path)))
        archive = stack.enter_context(closing(Archive(folder, _NAME, time.time_ns())))
        disk = stack.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix="disk"))

        async def on_disk(write: Callable[[], None]) -> None:
            await loop.run_in_executor(disk, write)

        async with Influx(settings.influx) as influx:
            ingest = Ingest(archive, influx, keeper, asyncio.sleep, on_disk)
            figures = partial(write_figures, influx, books, counts, time.time_ns)
            serve = asyncio.create_task(_serve(settings.mqtt, ingest, wanted, books, figures, influx))
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, serve.cancel)
            try:
                await serve
            except asyncio.CancelledError:
                _log.info("stopping")


async def _serve(
    settings: MqttSettings,
    ingest: Ingest,
    wanted: Store,
    books: Books,
    figures: Callable[[], Coroutine[None, None, None]],
    influx: Influx,
) -> None:
    await influx.create_database()
    rng = random.Random()  # noqa: S311  # jitter, not secrets
    name = f"{_NAME}-{secrets.token_hex(4)}"  # two processes of one name would push each other out for ever
    pause_s = _BACKOFF_FIRST_S
    while True:
        try:
            async with Connection(settings, name, time.time_ns) as connection:
                await _subscribe(connection)
                _log.info("connected to %s:%s", settings.host, settings.port)
                async with asyncio.TaskGroup() as group:
                    group.create_task(connection.lost())
                    group.create_task(_take_in(connection, ingest))
                    group.create_task(publish_prices(connection, wanted))
                    group.create_task(publish_watermarks(connection, books))
                    group.create_task(figures())
                    pause_s = _BACKOFF_FIRST_S
        except* (MqttError, OSError) as trouble:
            _log.warning("broker: %s; connecting again", trouble.exceptions[0])
        await asyncio.sleep(pause_s * rng.uniform(0.5, 1.0))
        pause_s = min(_BACKOFF_LIMIT_S, pause_s * 2)


async def _subscribe(connection: Connection) -> None:
    for topic in topics.TOPICS:
        if topic.direction is topics.Direction.UP:
            # Retained messages do not reach shared subscriptions; the others share the load.
            prefix = "" if topic.retained else "$share/vend-cloud/"
            await connection.subscribe(prefix + topic.filter, topic.qos)


async def _take_in(connection: Connection, ingest: Ingest) -> None:
    """The next batch gathers while one is brought home: large under load, and no waiting without."""
    while True:
        batch = await connection.receive(_BATCH_MESSAGES, _BATCH_BYTES)
        receipts = await ingest.process([m.arrived for m in batch], [m.properties for m in batch])
        for message in batch:
            connection.acknowledge(message)
        await asyncio.gather(*(_confirm(connection, *receipt) for receipt in receipts))


async def _confirm(connection: Connection, machine: str, receipt: Receipt) -> None:
    """A receipt that gets lost is no loss: the machine sends again, and is told again."""
    topic = topics.RECEIPT
    payload = codec.pack(receipt.model_dump())
    try:
        await connection.publish(
            topic.of(machine), payload, qos=topic.qos, retain=topic.retained, content_type=topic.codec.value
        )
    except (PublishRefusedError, MqttError) as error:
        _log.warning("receipt for %s not delivered: %s; it will ask again", machine, error)
