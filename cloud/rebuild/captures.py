"""Capture files of several writers as one stream, in the order in which their messages arrived.

Order matters: of two records that claim one number the first is the one. Memory holds one line of each file
that is open, and only those of writers that ran at the same time are. A damaged line is a value with its
place, and the lines behind it are read; a torn last line was never acknowledged to anybody and is none.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Final

from shared import capture

PATTERN: Final = "*.mqtt.jsonl"
_LINE_LIMIT_BYTES: Final = 4 * 1024 * 1024  # several times the largest message that a broker lets through


@dataclass(frozen=True, slots=True)
class Source:
    """A file from `offset` on, which `line` lines are before, up to `size`: what is there now."""

    path: Path
    size: int
    offset: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """One line: file, number, the offset behind it, its message. Without a message: the header, or damage."""

    path: Path
    line: int
    end: int
    message: capture.Message | None = None
    damage: str = ""


def found(folders: Sequence[Path]) -> list[Source]:
    """All capture files in these folders, with their present sizes."""
    paths = sorted(path for folder in folders for path in folder.glob(PATTERN))
    return [Source(path.resolve(), path.stat().st_size) for path in paths]


def merged(sources: Sequence[Source]) -> Iterator[Piece]:
    """Every line once, by time of arrival. Raises OSError."""
    left = [source for source in sources if source.offset < source.size]
    runs = [list(run) for _, run in groupby(left, key=_run)]
    waiting = sorted(((_begin_ns(run[0].path), number) for number, run in enumerate(runs)), reverse=True)
    heap: list[tuple[int, int, Piece, Iterator[Piece]]] = []

    def push(at_ns: int, number: int, lines: Iterator[Piece]) -> None:
        piece = next(lines, None)
        if piece is not None:
            heapq.heappush(heap, (piece.message.at_ns if piece.message else at_ns, number, piece, lines))

    while heap or waiting:
        while waiting and (not heap or waiting[-1][0] <= heap[0][0]):
            at_ns, number = waiting.pop()
            push(at_ns, number, (piece for source in runs[number] for piece in _pieces(source)))
        if heap:
            at_ns, number, piece, lines = heapq.heappop(heap)
            yield piece
            push(at_ns, number, lines)


def _run(source: Source) -> str:
    """The files of one writer differ in the number at the end of their names."""
    return str(source.path).rpartition("-")[0] or str(source.path)


def _begin_ns(path: Path) -> int:
    try:
        return capture.started_at_ns(path)
    except capture.CaptureError:
        return 0  # its first line is told as damaged when it is read


def _pieces(source: Source) -> Iterator[Piece]:
    offset, number = source.offset, source.line
    with source.path.open("rb") as file:
        file.seek(offset)
        while offset < source.size:
            line = file.readline(_LINE_LIMIT_BYTES)
            number += 1
            if line.endswith(b"\n"):
                offset += len(line)
                yield _piece(source.path, number, offset, line)
            elif len(line) == _LINE_LIMIT_BYTES and _skip_line(file):
                offset = file.tell()
                yield Piece(source.path, number, offset, damage="too long for a capture line")
            else:
                return  # torn: the power went while it was written; or it is being written


def _piece(path: Path, number: int, end: int, line: bytes) -> Piece:
    try:
        return Piece(path, number, end, capture.decode(line, path, number))
    except capture.CaptureError as error:
        return Piece(path, number, end, damage=str(error).partition(": ")[2])


def _skip_line(file: BinaryIO) -> bool:
    while part := file.readline(_LINE_LIMIT_BYTES):
        if part.endswith(b"\n"):
            return True
    return False
