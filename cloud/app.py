"""The one place that builds the cloud process: ingest and desk, on one connection at a time.

Every connection is new and its session clean: what was not acknowledged comes again from the broker or from
the machines. A batch under way when the connection breaks is dropped for the same reason. One thread, `disk`,
does all writing of archive and ingest store; another, `desk`, lets messages follow from plans; the event loop
does the rest.
"""

import asyncio
import logging
import os
import random
import secrets
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from typing import Final

from aiomqtt import MqttError

from cloud.archive import Archive
from cloud.bags import Counts
from cloud.books import Books
from cloud.commands.sender import send_commands
from cloud.commands.table import CommandTable
from cloud.config import CloudSettings
from cloud.database import connect, make
from cloud.desk import Seat, keep_desk
from cloud.figures import write_figures
from cloud.gauges.broker import BrokerFigures
from cloud.gauges.fleet import Fleet
from cloud.gauges.process import Worker, name_by_certificate, write_process
from cloud.gauges.writer import Gauges, write_gauges
from cloud.health import serving
from cloud.identity.register import Register
from cloud.influx import Influx
from cloud.ingest import Ingest
from cloud.letters.receipts import confirm_late
from cloud.mqtt import Connection, PublishRefusedError
from cloud.publisher import follow, publish_wanted
from cloud.rollups.dirty import DirtyHours
from cloud.rollups.work import SEAT, keep_rollups
from cloud.store import Store
from cloud.supervised import supervised
from cloud.watch import Watch
from cloud.watermarks import publish_watermarks
from shared import codec, topics
from shared.messages import Receipt
from shared.settings import MqttSettings
from shared.supervisor import VARIABLE, Supervisor

_log = logging.getLogger(__name__)
_BATCH_MESSAGES: Final = 500
_BATCH_BYTES: Final = 1024 * 1024  # about 5,000 sales: a good request for InfluxDB, 0.2 s of work
_BACKOFF_FIRST_S: Final = 0.25
_BACKOFF_LIMIT_S: Final = 10.0
_NAME: Final = topics.CLOUD_USER
Desk = Callable[[Connection], Coroutine[None, None, None]]
# Shared out among all processes. Retained messages do not reach shared subscriptions: those are the desk's.
_SHARED: Final = [topic for topic in topics.heard_by(_NAME) if not topic.retained]


async def run(settings: CloudSettings, *, worker: bool = False) -> None:
    """Until SIGTERM or SIGINT. A worker never takes the desk.

    Raises StoreError when another version wrote the store, SettingsError for a health address that is taken.
    """
    loop = asyncio.get_running_loop()
    folder, path = settings.data_dir / "archive", settings.data_dir / "store.db"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{_NAME}-{secrets.token_hex(4)}"  # two processes of one name would push each other out for ever
    watch = Watch()
    with ExitStack() as stack:
        make(path)
        wanted = stack.enter_context(closing(connect(path)))
        following = stack.enter_context(closing(connect(path)))
        late = stack.enter_context(closing(connect(path)))
        plans = stack.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix="plans"))
        commands = stack.enter_context(closing(CommandTable(path)))
        keeper = stack.enter_context(closing(Store(path)))
        books = stack.enter_context(closing(Books(path)))
        counts = stack.enter_context(closing(Counts(path)))
        register = stack.enter_context(closing(Register(path)))
        seat = None if worker else stack.enter_context(closing(Seat(settings.data_dir / "desk.lock")))
        archive = stack.enter_context(closing(Archive(folder, name, time.time_ns(), watch=watch)))
        dirty = stack.enter_context(closing(DirtyHours(path)))
        rollups = stack.enter_context(closing(Seat(settings.data_dir / SEAT)))
        figures = stack.enter_context(closing(Store(path)))
        tls = settings.mqtt.tls
        worker_name = (tls and name_by_certificate(tls.certificate)) or stack.enter_context(
            closing(Worker(settings.data_dir))
        ).name
        fleet = stack.enter_context(closing(Fleet(path)))
        gauging = stack.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix="gauges"))
        broker = BrokerFigures()
        watch.metrics.read("prices_waiting", figures.waiting)
        watch.metrics.read("machines_online", figures.online)
        disk = stack.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix="disk"))

        async def on_disk(write: Callable[[], None]) -> None:
            await loop.run_in_executor(disk, write)

        async with (
            Influx(settings.influx, watch=watch) as influx,
            Influx(settings.influx) as unwatched,  # gauges are no work of which readiness is told
            serving(settings.health.address, watch),
        ):
            ingest = Ingest(archive, influx, keeper, asyncio.sleep, on_disk, register.denied, watch)
            parts = (
                partial(publish_wanted, db=wanted),
                partial(follow, db=following, thread=plans),
                partial(send_commands, table=commands, wall_ns=time.time_ns),
                partial(publish_watermarks, books=books),
                partial(confirm_late, db=late),
                partial(write_figures, database=influx, books=books, counts=counts, wall_ns=time.time_ns),
            )
            desk = partial(keep_desk, seat=seat, parts=parts) if seat else None
            group = settings.share_group or figures.share_group()
            shared = [(f"$share/{group}/{topic.filter}", topic.qos) for topic in _SHARED]
            gauges = Gauges(fleet, settings.reports.zone, gauging, register.denied)
            stopping = asyncio.Event()

            def has_desk() -> bool:
                return seat is not None and seat.is_ours

            serve = asyncio.create_task(
                _side_by_side(
                    _serve(settings.mqtt, name, shared, ingest, desk, influx, watch, broker, stopping),
                    keep_rollups(rollups, dirty, influx, settings.reports.zone),
                    write_gauges(gauges, unwatched, has_desk, watch, time.time_ns),
                    write_process(
                        unwatched,
                        watch,
                        lambda: "desk" if has_desk() else worker_name,
                        broker,
                        time.time_ns,
                        dirty.oldest_ns,
                    ),
                )
            )

            def stop() -> None:
                stopping.set()
                serve.cancel()

            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop)
            async with supervised(Supervisor(os.environ.get(VARIABLE)), watch.is_stuck):
                with suppress(asyncio.CancelledError):
                    await serve
                _log.info("stopping")


async def _side_by_side(*parts: Coroutine[None, None, None]) -> None:
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(part)


async def _serve(
    settings: MqttSettings,
    name: str,
    shared: Sequence[tuple[str, int]],
    ingest: Ingest,
    desk: Desk | None,
    influx: Influx,
    watch: Watch,
    broker: BrokerFigures,
    stopping: asyncio.Event,
) -> None:
    await influx.create_database()
    rng = random.Random()  # noqa: S311  # jitter, not secrets
    pause_s = _BACKOFF_FIRST_S
    while True:
        try:
            async with Connection(settings, name, time.time_ns) as connection:
                for pattern, qos in shared:
                    await connection.subscribe(pattern, qos)
                watch.connected(lambda: connection.waiting)
                _log.info("connected to %s:%s", settings.host, settings.port)
                async with asyncio.TaskGroup() as group:
                    group.create_task(connection.lost())
                    group.create_task(_take_in(connection, ingest, watch, broker))
                    if desk is not None:
                        group.create_task(desk(connection))
                    pause_s = _BACKOFF_FIRST_S
        except* (MqttError, OSError) as trouble:
            cause = _cause(trouble)
            _log.warning("broker: %s; connecting again", cause)
            watch.disconnected(f"not connected: {cause}")
            broker.forget()
        if stopping.is_set():  # a group that is ending by trouble of its own forgets a cancellation
            return
        await asyncio.sleep(pause_s * rng.uniform(0.5, 1.0))
        pause_s = min(_BACKOFF_LIMIT_S, pause_s * 2)


def _cause(trouble: BaseException) -> BaseException:
    """The first of several, which all have the same one: the connection."""
    while isinstance(trouble, BaseExceptionGroup):
        trouble = trouble.exceptions[0]
    return trouble


async def _take_in(connection: Connection, ingest: Ingest, watch: Watch, broker: BrokerFigures) -> None:
    """The next batch gathers while one is brought home: large under load, and no waiting without."""
    while True:
        received = await connection.receive(_BATCH_MESSAGES, _BATCH_BYTES)
        batch = [m for m in received if not broker.hear(m.arrived.topic, m.arrived.payload)]
        if not batch:
            continue
        receipts = await ingest.process([m.arrived for m in batch], [m.properties for m in batch])
        for message in batch:
            connection.acknowledge(message)
        await asyncio.gather(*(_confirm(connection, watch, *receipt) for receipt in receipts))


async def _confirm(connection: Connection, watch: Watch, machine: str, receipt: Receipt) -> None:
    """A receipt that gets lost is no loss: the machine sends again, and is told again."""
    topic = topics.RECEIPT
    payload = codec.pack(receipt.model_dump())
    try:
        await connection.publish(
            topic.of(machine), payload, qos=topic.qos, retain=topic.retained, content_type=topic.codec.value
        )
    except (PublishRefusedError, MqttError) as error:
        watch.receipt(sent=False)
        fields = {"machine": machine, "epoch": receipt.epoch}
        _log.warning("receipt for %s not delivered: %s; it will ask again", machine, error, extra=fields)
    else:
        watch.receipt(sent=True)
