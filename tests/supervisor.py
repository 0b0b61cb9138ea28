"""A supervisor's end of NOTIFY_SOCKET: what a program says of itself, as systemd would hear it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Heard:
    def __init__(self, listening: socket.socket) -> None:
        self._socket = listening

    def next(self, within_s: float = 20.0) -> str:
        """The next word, or nothing if none comes in time."""
        self._socket.settimeout(within_s)
        try:
            return self._socket.recv(1_000).decode()
        except TimeoutError:
            return ""

    def forget(self) -> None:
        """What was said before now."""
        self._socket.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(1_000)


@contextmanager
def listening(address: str) -> Iterator[Heard]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        yield Heard(bound)
