"""The one place that builds the cloud process: ingest, desk, rollups and gauges.

One thread, `disk`, does all writing of archive and ingest store; another, `plans`, lets messages follow from
plans; a third, `gauges`, looks at the fleet; the event loop does the rest.
"""

import asyncio
import logging
import os
import secrets
import signal
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from typing import Any, Final, Protocol, TypeVar

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
from cloud.publisher import follow, publish_wanted
from cloud.rollups.dirty import DirtyHours
from cloud.rollups.work import SEAT, keep_rollups
from cloud.service import Desk, Service
from cloud.store import Store
from cloud.supervised import supervised
from cloud.watch import Watch
from cloud.watermarks import publish_watermarks
from shared import topics
from shared.supervisor import VARIABLE, Supervisor

_log = logging.getLogger(__name__)
_NAME: Final = topics.CLOUD_USER
# Shared out among all processes. Retained messages do not reach shared subscriptions: those are the desk's.
_SHARED: Final = [topic for topic in topics.heard_by(_NAME) if not topic.retained]


class _Closable(Protocol):
    def close(self) -> object: ...


_Opened = TypeVar("_Opened", bound=_Closable)


class _Process:
    """What this process has open until it ends, and its parts made of that.

    A thread is made after all that it uses: what was made last is closed first.
    """

    def __init__(self, settings: CloudSettings, stack: ExitStack, *, worker: bool) -> None:
        self._settings = settings
        self._stack = stack
        self._path = settings.data_dir / "store.db"
        self.watch = Watch()
        self.broker = BrokerFigures()
        self.register = self._open(Register(self._path))
        self.store = self._open(Store(self._path))
        self.seat = None if worker else self._open(Seat(settings.data_dir / "desk.lock"))
        self.watch.metrics.read("prices_waiting", self.store.waiting)
        self.watch.metrics.read("machines_online", self.store.online)

    def _open(self, opened: _Opened) -> _Opened:
        return self._stack.enter_context(closing(opened))

    def _thread(self, name: str) -> Executor:
        return self._stack.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix=name))

    def has_desk(self) -> bool:
        return self.seat is not None and self.seat.is_ours

    def service(self, influx: Influx, stopping: asyncio.Event) -> Service:
        """Two processes of one name would push each other out for ever."""
        settings, name = self._settings, f"{_NAME}-{secrets.token_hex(4)}"
        folder = settings.data_dir / "archive"
        folder.mkdir(parents=True, exist_ok=True)
        archive = self._open(Archive(folder, name, time.time_ns(), watch=self.watch))
        keeper = self._open(Store(self._path))
        disk, loop = self._thread("disk"), asyncio.get_running_loop()

        async def on_disk(write: Callable[[], None]) -> None:
            await loop.run_in_executor(disk, write)

        ingest = Ingest(archive, influx, keeper, asyncio.sleep, on_disk, self.register.denied, self.watch)
        group = settings.share_group or self.store.share_group()
        filters = [(f"$share/{group}/{topic.filter}", topic.qos) for topic in _SHARED]
        desk = self._desk(influx)
        return Service(settings.mqtt, name, filters, ingest, desk, self.watch, self.broker, stopping)

    def _desk(self, influx: Influx) -> Desk | None:
        if self.seat is None:
            return None
        path = self._path
        books, counts = self._open(Books(path)), self._open(Counts(path))
        commands = self._open(CommandTable(path))
        parts = (
            partial(publish_wanted, db=self._open(connect(path))),
            partial(follow, db=self._open(connect(path)), thread=self._thread("plans")),
            partial(send_commands, table=commands, wall_ns=time.time_ns),
            partial(publish_watermarks, books=books),
            partial(confirm_late, db=self._open(connect(path))),
            partial(write_figures, database=influx, books=books, counts=counts, wall_ns=time.time_ns),
        )
        return partial(keep_desk, seat=self.seat, parts=parts)

    def figures(self, influx: Influx, unwatched: Influx) -> list[Coroutine[Any, Any, None]]:
        """What is written beside the records, whether there is a broker or not."""
        settings, zone = self._settings, self._settings.reports.zone
        dirty = self._open(DirtyHours(self._path))
        fleet = self._open(Fleet(self._path))
        gauges = Gauges(fleet, zone, self._thread("gauges"), self.register.denied)
        seat = self._open(Seat(settings.data_dir / SEAT))
        return [
            keep_rollups(seat, dirty, influx, zone),
            write_gauges(gauges, unwatched, self.has_desk, self.watch, time.time_ns),
            write_process(unwatched, self.watch, self._named(), self.broker, time.time_ns, dirty.oldest_ns),
        ]

    def _named(self) -> Callable[[], str]:
        tls = self._settings.mqtt.tls
        name = tls and name_by_certificate(tls.certificate)
        worker = name or self._open(Worker(self._settings.data_dir)).name
        return lambda: "desk" if self.has_desk() else worker


async def run(settings: CloudSettings, *, worker: bool = False) -> None:
    """Until SIGTERM or SIGINT. A worker never takes the desk.

    Raises StoreError when another version wrote the store, SettingsError for a health address that is taken.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    make(settings.data_dir / "store.db")
    with ExitStack() as stack:
        process = _Process(settings, stack, worker=worker)
        watch = process.watch
        async with (
            Influx(settings.influx, watch=watch) as influx,
            Influx(settings.influx) as unwatched,  # gauges are no work of which readiness is told
            serving(settings.health.address, watch),
        ):
            stopping = asyncio.Event()
            service = process.service(influx, stopping)
            figures = process.figures(influx, unwatched)

            async def work() -> None:
                async with asyncio.TaskGroup() as group:
                    for part in (_take_in(influx, service), *figures):
                        group.create_task(part)

            working = asyncio.create_task(work())

            def stop() -> None:
                stopping.set()
                working.cancel()

            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop)
            async with supervised(Supervisor(os.environ.get(VARIABLE)), watch.is_stuck):
                with suppress(asyncio.CancelledError):
                    await working
                _log.info("stopping")


async def _take_in(influx: Influx, service: Service) -> None:
    await influx.create_database()
    await service.run()
