"""A recording in several files, the next begun when one is large or old enough. All count from one start.

`jam.mqtt.jsonl.gz` becomes `jam-0001.mqtt.jsonl.gz` and so on; without limits it keeps its name. A file that
is there is never written to.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.capture.message import CaptureError, Header, Message
from shared.capture.writer import CaptureWriter


@dataclass(frozen=True, slots=True)
class Limits:
    """None: as much as it takes. Time is that of the messages."""

    size_bytes: int | None = None
    age_ns: int | None = None

    @property
    def is_one_file(self) -> bool:
        return self.size_bytes is None and self.age_ns is None


class RotatingWriter:
    """Raises OSError, and CaptureError where a file is there already."""

    def __init__(
        self, path: Path, header: Header, limits: Limits, view: Callable[[Message], object] | None = None
    ) -> None:
        self._path = path
        self._header = header
        self._limits = limits
        self._view = view
        self._began_ns = 0
        self.files: list[Path] = []
        self._writer = self._next()

    def append(self, messages: Sequence[Message]) -> None:
        """Write and fsync. On OSError nothing of this batch stays, so that it can be tried again."""
        if messages and self._is_full(messages[0].t_ns):
            full, self._writer = self._writer, self._next()
            full.close()
            self._began_ns = messages[0].t_ns
        self._writer.append(messages)

    def close(self) -> None:
        self._writer.close()

    def _is_full(self, t_ns: int) -> bool:
        limits = self._limits
        is_large = limits.size_bytes is not None and self._writer.size_bytes >= limits.size_bytes
        is_old = limits.age_ns is not None and t_ns - self._began_ns >= limits.age_ns
        return is_large or is_old

    def _next(self) -> CaptureWriter:
        path = self._path
        if not self._limits.is_one_file:
            stem, dot, kind = path.name.partition(".")
            path = path.with_name(f"{stem}-{len(self.files) + 1:04}{dot}{kind}")
        writer = new(path, self._header, self._view)
        self.files.append(path)
        return writer


def new(path: Path, header: Header, view: Callable[[Message], object] | None = None) -> CaptureWriter:
    """A capture that was not there before. Raises CaptureError where it was, and OSError."""
    if path.exists():
        raise CaptureError(f"{path} is there already; name another file")
    return CaptureWriter(path, header.source, header.started_at_ns, header.about, view)
