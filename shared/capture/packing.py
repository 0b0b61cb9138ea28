"""Lines of a file, compressed where its name ends in `.gz`; and the bytes that a writer adds to such a file.

Memory holds one line and one block, whatever the file's length and however well it was compressed.
"""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from shared.capture.message import CaptureError

LINE_LIMIT_BYTES: Final = 4 * 1024 * 1024  # several times the largest message that a broker lets through
_BLOCK_BYTES: Final = 64 * 1024
_GZIP: Final = 31  # zlib's word for a gzip wrapper with a window of 32 KB

Tell = Callable[[int], None]


def is_packed(path: Path) -> bool:
    return path.suffix == ".gz"


class Packer:
    """Everything given so far can be read, whatever becomes of the rest. A failed write is taken back."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(wbits=_GZIP)
        self._before = self._stream

    def pack(self, data: bytes) -> bytes:
        self._before = self._stream.copy()
        return self._stream.compress(data) + self._stream.flush(zlib.Z_SYNC_FLUSH)

    def take_back(self) -> None:
        self._stream = self._before

    def end(self) -> bytes:
        return self._stream.flush()


def lines(path: Path, tell: Tell | None = None) -> Iterator[bytes]:
    """Whole lines, newline included. What is torn at the end is left out: the power went as it was written.

    `tell`: how many more bytes of the file are read. Raises CaptureError for damage, and OSError.
    """
    with path.open("rb") as file:
        blocks = _blocks(file, tell)
        rest = b""
        for block in _unpacked(blocks, path) if is_packed(path) else blocks:
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                yield line + b"\n"
            if len(rest) > LINE_LIMIT_BYTES:
                raise CaptureError(
                    f"{path}: a line of more than {LINE_LIMIT_BYTES} bytes; no capture has one"
                )


def _blocks(file: BinaryIO, tell: Tell | None) -> Iterator[bytes]:
    while block := file.read(_BLOCK_BYTES):
        yield block
        if tell is not None:
            tell(len(block))


def _unpacked(blocks: Iterator[bytes], path: Path) -> Iterator[bytes]:
    stream = zlib.decompressobj(wbits=_GZIP)
    at = 0
    for block in blocks:
        left = block
        while left:
            if stream.eof:  # another file was appended to it
                stream = zlib.decompressobj(wbits=_GZIP)
            try:
                yield stream.decompress(left, _BLOCK_BYTES)
            except zlib.error as error:
                raise CaptureError(f"{path}: damaged near byte {at} ({error})") from None
            left = stream.unused_data if stream.eof else stream.unconsumed_tail
        at += len(block)
