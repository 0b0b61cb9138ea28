"""A serial recording in readable lines: what a Qibixx adapter, an XY or a Modbus board said or heard. Pure.

The recording is the bytes themselves, or text with hex digits in its lines: digits in pairs, spaces and a `#`
comment allowed. No line says which way it went; a question and its answer are told apart by their form.
Frames are found by their check bytes wherever they stand; what is none is shown as bytes, never left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pymodbus.framer import FramerRTU

from edge.mdb.adapters.adapter import BlockAnswer, Noise, StartAnswer
from edge.mdb.adapters.qibixx import QibixxAdapter
from edge.mdb.frame import Block, Reply
from edge.motors import modbus_codes, xy_codes
from edge.technician.mdb_words import block_words, reply_words
from edge.technician.words import spoken

_HEX_LINE: Final = re.compile(r"\s*((?:[0-9A-Fa-f]{2}\s*)*)(#.*)?")
_QIBIXX_LINE: Final = re.compile(rb"([RMFVDCXpmfvdcx](?:,[0-9A-Za-z._,]*)?)[\r\n]")
_REQUEST: Final = re.compile(r"R,([0-9A-F]{2})(?:,((?:[0-9A-F]{2})+))?")
_UNKNOWN_BYTES: Final = 16  # a line


@dataclass(frozen=True, slots=True)
class Line:
    """`offset`: where it begins in the recording, in bytes."""

    offset: int
    raw: bytes
    protocol: str  # "" for bytes that are no frame
    text: str


def decode(recording: bytes) -> list[Line]:
    return list(_lines(_without_hex(recording)))


def _without_hex(recording: bytes) -> bytes:
    """The bytes that a text of hex digits stands for; any other recording is its own bytes."""
    try:
        matches = [_HEX_LINE.fullmatch(line) for line in recording.decode("ascii").splitlines()]
    except UnicodeDecodeError:
        return recording
    found = [match for match in matches if match is not None]
    if len(found) < len(matches) or not any(match[1] for match in found):
        return recording
    return b"".join(bytes.fromhex(match[1]) for match in found)


def _lines(data: bytes) -> Iterator[Line]:
    qibixx = _Qibixx()
    at = unknown = 0
    while at < len(data):
        found = _xy(data, at) or qibixx.line(data, at) or _modbus(data, at)
        if found is None:
            at += 1
            continue
        yield from _unknown(data, unknown, at)
        yield found
        at = unknown = at + len(found.raw)
    yield from _unknown(data, unknown, at)


def _unknown(data: bytes, first: int, last: int) -> Iterator[Line]:
    for at in range(first, last, _UNKNOWN_BYTES):
        raw = data[at : min(at + _UNKNOWN_BYTES, last)]
        if raw.strip(b"\r\n"):
            yield Line(at, raw, "", f"{len(raw)} bytes that are no frame")


# --- XY ---------------------------------------------------------------------------------------------------


def _xy(data: bytes, at: int) -> Line | None:
    head = data[at : at + xy_codes.HEAD_BYTES]
    if not head.startswith(xy_codes.START) or len(head) < xy_codes.HEAD_BYTES:
        return None
    raw = data[at : at + xy_codes.HEAD_BYTES + head[3] + 1]
    frames = xy_codes.Decoder().feed(raw, 0.0)
    if len(frames) != 1 or xy_codes.encode(frames[0]) != raw:
        return None
    return Line(at, raw, "xy", _xy_words(frames[0]))


def _xy_words(frame: xy_codes.Frame) -> str:
    if frame.command not in set(xy_codes.Command):
        return f"command {frame.command:02X} {frame.text.hex(' ').upper()}".rstrip()
    command = xy_codes.Command(frame.command)
    name, text = spoken(command.name.lower()), frame.text[1:]
    match command:
        case xy_codes.Command.STATUS if len(text) >= 3:
            said = xy_codes.PROGRESS.get(text[0])
            result = xy_codes.RESULTS.get(text[0])
            word = said or (result.value if result else f"status {text[0]:02X}")
            return f"{name} of selection {int.from_bytes(text[1:3], 'big')}: {spoken(word)}"
        case xy_codes.Command.SELECTED if len(text) >= 2:
            return f"{name}: {int.from_bytes(text[:2], 'big')}"
        case xy_codes.Command.DRIVE if len(text) >= 4:
            return f"{name} selection {int.from_bytes(text[2:4], 'big')}"
        case _:
            return name


# --- Qibixx -----------------------------------------------------------------------------------------------


class _Qibixx:
    """Answers carry no address: each is read as the answer to the last request before it."""

    def __init__(self) -> None:
        self._asked: Block | None = None

    def line(self, data: bytes, at: int) -> Line | None:
        if at and data[at - 1 : at] not in {b"\r", b"\n"}:
            return None
        match = _QIBIXX_LINE.match(data, at)
        if match is None:
            return None
        return Line(at, match[0], "qibixx", self._words(match[1].decode("ascii")))

    def _words(self, text: str) -> str:
        if request := _REQUEST.fullmatch(text.upper()):
            self._asked = Block(int(request[1], 16), bytes.fromhex(request[2] or ""))
            return f"{text}  ask {block_words(self._asked)}"
        match QibixxAdapter().feed(text.encode() + b"\n"):
            case [BlockAnswer(reply)]:
                return f"{text}  {self._answer(reply)}"
            case [StartAnswer(ok=ok)]:
                return f"{text}  the adapter {'is ready' if ok else 'refuses'}"
            case [Noise()] | _:
                return text

    def _answer(self, reply: Reply) -> str:
        asked, self._asked = self._asked, None
        if asked is None:
            return "an answer to nothing that was recorded"
        return reply_words(asked, reply)


# --- Modbus -----------------------------------------------------------------------------------------------

_QUESTION_BYTES: Final = 8
_MODBUS_READS: Final = modbus_codes.BITS | {modbus_codes.Function.READ_REGISTERS}


def _modbus(data: bytes, at: int) -> Line | None:
    rest = data[at : at + 256]
    if len(rest) < modbus_codes.EXCEPTION_BYTES or not rest[0]:
        return None
    function, refused = rest[1] & ~modbus_codes.EXCEPTION, bool(rest[1] & modbus_codes.EXCEPTION)
    if function not in set(modbus_codes.Function):
        return None
    sizes = [_QUESTION_BYTES]
    if refused:
        sizes = [modbus_codes.EXCEPTION_BYTES]
    elif function in _MODBUS_READS:
        sizes.append(modbus_codes.READ_BYTES + rest[2])
    for size in sizes:
        raw = rest[:size]
        if len(raw) == size and FramerRTU.check_CRC(raw[:-2], int.from_bytes(raw[-2:], "big")):
            return Line(at, raw, "modbus", _modbus_words(raw))
    return None


def _modbus_words(raw: bytes) -> str:
    unit, body = raw[0], raw[2:-2]
    function = modbus_codes.Function(raw[1] & ~modbus_codes.EXCEPTION)
    name = f"unit {unit}: {spoken(function.name.lower())}"
    if raw[1] & modbus_codes.EXCEPTION:
        return f"{name} refused, exception {body[0]}"
    if len(raw) != _QUESTION_BYTES:
        return f"{name} answered {body[1:].hex(' ').upper()}"
    address, value = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:], "big")
    if function in modbus_codes.WRITES:
        return f"{name} {_coil(function, address)} := {value:04X}"
    return f"{name} {address:04X}, {value} of them"


def _coil(function: modbus_codes.Function, address: int) -> str:
    if function is modbus_codes.Function.WRITE_COIL:
        if address == modbus_codes.ALL_COILS:
            return "all"
        if modbus_codes.PULSE_ON <= address < modbus_codes.PULSE_ON + modbus_codes.OUTPUTS:
            return f"pulse of output {address - modbus_codes.PULSE_ON + 1}, tenths of a second"
    return f"{address:04X}"
