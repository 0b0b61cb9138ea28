"""The bus thread: the one owner of the MDB adapter's serial port (MDB/ICP 4.2; edge/mdb/dialogue.py)."""

from collections.abc import Callable, Sequence

from edge.mdb.adapters.adapter import Adapter
from edge.mdb.dialogue import Dialogue
from edge.mdb.peripheral import Peripheral
from edge.sale.events import DriverEvent
from edge.serial_port import PortThread


def bus_thread(
    path: str,
    adapter: Adapter,
    peripherals: Sequence[Peripheral],
    emit: Callable[[DriverEvent], None],
    crashed: Callable[[Exception], None],
) -> PortThread:
    return PortThread("bus", path, Dialogue(adapter, peripherals), emit, crashed)
