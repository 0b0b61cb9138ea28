"""The one place that builds the cloud process, and its two tasks on one connection: ingest and publisher.

Every connection is a new client with a clean session: what was not acknowledged comes again from the broker
or from the machines. On each connection every wanted price list is published again, so that a broker that
lost its disk, or came back with an old one, has the right ones.
"""

import asyncio
import logging
import random
import signal
import time
from typing import Final

import aiomqtt

from cloud import mqtt
from cloud.batch import Arrived
from cloud.config import CloudSettings
from cloud.influx import Influx
from cloud.ingest import Ingest
from cloud.store import Store, make
from shared import codec, topics
from shared.capture import CaptureWriter
from shared.messages import Receipt

_log = logging.getLogger(__name__)
_BATCH_MESSAGES: Final = 500
_BATCH_BYTES: Final = 4 * 1024 * 1024
_BACKOFF_FIRST_S: Final = 0.25
_BACKOFF_LIMIT_S: Final = 10.0
_LOOK_S: Final = 0.5  # how soon a price set on the command line is noticed
_CLIENT_ID: Final = "vend-cloud"


async def run(settings: CloudSettings) -> None:
    """Until SIGTERM or SIGINT."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    path = settings.data_dir / "store.db"
    make(path)
    store = Store(path)
    started_ns = time.time_ns()
    day = time.strftime("%Y-%m-%d", time.gmtime(started_ns // 10**9))
    archive = CaptureWriter(settings.data_dir / f"archive-{day}.mqtt.jsonl", _CLIENT_ID, started_ns)
    try:
        async with Influx(settings.influx) as influx:
            await influx.create_database()
            serve = asyncio.create_task(_serve(settings, Ingest(archive, influx, store), store))
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, serve.cancel)
            try:
                await serve
            except asyncio.CancelledError:
                _log.info("stopping")
    finally:
        archive.close()
        store.close()


async def _serve(settings: CloudSettings, ingest: Ingest, store: Store) -> None:
    rng = random.Random()  # noqa: S311  # jitter, not secrets
    pause_s = _BACKOFF_FIRST_S
    while True:
        try:
            async with mqtt.make_client(settings.mqtt, _CLIENT_ID) as client:
                pause_s = _BACKOFF_FIRST_S
                await _subscribe(client)
                async with asyncio.TaskGroup() as group:
                    group.create_task(_receive(client, settings, ingest))
                    group.create_task(_publish_prices(client, settings, store))
        except* (aiomqtt.MqttError, OSError) as group_error:
            _log.warning("broker: %s; connecting again", group_error.exceptions[0])
        await asyncio.sleep(pause_s * rng.uniform(0.5, 1.0))
        pause_s = min(_BACKOFF_LIMIT_S, pause_s * 2)


async def _subscribe(client: aiomqtt.Client) -> None:
    for topic in topics.TOPICS:
        if topic.direction is topics.Direction.UP:
            # Retained messages do not reach shared subscriptions; the others share the load.
            prefix = "" if topic.retained else "$share/vend-cloud/"
            await client.subscribe(prefix + topic.filter, qos=topic.qos)


async def _receive(client: aiomqtt.Client, settings: CloudSettings, ingest: Ingest) -> None:
    inbox: asyncio.Queue[mqtt.Inbound] = asyncio.Queue()

    async def gather() -> None:
        async for message in client.messages:
            inbox.put_nowait(_inbound(message))

    async with asyncio.TaskGroup() as group:
        group.create_task(gather())
        group.create_task(_work(client, settings, ingest, inbox))


def _inbound(message: aiomqtt.Message) -> mqtt.Inbound:
    payload = message.payload if isinstance(message.payload, bytes) else b""
    kept = message.properties.json() if message.properties else {}  # type: ignore[no-untyped-call]
    properties = {str(name): str(value) for name, value in kept.items()}
    arrived = Arrived(str(message.topic), payload, message.qos, message.retain, time.time_ns())
    return mqtt.Inbound(arrived, properties, message.mid)


async def _work(
    client: aiomqtt.Client, settings: CloudSettings, ingest: Ingest, inbox: asyncio.Queue[mqtt.Inbound]
) -> None:
    while True:
        batch = [await inbox.get()]
        size = len(batch[0].arrived.payload)
        while not inbox.empty() and len(batch) < _BATCH_MESSAGES and size < _BATCH_BYTES:
            batch.append(inbox.get_nowait())
            size += len(batch[-1].arrived.payload)
        receipts = await ingest.process([m.arrived for m in batch], [m.properties for m in batch])
        for message in batch:
            mqtt.acknowledge(client, message)
        await asyncio.gather(*(_confirm(client, settings, *receipt) for receipt in receipts))


async def _confirm(client: aiomqtt.Client, settings: CloudSettings, machine: str, receipt: Receipt) -> None:
    """A receipt that gets lost is no loss: the machine sends again, and is told again."""
    topic = topics.RECEIPT
    properties = mqtt.content_type(topic.codec.value, settings.mqtt)
    await client.publish(
        topic.of(machine), codec.pack(receipt.model_dump()), qos=topic.qos, properties=properties
    )


async def _publish_prices(client: aiomqtt.Client, settings: CloudSettings, store: Store) -> None:
    everything = True
    topic = topics.PRICES
    properties = mqtt.content_type(topic.codec.value, settings.mqtt)
    while True:
        for machine, version, payload in store.unpublished(everything=everything):
            await client.publish(
                topic.of(machine), payload, qos=topic.qos, retain=topic.retained, properties=properties
            )
            store.published(machine, version)
        everything = False
        await asyncio.sleep(_LOOK_S)
