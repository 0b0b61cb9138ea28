"""Reads captures of either kind. Memory does not depend on a capture's length.

Raises CaptureError for a line that is none, the last excepted, and OSError.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from shared.capture import stock
from shared.capture.message import CaptureError, Header, Message, parse_header, parse_message
from shared.capture.packing import Tell, lines

_HEADER_LIMIT_BYTES: Final = 4_096
_BAD_LINE: Final = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


def read(path: Path, tell: Tell | None = None) -> Iterator[Message]:
    """The messages of a capture, in order. `tell`: how many more bytes of the file are read."""
    of_stock: bool | None = None
    started: int | None = None
    for number, line in enumerate(lines(path, tell), start=1):
        if of_stock is None:
            of_stock = stock.is_line(line)
        if not of_stock:
            if (message := decode(line, path, number)) is not None:
                yield message
            continue
        try:
            message = stock.parse(line, started)
        except ValueError as error:
            raise CaptureError(f"{path}, line {number}: {error}") from None
        if started is None:
            started = message.at_ns
        yield message


def chained(paths: Sequence[Path], tell: Tell | None = None) -> Iterator[Message]:
    """Captures one behind the other, as rotation made them. All times count from the first one's start."""
    first_ns: int | None = None
    for path in paths:
        started = read_header(path).started_at_ns
        first_ns = started if first_ns is None else first_ns
        for message in read(path, tell):
            yield message if started == first_ns else replace(message, t_ns=message.t_ns + started - first_ns)


def read_header(path: Path) -> Header:
    """Of either kind of file; one without a whole line begins at 0."""
    line = next(lines(path), None)
    if line is None:
        return Header(0, "")
    if stock.is_line(line):
        return Header(stock.parse(line, None).at_ns, stock.SOURCE)
    return _header(path, line)


def decode(line: bytes, path: Path, number: int) -> Message | None:
    """The message in a whole line; None in the first, which is the header."""
    try:
        if number == 1:
            parse_header(line)
            return None
        return parse_message(line)
    except _BAD_LINE as error:
        raise CaptureError(f"{path}, line {number}: not a capture line ({error})") from None


def started_at_ns(path: Path) -> int:
    """When the writer of this file, which is not compressed, was started."""
    with path.open("rb") as file:
        return _header(path, file.readline(_HEADER_LIMIT_BYTES)).started_at_ns


def _header(path: Path, line: bytes) -> Header:
    try:
        return parse_header(line)
    except _BAD_LINE as error:
        raise CaptureError(f"{path}, line 1: not a capture file ({error})") from None
