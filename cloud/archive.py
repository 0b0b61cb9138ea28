"""The archive: every accepted message in capture files, before anything is acknowledged.

One set of files for each run of each process, the next begun when one is full: several processes write in one
folder, and never in one file. Nothing here deletes them: how long they are
kept is the operator's decision, and a rebuild of InfluxDB needs all of them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cloud.watch import Watch
from shared.capture import CaptureWriter, Message

FILE_LIMIT_BYTES: Final = 64 * 1024 * 1024


class Archive:
    """Files `<start>-<source>-<number>.mqtt.jsonl` in a folder; no two processes have one source.

    Methods raise OSError and can be tried again.
    """

    def __init__(
        self,
        folder: Path,
        source: str,
        started_at_ns: int,
        limit_bytes: int = FILE_LIMIT_BYTES,
        watch: Watch | None = None,
    ) -> None:
        self.started_at_ns = started_at_ns
        self._folder = folder
        self._source = source
        self._limit_bytes = limit_bytes
        self._watch = watch or Watch()
        self._number = 0
        self._writer: CaptureWriter | None = None

    def append(self, messages: Sequence[Message]) -> None:
        """On stable storage when it returns."""
        if self._writer is None or self._writer.size_bytes >= self._limit_bytes:
            self._next_file()
        assert self._writer is not None
        before_bytes = self._writer.size_bytes
        self._writer.append(messages)
        self._watch.archived(self._writer.size_bytes - before_bytes)

    def _next_file(self) -> None:
        start = datetime.fromtimestamp(self.started_at_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        path = self._folder / f"{start}-{self._source}-{self._number + 1:04}.mqtt.jsonl"
        writer = CaptureWriter(path, self._source, self.started_at_ns)
        self._watch.archived(writer.size_bytes)
        self.close()
        self._writer, self._number = writer, self._number + 1

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
