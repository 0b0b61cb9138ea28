"""The one place that builds a machine: journal, core, threads and loop, and the order they end in.

Threads: `bus` owns the MDB adapter's port, `board` the motor board's, `keypad` that of a serial keypad where
there is one, `uplink` the broker connection; the main thread runs the loop and alone owns the sale and the
journal. `local` and `technician` serve a socket each, and a thread for each of their connections.
"""

import os
import queue
import random
import signal
from collections.abc import Callable
from importlib.metadata import version
from types import FrameType

from edge import disk, local_api
from edge.config import EdgeSettings
from edge.core import Core
from edge.fitted import board_link
from edge.identity.keeper import Keeper
from edge.keypad import KeypadLink, keypad_thread
from edge.lineage import WATERMARK_WAIT_S
from edge.link_events import Publish
from edge.local_server import LocalServer
from edge.loop import INBOX_EVENTS, Crashed, Inbox, Loop, Retention, Stop
from edge.mdb.adapters.known import ADAPTERS
from edge.mdb.bill.driver import BillValidator
from edge.mdb.bus import bus_thread
from edge.mdb.cashless.driver import CashlessReader
from edge.mdb.coin.driver import CoinChanger
from edge.mdb.dialogue import Dialogue
from edge.mdb.peripheral import Peripheral
from edge.mdb.recording import lines
from edge.motors.board import board_thread
from edge.sale.events import DriverEvent
from edge.serial_port import PortThread
from edge.status_file import StatusFile
from edge.store.journal import Journal
from edge.support_file import NAME, SupportFile
from edge.uplink import Uplink
from shared import money, topics
from shared.clock import SystemClock
from shared.supervisor import VARIABLE, Supervisor


def run(settings: EdgeSettings) -> bool:
    """Run the machine until SIGTERM or SIGINT, or until a command ends it to be started again (True). Raises
    JournalError when the journal cannot be used.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    settings.status_file.parent.mkdir(parents=True, exist_ok=True)
    inbox: Inbox = queue.Queue(INBOX_EVENTS)
    with Journal(settings.data_dir / "journal.db", settings.machine) as journal:
        dialogue = Dialogue(ADAPTERS[settings.adapter](), _peripherals(settings))

        def recording(now_s: float) -> tuple[str, ...]:
            return lines(dialogue.recent, now_s)

        core = Core(
            journal,
            settings.machine_setting(version("vendlink"), journal.claim_key),
            settings.slot_settings(),
            settings.price_list(),
            random.Random(),  # noqa: S311  # jitter, not secrets
            settings.clock_wait_s,
            settings.commands.authority(),
            WATERMARK_WAIT_S,
            recording,
            lambda: disk.free_mb(settings.data_dir),
        )
        crashed = _crash_poster(inbox)
        bus = bus_thread(settings.mdb_port, dialogue, inbox.put, crashed)
        board = board_thread(settings.board_port, board_link(settings), inbox.put, crashed)
        keeper = _keeper(settings)
        uplink = Uplink(settings.mqtt, settings.machine, lambda: _will(core), inbox.put, crashed, keeper)
        status = StatusFile(settings.status_file)
        retention = Retention(settings.keep_days, settings.keep_records)
        loop = Loop(
            core,
            inbox,
            bus,
            board,
            uplink,
            SystemClock(),
            settings.data_dir,
            status,
            retention,
            Supervisor(os.environ.get(VARIABLE)),
        )
        _stop_on_signals(inbox)
        threads: tuple[PortThread | Uplink, ...] = (
            bus,
            board,
            *_keypads(settings, inbox.put, crashed),
            uplink,
        )
        servers = _local_servers(settings, status, inbox, SupportFile(settings, recording))
        for server in servers:
            server.start()
        for thread in threads:
            thread.start()
        try:
            return loop.run()
        finally:
            for server in servers:
                server.stop()
            for thread in threads:
                thread.stop()


def _keeper(settings: EdgeSettings) -> Keeper | None:
    """Of a machine with a certificate."""
    tls = settings.mqtt.tls
    return None if tls is None else Keeper(tls, settings.machine, SystemClock().now)


def _peripherals(settings: EdgeSettings) -> list[Peripheral]:
    """Those that the settings say are fitted."""
    exponent = money.exponent(settings.currency)
    fitted: list[Peripheral] = [CoinChanger(exponent)]
    if settings.validator:
        fitted.append(BillValidator(exponent))
    return [*fitted, *(CashlessReader(reader, exponent) for reader in settings.readers)]


def _items(settings: EdgeSettings) -> dict[str, int]:
    return {slot.slot: slot.selection for slot in settings.slots}


def _keypads(
    settings: EdgeSettings, emit: Callable[[DriverEvent], None], crashed: Callable[[Exception], None]
) -> list[PortThread]:
    """The one that the settings name, or none."""
    if settings.keypad_port is None:
        return []
    link = KeypadLink(_items(settings), settings.keypad_baudrate)
    return [keypad_thread(settings.keypad_port, link, emit, crashed)]


def _local_servers(
    settings: EdgeSettings, status: StatusFile, inbox: Inbox, support: SupportFile
) -> tuple[LocalServer, ...]:
    screen = local_api.screen(status, inbox, _items(settings))
    technician = local_api.technician(inbox, support, settings.data_dir / NAME)
    return (
        LocalServer("local", settings.screen_socket, local_api.SCREEN_MODE, screen),
        LocalServer("technician", settings.technician_socket, local_api.TECHNICIAN_MODE, technician),
    )


def _will(core: Core) -> Publish:
    name = topics.STATUS.of(core.journal.machine)
    payload = core.status(online=False).model_dump_json().encode()
    return Publish(name, payload, topics.STATUS.qos, topics.STATUS.retained, topics.STATUS.codec.value)


def _crash_poster(inbox: Inbox) -> Callable[[BaseException], None]:
    def crashed(error: BaseException) -> None:
        inbox.put(Crashed(error))

    return crashed


def _stop_on_signals(inbox: Inbox) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        inbox.put_nowait(Stop())  # the main thread is the one that empties it: waiting here would never end

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
