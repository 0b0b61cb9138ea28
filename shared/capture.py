"""Capture file: MQTT traffic as JSON lines, a header line and then one object a message.

Append only. A batch is on stable storage when `append` returns. A torn last line, left by a power cut, was
never acknowledged to anybody: the reader passes over it and the writer cuts it off.
"""

import base64
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from shared.files import sync_folder

FORMAT: Final = "vendlink-capture"
VERSION: Final = 1
_HEADER_START: Final = b'{"format":"vendlink-capture"'
_HEADER_LIMIT_BYTES: Final = 4_096


class CaptureError(ValueError):
    """Not a capture file; the text names the line."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `at_ns` is wall time UTC; `t_ns` counts from the header's `started_at_ns`."""

    t_ns: int
    at_ns: int
    dir: Literal["in", "out"]
    topic: str
    qos: int
    retain: bool
    payload: bytes
    properties: dict[str, Any] = field(default_factory=dict)
    dup: bool = False


class CaptureWriter:
    """Opens or makes a capture; `started_at_ns` counts for a new file only. One writer a file.

    Raises OSError, and CaptureError for a file that is something else.
    """

    def __init__(self, path: Path, source: str, started_at_ns: int) -> None:
        self._file = path.open("a+b", buffering=0)
        self._is_torn = False
        try:
            self._file.seek(0)
            first = self._file.readline()
            is_new = _HEADER_START.startswith(first[: len(_HEADER_START)]) and not first.endswith(b"\n")
            self.started_at_ns = started_at_ns if is_new else _started_at_ns(path, first)
            self._good_bytes = _cut_torn_line(self._file.fileno())
            if self._good_bytes == 0:
                header = {"format": FORMAT, "version": VERSION, "started_at_ns": started_at_ns}
                self._write(_line({**header, "source": source}))
                sync_folder(path.parent)
        except BaseException:
            self._file.close()
            raise

    def append(self, messages: Sequence[Message]) -> None:
        """Write and fsync. On OSError nothing of this batch stays, so that it can be tried again."""
        self._write(b"".join(_line(_encode(message)) for message in messages))

    def _write(self, data: bytes) -> None:
        self._cut()
        self._is_torn = True
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) or 0 :]
            os.fsync(self._file.fileno())
        except OSError:
            with suppress(OSError):  # the disk may refuse this too; then the next batch cuts first
                self._cut()
            raise
        self._is_torn = False
        self._good_bytes += len(data)

    def _cut(self) -> None:
        if self._is_torn:
            os.ftruncate(self._file.fileno(), self._good_bytes)
            self._is_torn = False

    @property
    def size_bytes(self) -> int:
        return self._good_bytes

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> Iterator[Message]:
    """The messages of a capture, in order. Raises CaptureError for a line that is none, the last excepted."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return  # torn: the power went while it was written
            if (message := decode(line, path, number)) is not None:
                yield message


def decode(line: bytes, path: Path, number: int) -> Message | None:
    """The message in a whole line; None in the first, which is the header. Raises CaptureError."""
    try:
        raw = json.loads(line)
        if number == 1:
            _check_header(raw)
            return None
        return _decode(raw)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CaptureError(f"{path}, line {number}: not a capture line ({error})") from None


def started_at_ns(path: Path) -> int:
    """When the writer of this file was started. Raises CaptureError, and OSError."""
    with path.open("rb") as file:
        return _started_at_ns(path, file.readline(_HEADER_LIMIT_BYTES))


def _check_header(raw: dict[str, Any]) -> None:
    if raw["format"] != FORMAT or raw["version"] != VERSION:
        raise ValueError(f"{raw['format']} version {raw['version']}; this reads {FORMAT} version {VERSION}")


def _started_at_ns(path: Path, line: bytes) -> int:
    try:
        raw = json.loads(line)
        _check_header(raw)
        return int(raw["started_at_ns"])
    except (ValueError, KeyError, TypeError) as error:
        raise CaptureError(f"{path}, line 1: not a capture file ({error})") from None


def _encode(message: Message) -> dict[str, Any]:
    return {
        "t_ns": message.t_ns,
        "at_ns": message.at_ns,
        "dir": message.dir,
        "topic": message.topic,
        "qos": message.qos,
        "retain": message.retain,
        "dup": message.dup,
        "properties": message.properties,
        "payload_b64": base64.b64encode(message.payload).decode("ascii"),
    }


def _decode(raw: dict[str, Any]) -> Message:
    payload = base64.b64decode(raw.pop("payload_b64"), validate=True)
    message = Message(payload=payload, **raw)
    numbers, flags = (message.t_ns, message.at_ns, message.qos), (message.retain, message.dup)
    if not (
        isinstance(message.topic, str)
        and all(type(number) is int for number in numbers)
        and all(type(flag) is bool for flag in flags)
    ):
        raise TypeError("a field of another type")
    return message


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _cut_torn_line(descriptor: int) -> int:
    """Length of the file up to its last whole line; what is behind it is cut off."""
    size = os.fstat(descriptor).st_size
    end = size
    while end > 0:
        start = max(0, end - 65_536)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end != size:
        os.ftruncate(descriptor, end)
    return end
