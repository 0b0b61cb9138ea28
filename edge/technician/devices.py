"""Ports, adapter, peripherals and motor board of a stopped machine: is each there, and who is it?

Peripherals are asked who they are and what they hold, and never polled where the reply could be money: what a
changer or validator took and has not told yet is still there when the machine starts. A reader may answer
only to polls; what it tells them is void anyway, as the machine resets it at its start.
"""

import errno
import queue
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edge.config import EdgeSettings
from edge.fitted import board_link
from edge.mdb.adapters.known import ADAPTERS
from edge.mdb.adapters.wafer import OWN_POLLS
from edge.mdb.bill import codes as bill_codes
from edge.mdb.bill import recycler_codes
from edge.mdb.cashless.blocks import ADDRESSES, Blocks
from edge.mdb.cashless.codes import Code
from edge.mdb.coin import codes as coin_codes
from edge.mdb.coin import expansion as coin_expansion
from edge.mdb.frame import Address, Block, Data, Reply, Silence
from edge.motors.board import board_thread
from edge.sale.events import BoardLost, BoardReady, DeviceFault, DriverEvent
from edge.serial_port import PORT_TROUBLE, PortThread, open_port
from edge.technician.check import Check, ok, trouble, warning
from edge.technician.mdb_words import DEVICES, reply_words
from edge.technician.questions import Script, ask
from edge.technician.words import spoken

TRIES: Final = 3
READER_POLLS: Final = 20
BOARD_LIMIT_S: Final = 10.0
_JOIN_LIMIT_S: Final = 5.0


def devices(settings: EdgeSettings) -> list[Check]:
    """All of it, one port after the other. The machine must be stopped."""
    found: list[Check] = []
    mdb = _port("mdb_port", settings.mdb_port, ADAPTERS[settings.adapter]().baudrate)
    found.append(mdb)
    if mdb.level == "ok":
        found += _peripherals(settings)
    board = _port("board_port", settings.board_port, board_link(settings).baudrate)
    found.append(board)
    if board.level == "ok":
        found.append(_board(settings))
    return found


# --- ports ------------------------------------------------------------------------------------------------

_DENIED: Final = ("denied", "add the machine's user to the group dialout, or ask with sudo")
_BUSY: Final = ("busy", "another program has it open: stop that one")
_PORT_TROUBLES: Final = {
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EAGAIN: _BUSY,
    errno.EBUSY: _BUSY,
    errno.ENOENT: ("missing", "plug it in; `ls -l /dev/serial/by-id` shows what is there"),
}
_UNUSABLE: Final = ("unusable", "name a serial port in the settings")


def _port(setting: str, path: str, baudrate: int) -> Check:
    try:
        open_port(path, baudrate).close()
    except PORT_TROUBLE as error:
        code, todo = _PORT_TROUBLES.get(error.args[0], _UNUSABLE)
        return trouble(f"{setting}_{code}", f"{path} cannot be opened: {error}", todo)
    real = Path(path).resolve()
    return ok(setting, path if str(real) == path else f"{path} ({real})")


# --- the MDB bus ------------------------------------------------------------------------------------------


def _peripherals(settings: EdgeSettings) -> list[Check]:
    scripts: dict[int, Script] = {Address.CHANGER: _changer()}
    if settings.validator:
        scripts[Address.VALIDATOR] = _validator()
    scripts |= {ADDRESSES[number]: _reader(ADDRESSES[number]) for number in settings.readers}
    heard = ask(settings.mdb_port, ADAPTERS[settings.adapter](), scripts)
    if heard.lost:
        words = f"the {settings.adapter} adapter does not answer ({spoken(heard.lost)})"
        return [trouble("adapter", words, "check its power and the setting `adapter`")]
    firmware = f", firmware {heard.version}" if heard.version else ""
    found = [ok("adapter", f"{settings.adapter}{firmware}")]
    for address in scripts:
        name = DEVICES[address]
        code, said = name.replace(" ", "_"), heard.found[address]
        if said:
            found.append(ok(code, "; ".join(said)))
        else:
            todo = "check its plug and its power, and whether it is fitted at all"
            found.append(trouble(code, f"the {name} does not answer", todo))
    for address, data in heard.told:
        words = f"the {DEVICES[address]} told meanwhile: {reply_words(OWN_POLLS[address], Data(data))}"
        found.append(warning("told_meanwhile", words, "money among it is credited to nobody: give it back"))
    return found


def _asked(block: Block) -> Generator[Block, Reply, Reply]:
    """The answer to a question that changes nothing, and may therefore be repeated."""
    reply: Reply = Silence()
    for _ in range(TRIES):
        reply = yield block
        if not isinstance(reply, Silence):
            break
    return reply


def _changer() -> Script:
    setup = yield from _asked(coin_codes.SETUP)
    if isinstance(setup, Silence):
        return []
    tubes = yield from _asked(coin_codes.TUBE_STATUS)
    words = [reply_words(coin_codes.SETUP, setup), reply_words(coin_codes.TUBE_STATUS, tubes)]
    if isinstance(setup, Data) and setup.data[0] >= 3:
        who = yield from _asked(coin_expansion.IDENTIFICATION)
        words.append(reply_words(coin_expansion.IDENTIFICATION, who))
    return words


def _validator() -> Script:
    setup = yield from _asked(bill_codes.SETUP)
    if isinstance(setup, Silence):
        return []
    stacker = yield from _asked(bill_codes.STACKER)
    identify = recycler_codes.identify(setup.data[0] if isinstance(setup, Data) else 1)
    who = yield from _asked(identify)
    questions = ((bill_codes.SETUP, setup), (bill_codes.STACKER, stacker), (identify, who))
    return [reply_words(block, reply) for block, reply in questions]


_LEFT_ON: Final = "was left enabled; it begins anew when the machine starts"


def _reader(address: Address) -> Script:
    blocks = Blocks(address)
    reply = yield from _asked(blocks.setup)
    said: list[str] = []
    for _ in range(READER_POLLS):
        if isinstance(reply, Data):
            # The machine leaves a reader enabled when it ends, and an enabled reader takes no SETUP (§7.2).
            left_on = Code.OUT_OF_SEQUENCE in reply.data[:1]
            said.append(_LEFT_ON if left_on else reply_words(blocks.poll, reply))
            break
        if isinstance(reply, Silence) and not said:
            return []
        said = said or ["answers"]
        reply = yield blocks.poll
    return said


# --- the motor board --------------------------------------------------------------------------------------

Told = queue.SimpleQueue[DriverEvent | Exception]  # what the board's thread says


@contextmanager
def board(
    settings: EdgeSettings,
) -> Iterator[tuple[PortThread, Told]]:
    """The board's port thread, running, and what it tells."""
    told = Told()
    thread = board_thread(settings.board_port, board_link(settings), told.put, told.put)
    thread.start()
    try:
        yield thread, told
    finally:
        thread.stop()
        thread.join(_JOIN_LIMIT_S)


def ready(told: Told) -> Sequence[DriverEvent]:
    """What the board told, its first BoardReady or BoardLost last; empty if neither came."""
    events: list[DriverEvent] = []
    while not events or not isinstance(events[-1], BoardReady | BoardLost):
        try:
            event = told.get(timeout=BOARD_LIMIT_S)
        except queue.Empty:
            return []
        if isinstance(event, Exception):
            raise event
        events.append(event)
    return events


def _board(settings: EdgeSettings) -> Check:
    with board(settings) as (_, told):
        events = ready(told)
    faults = [spoken(event.code) for event in events if isinstance(event, DeviceFault)]
    if events and isinstance(events[-1], BoardReady) and not faults:
        return ok("board", f"the {settings.board} board answers")
    last = events[-1] if events else None
    reasons = [*faults, *([spoken(last.reason)] if isinstance(last, BoardLost) else [])]
    words = f"the {settings.board} board is not ready ({', '.join(reasons) or 'no word of it'})"
    return trouble("board", words, "check its power, its wiring and the setting `board`")
