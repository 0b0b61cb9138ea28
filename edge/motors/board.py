"""Motor boards: the contract of their links, and the thread that owns the board's port.

What every link owes the sale (tests/edge/motors/test_board.py holds each to it):

- BoardReady once the board answers; BoardLost when it does not any more, or never did within a few seconds.
  Both may come at any time, also in a run. A link that is not ready starts no motor.
- RunMotor ends with exactly one VendEnded of its slot within 16 s; or with nothing, when nobody can say what
  the motor did: the board was lost in the run, or a command or a drop may have been missed.
- NOT_STARTED is certain: the motor was not asked to move. It is what RunMotor gets while the board is not
  ready, while another run is under way, for a slot that the board does not have, and for a motor that must
  not start (a DeviceFault then says why). After a run without an end it may be what others get for 15 s.
- A VendEnded that nobody asked this process for is the end of a run of the process before, told by a board
  that remembers. No run is ever started twice.
- SlotSelected comes from boards with a keypad. DeviceFault and DeviceFaultCleared name the device "board".
- A board that watches the door tells it soon after BoardReady, each time, and when it changes; one that
  measures the temperature tells it every few seconds, and nothing while it is not sure.
- Bytes that are garbled, split, late or repeated cost time, and at worst a run's end; never a second product.
"""

from collections.abc import Callable
from typing import Protocol

from edge.sale.events import DriverEvent
from edge.serial_port import Link, PortThread


class BoardLink(Link, Protocol):
    """A link that keeps the contract above."""


def board_thread(
    path: str,
    link: BoardLink,
    emit: Callable[[DriverEvent], None],
    crashed: Callable[[Exception], None],
) -> PortThread:
    return PortThread("board", path, link, emit, crashed)
