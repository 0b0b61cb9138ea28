"""What systemd, or whatever else started this program, is told of it: sd_notify(3), one datagram a word.

Contract: every method returns at once, never fails and does nothing where nobody asked to be told. A word
that does not arrive is lost; `turned` is said again a second later. Whoever says `turned` must be the work
itself: a timer beside it would say that all is well of a program that hangs.
"""

import socket
from contextlib import suppress
from typing import Final

VARIABLE: Final = "NOTIFY_SOCKET"
TURNED_EVERY_S: Final = 1.0


class Supervisor:
    """`address`: what NOTIFY_SOCKET holds; a name with @ has no file."""

    def __init__(self, address: str | None) -> None:
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        self._again_s = 0.0

    def ready(self) -> None:
        self._say("READY=1")

    def turned(self, now_s: float) -> None:
        """The work goes on. It may be said at every turn. `now_s`: monotonic."""
        if now_s >= self._again_s:
            self._again_s = now_s + TURNED_EVERY_S
            self._say("WATCHDOG=1")

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def _say(self, word: str) -> None:
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)
                out.sendto(word.encode(), self._address)
