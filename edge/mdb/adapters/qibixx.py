r"""Qibixx MDB-USB and MDB Pi HAT as generic MDB master: ASCII lines (adapter contract: adapter.py).

`R,<cmd>[,<data>]` sends a block and is answered by one `p,` line; the adapter adds and checks the check byte,
handles the mode bit and acknowledges the peripheral. `p,NACK` is a silent peripheral. Lines that nobody asked
for (`d,` `c,` `x,`) may come at any time. Line ends and the case of hex digits vary with the firmware.
"""

import re

from edge.mdb.adapters.adapter import AdapterValue, BlockAnswer, Noise, StartAnswer, StartStep
from edge.mdb.adapters.lines import Lines
from edge.mdb.frame import MAX_BLOCK_BYTES, Ack, Block, Data, Reply, Silence

RESPONSE_TIMEOUT_MS = 20  # what receivers have to tolerate (MDB/ICP 4.2 §3.2, appendix 3)
USB_MARGIN_MS = 100  # the adapter's own work and two ways through USB
MAX_LINE_BYTES = 160  # the longest answer is `p,` and 70 digits; sniffer lines are longer

START_STEPS = (
    # The leading line end finishes whatever a killed process left half sent.
    StartStep("v", b"\nV\n"),
    StartStep("m", b"M,1\n"),
    StartStep("f", b"F,RESPTIMEOUT,%d\n" % RESPONSE_TIMEOUT_MS),
)
_ACKNOWLEDGED = {"m,ack": StartAnswer("m", ok=True), "f,ack": StartAnswer("f", ok=True)}
_REFUSED = {"m,nack": StartAnswer("m", ok=False), "f,nack": StartAnswer("f", ok=False)}
_LINES: dict[str, AdapterValue] = {
    **_ACKNOWLEDGED,
    **_REFUSED,
    "p,ack": BlockAnswer(Ack()),
    "p,nack": BlockAnswer(Silence()),
}
_VERSION = re.compile(r"v,[\w.]+(,[0-9a-f]*)?")
_DATA = re.compile(r"p,((?:[0-9a-f]{2})+)")


class QibixxAdapter:
    baudrate = 115200
    start_steps = START_STEPS
    answer_timeout_s = (RESPONSE_TIMEOUT_MS + USB_MARGIN_MS) / 1000

    def __init__(self) -> None:
        self._lines = Lines(MAX_LINE_BYTES)

    def encode(self, block: Block) -> bytes:
        data = f",{block.data.hex().upper()}" if block.data else ""
        return f"R,{block.head:02X}{data}\n".encode()

    def forget(self) -> None:
        self._lines.forget()

    def feed(self, data: bytes) -> list[AdapterValue]:
        return [_decode(line) for line in self._lines.feed(data)]


def _decode(line: bytes) -> AdapterValue:
    text = line.decode("ascii", errors="replace").strip().lower()
    if text in _LINES:
        return _LINES[text]
    if match := _DATA.fullmatch(text):
        data = bytes.fromhex(match[1])
        if len(data) < MAX_BLOCK_BYTES:
            reply: Reply = Data(data)
            return BlockAnswer(reply)
    if _VERSION.fullmatch(text):
        return StartAnswer("v", ok=True)
    return Noise(line)
