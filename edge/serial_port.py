"""The thread that owns one serial port: reads, lets a link think, writes. What the links share ends here.

- The link is the protocol, without I/O (edge/mdb/dialogue.py, edge/motors/xy.py). All of its methods are
  called from this thread only; others call `submit` and `stop`.
- A port that is missing, disappears or refuses bytes is told to the link, then opened again with back-off.
  The path should be a stable one (`/dev/serial/by-id/...`): an adapter comes back under another device name.
- Effects are handed to the link also while the port is closed: it alone knows what they mean then.
- `stop` lets a question that is on its way be answered: the answer may be money that nobody tells again. A
  process that is killed at that moment loses such a coin; no driver can know of it.
- Any other exception ends the thread through `crashed`, and the process with it: the journal restores.
- `emit` is called from this thread; it may block, which delays the bus but loses nothing.
"""

import queue
import termios
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from math import inf
from time import monotonic
from typing import Protocol

import serial

from edge.sale.effects import Effect
from edge.sale.events import DriverEvent

READ_TIMEOUT_S = 0.010  # also how late an effect or a time-out may be noticed
WRITE_TIMEOUT_S = 1.0
REOPEN_MIN_S = 0.1
REOPEN_MAX_S = 5.0
CLOSED_TICK_S = 0.05
STOP_LIMIT_S = 2.0  # longer than any answer is waited for
MAX_EFFECTS = 64  # a sale has a handful at a time; more is a fault in the program, and `submit` raises
PORT_TROUBLE = (OSError, termios.error)  # SerialException is an OSError


class Link(Protocol):
    @property
    def baudrate(self) -> int: ...

    @property
    def at_rest(self) -> bool:
        """No answer is awaited: the port may be closed without losing anything."""

    def opened(self, now_s: float) -> None: ...

    def closed(self, reason: str, now_s: float) -> Sequence[DriverEvent]:
        """The port is gone, or could not be opened; may come several times in a row."""

    def perform(self, effect: Effect, now_s: float) -> Sequence[DriverEvent]: ...

    def turn(self, data: bytes, now_s: float) -> tuple[bytes, Sequence[DriverEvent]]: ...


def open_port(path: str, baudrate: int) -> serial.Serial:
    """Raises PORT_TROUBLE, also when another process has the port."""
    return serial.Serial(
        path,
        baudrate,
        parity=serial.PARITY_NONE,
        timeout=READ_TIMEOUT_S,
        write_timeout=WRITE_TIMEOUT_S,
        exclusive=True,
    )


class PortThread(threading.Thread):
    def __init__(
        self,
        name: str,
        path: str,
        link: Link,
        emit: Callable[[DriverEvent], None],
        crashed: Callable[[Exception], None],
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._path = path
        self._link = link
        self._emit = emit
        self._crashed = crashed
        self._effects: queue.Queue[Effect] = queue.Queue(MAX_EFFECTS)
        self._stopping = threading.Event()
        self.counts: Counter[str] = Counter()

    def submit(self, effect: Effect) -> None:
        self._effects.put_nowait(effect)

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001  the thread's outermost frame: hand over, and end
            self._crashed(error)

    def _work(self) -> None:
        reopen_s = REOPEN_MIN_S
        while not self._stopping.is_set():
            opened_s = monotonic()
            try:
                port = open_port(self._path, self._link.baudrate)
            except PORT_TROUBLE:
                self.counts["port_missing"] += 1
                self._tell(self._link.closed("port_missing", monotonic()))
            else:
                with port:
                    self._serve(port)
            if monotonic() - opened_s > REOPEN_MAX_S:  # it worked for a while: a new outage
                reopen_s = REOPEN_MIN_S
            self._wait_closed(reopen_s)
            reopen_s = min(reopen_s * 2, REOPEN_MAX_S)

    def _serve(self, port: serial.Serial) -> None:
        self._link.opened(monotonic())
        stop_by_s = inf
        while not (self._stopping.is_set() and (self._link.at_rest or monotonic() > stop_by_s)):
            if self._stopping.is_set():
                stop_by_s = min(stop_by_s, monotonic() + STOP_LIMIT_S)
            self._perform_effects()
            # The clock is read before the port: bytes that waited in the buffer are not late.
            now_s = monotonic()
            try:
                data = port.read(max(1, port.in_waiting))
            except PORT_TROUBLE:
                return self._lose()
            send, events = self._link.turn(data, now_s)
            self._tell(events)
            try:
                port.write(send)
            except PORT_TROUBLE:
                return self._lose()
        return None

    def _lose(self) -> None:
        self.counts["port_lost"] += 1
        self._tell(self._link.closed("port_lost", monotonic()))

    def _wait_closed(self, wait_s: float) -> None:
        until_s = monotonic() + wait_s
        while monotonic() < until_s and not self._stopping.wait(CLOSED_TICK_S):
            self._perform_effects()

    def _perform_effects(self) -> None:
        while True:
            try:
                effect = self._effects.get_nowait()
            except queue.Empty:
                return
            self._tell(self._link.perform(effect, monotonic()))

    def _tell(self, events: Sequence[DriverEvent]) -> None:
        for event in events:
            self._emit(event)
