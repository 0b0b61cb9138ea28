"""Frames and tables of the XY (XingYuan) board link, protocol "VMC - upper computer" V3.0.

Frame: FA FB, command, length, text, xor of everything before. The text of all but POLL and ACK begins with a
packet number. The document prints wrong lengths for some commands, so the length received is what counts. It
does not say the byte order of selections; its examples read as big-endian.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from operator import xor

from edge.sale.events import VendResult

START = b"\xfa\xfb"
HEAD_BYTES = 4
# A whole frame takes 45 ms at most; what is incomplete after this long began with noise or lost its end.
FRAME_LIMIT_S = 0.100


class Command(IntEnum):
    """Commands that this link understands or sends."""

    STATUS = 0x04
    SELECTED = 0x05
    DRIVE = 0x06
    SYNC = 0x31
    POLL = 0x41
    ACK = 0x42
    ASK_MACHINE = 0x51
    MACHINE = 0x52


NUMBERLESS = {Command.POLL, Command.ACK}
DROP_SENSOR_ON = 1
LIFT_OFF = 0

# Second byte of a STATUS text: what it says about the motor run that was asked for.
PROGRESS = {0x01: "dispensing", 0x10: "lift_up", 0x11: "lift_down"}
RESULTS = {
    0x02: VendResult.DELIVERED,
    0x03: VendResult.JAMMED,
    0x04: VendResult.MOTOR_STUCK,
    0x06: VendResult.MOTOR_MISSING,
    0x07: VendResult.LIFT_ERROR,
    0x12: VendResult.LIFT_ERROR,
    0x13: VendResult.LIFT_ERROR,
    0xFF: VendResult.ABORTED,
}


@dataclass(frozen=True, slots=True)
class Frame:
    command: int
    text: bytes = b""  # with the packet number, where there is one


def encode(frame: Frame) -> bytes:
    body = START + bytes([frame.command, len(frame.text)]) + frame.text
    return body + bytes([reduce(xor, body)])


POLL = encode(Frame(Command.POLL))
ACK = encode(Frame(Command.ACK))


def drive(number: int, selection: int) -> Frame:
    text = bytes([number, DROP_SENSOR_ON, LIFT_OFF]) + selection.to_bytes(2, "big")
    return Frame(Command.DRIVE, text)


def sync(number: int) -> Frame:
    return Frame(Command.SYNC, bytes([number]))


def ask_machine(number: int) -> Frame:
    return Frame(Command.ASK_MACHINE, bytes([number]))


def next_number(number: int) -> int:
    """Packet numbers run from 1 to 255."""
    return number % 255 + 1


class Decoder:
    """Bytes in, frames out; noise is skipped and counted, the buffer never holds more than one frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fed_s = 0.0
        self.skipped_bytes = 0

    def feed(self, data: bytes, now_s: float) -> list[Frame]:
        frames: list[Frame] = []
        if self._buffer and now_s - self._fed_s > FRAME_LIMIT_S:
            self._skip(1)  # what it waited for will not come: look for a frame inside
            frames += self._frames()
        if data:
            self._fed_s = now_s
            self._buffer += data
        return frames + self._frames()

    def forget(self) -> None:
        self._buffer.clear()

    def _frames(self) -> list[Frame]:
        frames: list[Frame] = []
        while True:
            start = self._buffer.find(START)
            if start < 0:
                start = len(self._buffer) - self._buffer.endswith(START[:1])
            self._skip(start)
            if len(self._buffer) <= HEAD_BYTES:
                return frames
            size = HEAD_BYTES + self._buffer[3] + 1
            if len(self._buffer) < size:
                return frames
            if reduce(xor, self._buffer[: size - 1]) != self._buffer[size - 1]:
                self._skip(1)
                continue
            frames.append(Frame(self._buffer[2], bytes(self._buffer[HEAD_BYTES : size - 1])))
            del self._buffer[:size]

    def _skip(self, count: int) -> None:
        self.skipped_bytes += count
        del self._buffer[:count]
