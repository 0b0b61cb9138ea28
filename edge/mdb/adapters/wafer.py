r"""Wafer "MDB-RS232" box: blocks as bytes, answers as hex text (adapter contract: adapter.py).

Of the adapters that are known beside the Qibixx this is the one that carries any block and acknowledges the
peripheral by itself. The vendingtools.ro master leaves the acknowledgement, due within 5 ms, and a handshake
for each frame to the host; the a-milek board knows a few commands of its own and no blocks.

A block goes out as its bare bytes, without check byte. Its answer is a line of hex digits with the check
byte; `00` is the acknowledgement. The box also polls by itself and says what it heard in a line of device id
and data without check byte: `08 51 00`. Both kinds may come at any time. Where a line reads both ways it is
an answer only if one with data is awaited, and not that of a POLL: an answer that is missed is asked for
again, a coin that is missed is lost.

What is known of the maker's manual leaves open what follows. The file assumes it; check it on the box.
- Spaces between the digits may be left out. Line ends are CR, LF or both; a box that sends none is not heard.
- There are no words for trouble: of a peripheral that is silent the box says nothing, or `FF`.
- The box has no question of its own, so there is no start step and only time ends the wait for an answer.
- A POLL is sent like any block. Its answer shows that the peripheral is there, and tells a repetition.
"""

from contextlib import suppress
from typing import Final

from edge.mdb.adapters.adapter import AdapterValue, BlockAnswer, Noise, Pushed, StartStep
from edge.mdb.adapters.lines import Lines
from edge.mdb.frame import MAX_BLOCK_BYTES, BadBlockError, Block, reply_from_wire

MAX_LINE_BYTES: Final = 3 * (MAX_BLOCK_BYTES + 1)  # two digits and a space for each byte, and the device id
OWN_POLLS: Final = {poll.address: poll for poll in (Block(0x0B), Block(0x33), Block(0x12))}


class WaferAdapter:
    baudrate = 9600
    start_steps: tuple[StartStep, ...] = ()
    # The longest line takes 0.12 s. Two of the box's own may be before it, and peripherals that it waits for.
    answer_timeout_s = 1.0

    def __init__(self) -> None:
        self._lines = Lines(MAX_LINE_BYTES)
        self._awaited: Block | None = None

    def encode(self, block: Block) -> bytes:
        self._awaited = block
        return bytes([block.head]) + block.data

    def forget(self) -> None:
        self._lines.forget()
        self._awaited = None

    def feed(self, data: bytes) -> list[AdapterValue]:
        return [self._decode(line) for line in self._lines.feed(data)]

    def _decode(self, line: bytes) -> AdapterValue:
        try:
            said = bytes.fromhex(line.decode("ascii"))
        except ValueError:  # a UnicodeDecodeError is one
            return Noise(line)
        from_device = 1 < len(said) <= MAX_BLOCK_BYTES and said[0] in OWN_POLLS
        data_awaited = self._awaited is not None and self._awaited not in OWN_POLLS.values()
        if said and (data_awaited or not from_device):
            with suppress(BadBlockError):
                reply = reply_from_wire(said)
                self._awaited = None
                return BlockAnswer(reply)
        return Pushed(said[0], said[1:]) if from_device else Noise(line)
