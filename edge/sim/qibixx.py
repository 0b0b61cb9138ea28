"""The Qibixx adapter's far end: ASCII lines on top of a virtual bus, without I/O."""

import re
from collections import deque

from edge.mdb.frame import Ack, Block, Data, Reply, Silence
from edge.sim.bus import VirtualBus

VERSION = "v,4.0.2.0,16df464a3031340136313930"
_REQUEST = re.compile(r"R,([0-9A-F]{2})(?:,((?:[0-9A-F]{2})+))?")


class SimQibixx:
    """Master mode is off until `M,1`, and off again after `power_cycle`."""

    def __init__(self, bus: VirtualBus, line_end: bytes = b"\r\n") -> None:
        self._bus = bus
        self._line_end = line_end
        self._buffer = b""
        self._master = False
        self._unasked: deque[bytes] = deque()

    def say(self, line: bytes) -> None:
        """Send a line that nobody asked for, before the next answer."""
        self._unasked.append(line)

    def power_cycle(self) -> None:
        self._master = False

    def turn(self, data: bytes, now_s: float) -> bytes:
        self._buffer += data
        *lines, self._buffer = re.split(rb"[\r\n]+", self._buffer)
        out = b""
        while self._unasked:
            out += self._unasked.popleft() + self._line_end
        for line in lines:
            answer = self._answer(line.decode("ascii", errors="replace").upper(), now_s)
            if answer:
                out += answer.encode() + self._line_end
        return out

    def _answer(self, line: str, now_s: float) -> str:
        if line == "V":
            return VERSION
        if line in {"M,0", "M,1"}:
            self._master = line == "M,1"
            return "m,ACK"
        if line.startswith("F,RESPTIMEOUT,"):
            return "f,ACK"
        if match := _REQUEST.fullmatch(line):
            if not self._master:
                return "p,NACK"
            block = Block(int(match[1], 16), bytes.fromhex(match[2] or ""))
            return _line(self._bus.exchange(block, now_s))
        return ""


def _line(reply: Reply) -> str:
    match reply:
        case Ack():
            return "p,ACK"
        case Silence():
            return "p,NACK"
        case Data(data):
            return f"p,{data.hex()}"
