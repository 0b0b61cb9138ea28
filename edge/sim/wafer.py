"""The Wafer box's far end: bytes in, hex text out, on top of a virtual bus and without I/O.

The box tells blocks apart by the pause between them, so what comes at once is one block. It polls whoever is
on the bus by itself, and says nothing of a peripheral that is silent.
"""

from collections import deque
from math import inf

from edge.mdb.adapters.wafer import OWN_POLLS
from edge.mdb.frame import Ack, Block, Data, Silence, reply_to_wire
from edge.sim.bus import VirtualBus

OWN_POLL_INTERVAL_S = 0.125  # recommended 125 to 200 ms (MDB/ICP 4.2 appendix 3)


class SimWafer:
    def __init__(self, bus: VirtualBus, line_end: bytes = b"\r\n") -> None:
        self._bus = bus
        self._line_end = line_end
        self._own_poll_s = -inf
        self._unasked: deque[bytes] = deque()

    def say(self, line: bytes) -> None:
        """Send a line that nobody asked for, before the next answer."""
        self._unasked.append(line)

    def turn(self, data: bytes, now_s: float) -> bytes:
        lines = []
        while self._unasked:
            lines.append(self._unasked.popleft())
        if now_s >= self._own_poll_s:
            self._own_poll_s = now_s + OWN_POLL_INTERVAL_S
            lines += self._own_polls(now_s)
        if data:
            reply = self._bus.exchange(Block(data[0], data[1:]), now_s)
            if not isinstance(reply, Silence):
                lines.append(_text(reply_to_wire(reply)))
        return b"".join(line + self._line_end for line in lines)

    def _own_polls(self, now_s: float) -> list[bytes]:
        lines = []
        for address, poll in OWN_POLLS.items():
            match self._bus.exchange(poll, now_s):
                case Data(told):
                    lines.append(_text(bytes([address]) + told))
                case Ack() | Silence():
                    pass
        return lines


def _text(data: bytes) -> bytes:
    return data.hex(" ").upper().encode()
