"""The bus thread: the one owner of the MDB adapter's serial port (MDB/ICP 4.2; edge/mdb/dialogue.py)."""

from collections.abc import Callable

from edge.mdb.dialogue import Dialogue
from edge.sale.events import DriverEvent
from edge.serial_port import PortThread


def bus_thread(
    path: str,
    dialogue: Dialogue,
    emit: Callable[[DriverEvent], None],
    crashed: Callable[[Exception], None],
) -> PortThread:
    return PortThread("bus", path, dialogue, emit, crashed)
