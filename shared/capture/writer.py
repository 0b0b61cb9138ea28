"""Writes a capture. A batch is on stable storage when `append` returns; one writer a file."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from shared.capture.message import CaptureError, Header, Message, header_line, message_line, parse_header
from shared.capture.packing import Packer, is_packed
from shared.files import sync_folder

_HEADER_START: Final = b'{"format":"vendlink-capture"'


class CaptureWriter:
    """Opens or makes a capture; `started_at_ns` counts for a new file only. A compressed one is always new.

    `about`: what else the header says. `view`: what a person should see beside each payload. Raises OSError,
    and CaptureError for a file that is something else.
    """

    def __init__(
        self,
        path: Path,
        source: str,
        started_at_ns: int,
        about: Mapping[str, Any] | None = None,
        view: Callable[[Message], object] | None = None,
    ) -> None:
        self._packer = Packer() if is_packed(path) else None
        self._view = view
        self._file = path.open("a+b", buffering=0)
        self._is_torn = False
        try:
            self._file.seek(0)
            first = self._file.readline()
            if first and self._packer:
                raise CaptureError(f"{path} is there already; a compressed capture cannot be continued")
            is_new = _HEADER_START.startswith(first[: len(_HEADER_START)]) and not first.endswith(b"\n")
            self.started_at_ns = started_at_ns if is_new else _started_at_ns(path, first)
            self._good_bytes = _cut_torn_line(self._file.fileno())
            if self._good_bytes == 0:
                self._write(header_line(Header(started_at_ns, source, about or {})))
                sync_folder(path.parent)
        except BaseException:
            self._file.close()
            raise

    def append(self, messages: Sequence[Message]) -> None:
        """Write and fsync. On OSError nothing of this batch stays, so that it can be tried again."""
        view = self._view
        self._write(b"".join(message_line(m, None if view is None else view(m)) for m in messages))

    def _write(self, data: bytes) -> None:
        self._cut()
        self._is_torn = True
        packed = self._packer.pack(data) if self._packer else data
        left = memoryview(packed)
        try:
            while left:
                left = left[self._file.write(left) or 0 :]
            os.fsync(self._file.fileno())
        except OSError:
            if self._packer:
                self._packer.take_back()
            with suppress(OSError):  # the disk may refuse this too; then the next batch cuts first
                self._cut()
            raise
        self._is_torn = False
        self._good_bytes += len(packed)

    def _cut(self) -> None:
        if self._is_torn:
            os.ftruncate(self._file.fileno(), self._good_bytes)
            self._is_torn = False

    @property
    def size_bytes(self) -> int:
        return self._good_bytes

    def close(self) -> None:
        """Raises OSError; every batch is on stable storage all the same."""
        with self._file as file:
            if self._packer and not self._is_torn:
                file.write(self._packer.end())


def _started_at_ns(path: Path, line: bytes) -> int:
    try:
        return parse_header(line).started_at_ns
    except (ValueError, KeyError, TypeError) as error:
        raise CaptureError(f"{path}, line 1: not a capture file ({error})") from None


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
