"""`vend-edge bench`: one MDB block, one motor, one recording. Block and motor need the machine stopped.

Nothing that happens here is booked: coins that a block pays out, and products that a motor drops, are missing
in the records. The machine finds the coins by their tubes; the product is for a technician to put back.
"""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Final

from edge.config import EdgeSettings
from edge.mdb.adapters.known import ADAPTERS
from edge.mdb.frame import MAX_BLOCK_BYTES, Block, Data
from edge.sale.effects import RunMotor
from edge.sale.events import BoardLost, BoardReady, DeviceFault, VendEnded, VendResult
from edge.store.journal import JournalError
from edge.store.reader import JournalInUse, stopped
from edge.technician.decode import decode
from edge.technician.devices import Told, board, ready
from edge.technician.mdb_words import block_words, reply_words
from edge.technician.questions import Script, ask
from edge.technician.trouble import EXIT_JOURNAL, EXIT_RUNNING, EXIT_SETTINGS, CommandError
from edge.technician.words import FAILURES, spoken

RUN_LIMIT_S: Final = 20.0  # a board gives up after 16 s
MAX_RECORDING_BYTES: Final = 8 * 1024 * 1024


@contextmanager
def bench(settings: EdgeSettings) -> Iterator[None]:
    """The machine is stopped, and stays so. Raises CommandError when it runs."""
    try:
        with stopped(settings.data_dir):
            yield
    except JournalInUse:
        raise CommandError(
            "the machine is running and its ports are its own: stop it first, start it when you are done",
            EXIT_RUNNING,
        ) from None
    except JournalError as error:
        raise CommandError(str(error), EXIT_JOURNAL) from None


def block_of(text: str) -> Block:
    """A block typed as hex digits, without its check byte. Raises CommandError."""
    try:
        body = bytes.fromhex(text)
    except ValueError:
        body = b""
    if not 0 < len(body) < MAX_BLOCK_BYTES:
        raise CommandError(
            f"{text!r}: write 1 to {MAX_BLOCK_BYTES - 1} bytes as hex digits without the check byte, "
            "such as 0B or 0D23",
            EXIT_SETTINGS,
        )
    return Block(body[0], body[1:])


def command(settings: EdgeSettings, block: Block) -> str:
    """Send the block once, whatever becomes of it, and say what was answered."""

    def once() -> Script:
        reply = yield block
        data = f"  {reply.data.hex(' ').upper()}" if isinstance(reply, Data) else ""
        return [f"ask     {block_words(block)}", f"answer  {reply_words(block, reply)}{data}"]

    with bench(settings):
        heard = ask(settings.mdb_port, ADAPTERS[settings.adapter](), {block.address: once()})
    if heard.lost:
        raise CommandError(f"the adapter at {settings.mdb_port} was lost: {spoken(heard.lost)}")
    return "\n".join(heard.found[block.address])


def motor(settings: EdgeSettings, slot: str) -> tuple[VendResult | None, str]:
    """Run one motor once: how it ended (None: nobody knows), and that in words."""
    if slot not in {row.slot for row in settings.slots}:
        slots = " ".join(row.slot for row in settings.slots)
        raise CommandError(f"{slot} is no slot of this machine: {slots}", EXIT_SETTINGS)
    with bench(settings), board(settings) as (thread, told):
        events = ready(told)
        if not events or not isinstance(events[-1], BoardReady):
            last = events[-1] if events else None
            reason = spoken(last.reason) if isinstance(last, BoardLost) else "silent"
            raise CommandError(f"the board at {settings.board_port} is not ready: {reason}")
        thread.submit(RunMotor(slot))
        return _ended(slot, told)


def _ended(slot: str, told: Told) -> tuple[VendResult | None, str]:
    began_s = monotonic()
    faults = ""
    while (left_s := began_s + RUN_LIMIT_S - monotonic()) > 0:
        try:
            event = told.get(timeout=left_s)
        except queue.Empty:
            break
        match event:
            case Exception():
                raise event
            case VendEnded(ended, result) if ended == slot:
                words = FAILURES.get(result, "delivered")
                return result, f"{slot}: {words} ({result.value}) after {monotonic() - began_s:.1f} s{faults}"
            case DeviceFault(code=code):
                faults += f", {spoken(code)}"
            case BoardLost(reason):
                faults += f", the board was lost: {spoken(reason)}"
                break
            case _:
                pass
    return None, f"{slot}: nobody knows whether it delivered{faults}"


def recording(path: Path) -> Iterator[str]:
    """A recording's lines. Raises CommandError for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_RECORDING_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", EXIT_SETTINGS) from None
    if len(data) > MAX_RECORDING_BYTES:
        raise CommandError(f"{path} is larger than {MAX_RECORDING_BYTES} bytes; cut it", EXIT_SETTINGS)
    for line in decode(data):
        yield f"{line.offset:>8}  {line.protocol or '?':6}  {line.raw.hex(' ').upper():47}  {line.text}"
