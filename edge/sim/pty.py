"""Gives a simulator a serial port: a pseudo-terminal, served by a thread, reached through a stable link.

The link stands for `/dev/serial/by-id/...`: `unplug` closes the pseudo-terminal, `replug` opens another one
and points the link there. The far end's bytes can be split, delayed, doubled and mixed
with garbage on their way out.
"""

import os
import select
import threading
import tty
from collections import deque
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Protocol, Self

SERVE_INTERVAL_S = 0.005
READ_BYTES = 4096


class Device(Protocol):
    """A simulator's line: bytes that came, the time, bytes to send."""

    def turn(self, data: bytes, now_s: float) -> bytes: ...


class PtyServer:
    """Use as context manager, or `replug` to begin and `unplug` to end."""

    def __init__(self, device: Device, link: Path) -> None:
        self._device = device
        self._link = link
        self._thread: threading.Thread | None = None
        self._unplugged = threading.Event()
        self._garbage: deque[bytes] = deque()
        self.chunk_bytes: int | None = None  # send in pieces of this size, one for each turn
        self.delay_s = 0.0
        self.copies = 1  # so often each of them is sent

    @property
    def path(self) -> str:
        return str(self._link)

    def __enter__(self) -> Self:
        self.replug()
        return self

    def __exit__(self, *error: object) -> None:
        self.unplug()

    def garbage(self, data: bytes) -> None:
        """Send these bytes before the next ones."""
        self._garbage.append(data)

    def replug(self) -> None:
        master, slave = os.openpty()
        os.set_blocking(master, False)  # bytes that nobody reads are lost, as on a real line
        tty.setraw(slave)  # or the terminal echoes what the simulator says
        fresh = self._link.with_name(self._link.name + ".new")
        fresh.symlink_to(os.ttyname(slave))
        fresh.replace(self._link)
        self._unplugged.clear()
        self._thread = threading.Thread(target=self._serve, args=(master, slave), daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        if self._thread is None:
            return
        self._unplugged.set()
        self._thread.join()
        self._thread = None
        self._link.unlink()

    def _serve(self, master: int, slave: int) -> None:
        # Our own slave descriptor keeps the master readable while no client has the port open.
        waiting: deque[tuple[float, bytes]] = deque()
        try:
            while not self._unplugged.is_set():
                readable, _, _ = select.select([master], [], [], SERVE_INTERVAL_S)
                data = os.read(master, READ_BYTES) if readable else b""
                now_s = monotonic()
                out = self._device.turn(data, now_s)
                if out and self._garbage:
                    out = self._garbage.popleft() + out
                out *= self.copies
                size = self.chunk_bytes or max(1, len(out))
                waiting.extend((now_s + self.delay_s, out[at : at + size]) for at in range(0, len(out), size))
                if waiting and waiting[0][0] <= now_s:
                    with suppress(BlockingIOError):
                        os.write(master, waiting.popleft()[1])
        finally:
            os.close(slave)
            os.close(master)
