"""The board thread: the one owner of the motor board's serial port (XY V3.0; edge/motors/xy.py)."""

from collections.abc import Callable, Mapping

from edge.motors.xy import XyLink
from edge.sale.events import DriverEvent
from edge.serial_port import PortThread


def board_thread(
    path: str,
    selections: Mapping[str, int],
    emit: Callable[[DriverEvent], None],
    crashed: Callable[[Exception], None],
) -> PortThread:
    """selections: the board's selection number of each slot."""
    return PortThread("board", path, XyLink(selections), emit, crashed)
