"""The one place that builds a machine: journal, core, threads and loop, and the order they end in.

Threads: `bus` owns the MDB adapter's port, `board` the motor board's, `uplink` the broker connection; the
main thread runs the loop and alone owns the sale and the journal.
"""

import queue
import random
import signal
from collections.abc import Callable, Mapping
from importlib.metadata import version
from types import FrameType

from edge.config import EdgeSettings
from edge.core import Core, Publish
from edge.loop import INBOX_EVENTS, Crashed, Inbox, Loop, Retention, Stop
from edge.mdb.adapters import ADAPTERS
from edge.mdb.bill import BillValidator
from edge.mdb.bus import bus_thread
from edge.mdb.cashless import CashlessReader
from edge.mdb.coin import CoinChanger
from edge.mdb.peripheral import Peripheral
from edge.motors.board import BoardLink, board_thread
from edge.motors.modbus import ModbusLink
from edge.motors.modbus_rest import Wiring
from edge.motors.xy import XyLink
from edge.store.journal import Journal
from edge.uplink import Uplink
from shared import money, topics
from shared.clock import SystemClock


def run(settings: EdgeSettings) -> None:
    """Run the machine until SIGTERM or SIGINT. Raises JournalError when the journal cannot be used."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    settings.status_file.parent.mkdir(parents=True, exist_ok=True)
    inbox: Inbox = queue.Queue(INBOX_EVENTS)
    with Journal(settings.data_dir / "journal.db", settings.machine) as journal:
        core = Core(
            journal,
            settings.machine_setting(version("vendlink"), journal.claim_key),
            settings.slot_settings(),
            settings.price_list(),
            random.Random(),  # noqa: S311  # jitter, not secrets
            settings.clock_wait_s,
        )
        crashed = _crash_poster(inbox)
        adapter = ADAPTERS[settings.adapter]()
        bus = bus_thread(settings.mdb_port, adapter, _peripherals(settings), inbox.put, crashed)
        selections = {slot.slot: slot.selection for slot in settings.slots}
        board = board_thread(settings.board_port, _board_link(settings, selections), inbox.put, crashed)
        uplink = Uplink(settings.mqtt, settings.machine, lambda: _will(core), inbox.put, crashed)
        retention = Retention(settings.keep_days, settings.keep_records)
        loop = Loop(
            core,
            inbox,
            bus,
            board,
            uplink,
            SystemClock(),
            settings.data_dir,
            settings.status_file,
            retention,
        )
        _stop_on_signals(inbox)
        threads = (bus, board, uplink)
        for thread in threads:
            thread.start()
        try:
            loop.run()
        finally:
            for thread in threads:
                thread.stop()


def _peripherals(settings: EdgeSettings) -> list[Peripheral]:
    """Those that the settings say are fitted."""
    exponent = money.exponent(settings.currency)
    fitted: list[Peripheral] = [CoinChanger(exponent)]
    if settings.validator:
        fitted.append(BillValidator(exponent))
    return [*fitted, *(CashlessReader(reader, exponent) for reader in settings.readers)]


def _board_link(settings: EdgeSettings, selections: Mapping[str, int]) -> BoardLink:
    if settings.board == "xy":
        return XyLink(selections, **settings.xy.model_dump())
    return ModbusLink(selections, Wiring(**settings.modbus.model_dump()))


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
