"""An XY motor board that behaves (protocol V3.0): polls, keypad, motors, stock by selection.

What really fell is in `truth()`. The hands (`press`, `plan`, `power_cycle`) may come from another thread.
"""

from collections import Counter, deque
from collections.abc import Mapping
from math import inf
from threading import Lock

from edge.motors.xy_codes import ACK, POLL, Command, Decoder, Frame, encode, next_number
from edge.sim.motors import BoardTruth, Outcome

POLL_INTERVAL_S = 0.2
MAX_SENDS = 6  # once, and 5 resends
DISPENSING = 0x01


_STATUS = {
    Outcome.DELIVERED: 0x02,
    Outcome.JAMMED: 0x03,
    Outcome.NO_DROP: 0x03,  # with the drop sensor on; the protocol has no other word for it
    Outcome.MOTOR_STUCK: 0x04,
    Outcome.MOTOR_MISSING: 0x06,
}
_FALLS = {Outcome.DELIVERED, Outcome.SILENT}


class SimXyBoard:
    def __init__(self, stock: Mapping[int, int], motor_run_s: float = 1.5) -> None:
        self._lock = Lock()
        self._decoder = Decoder()
        self._stock = Counter(dict(stock))
        self._motor_run_s = motor_run_s
        self._runs: Counter[int] = Counter()
        self._drops: Counter[int] = Counter()
        self._plans: dict[int, deque[Outcome]] = {}
        self._number = 1
        self._sends = 0
        self._outbox: deque[tuple[Command, bytes]] = deque()
        self._next_poll_s = -inf
        self._last_command: Frame | None = None
        self._running: tuple[float, int] | None = None
        self.door_open = False
        self.degrees = 4
        self.controller = 0  # in order

    # The hands

    def press(self, selection: int) -> None:
        """A key pressed while another still waits to be told is lost, as on a real keypad."""
        with self._lock:
            if all(command != Command.SELECTED for command, _ in self._outbox):
                self._outbox.append((Command.SELECTED, selection.to_bytes(2, "big")))

    def plan(self, selection: int, *outcomes: Outcome) -> None:
        """What the next runs of this selection do; after these it delivers while there is stock."""
        with self._lock:
            self._plans.setdefault(selection, deque()).extend(outcomes)

    def power_cycle(self) -> None:
        """The motor stops where it is, nothing is remembered, and SYNC is the first word."""
        with self._lock:
            self._running = self._last_command = None
            self._number, self._sends = 1, 0
            self._outbox.clear()
            self._outbox.append((Command.SYNC, b""))

    def truth(self) -> BoardTruth:
        with self._lock:
            return BoardTruth(dict(self._runs), dict(self._drops), dict(self._stock))

    # The line

    @property
    def next_wake_s(self) -> float:
        return self._next_poll_s

    def turn(self, data: bytes, now_s: float) -> bytes:
        with self._lock:
            out = b""
            for frame in self._decoder.feed(data, now_s):
                out += self._answer(frame, now_s)
            self._run_motor(now_s)
            if now_s >= self._next_poll_s:
                self._next_poll_s = now_s + POLL_INTERVAL_S
                out += self._ask()
            return out

    def _ask(self) -> bytes:
        if self._outbox and self._sends == MAX_SENDS:
            self._drop_sent()
        if not self._outbox:
            return POLL
        self._sends += 1
        command, text = self._outbox[0]
        return encode(Frame(command, bytes([self._number]) + text))

    def _answer(self, frame: Frame, now_s: float) -> bytes:
        if frame.command == Command.ACK:
            if self._sends:
                self._drop_sent()
            return b""
        if frame != self._last_command:  # a resend is only acknowledged again
            self._last_command = frame
            if frame.command == Command.ASK_MACHINE:
                self._outbox.append((Command.MACHINE, self._machine()))
            if frame.command == Command.DRIVE and self._running is None:
                self._start_motor(int.from_bytes(frame.text[3:5], "big"), now_s)
        return ACK

    def _machine(self) -> bytes:
        """Bill validator, changer, card reader, temperature controller, temperature, door, change."""
        return bytes([0, 0, 0, self.controller, self.degrees & 0xFF, self.door_open, 0, 0])

    def _drop_sent(self) -> None:
        self._outbox.popleft()
        self._number = next_number(self._number)
        self._sends = 0

    # The motor

    def _start_motor(self, selection: int, now_s: float) -> None:
        self._runs[selection] += 1
        self._running = (now_s + self._motor_run_s, selection)
        self._tell(DISPENSING, selection)

    def _run_motor(self, now_s: float) -> None:
        if self._running is None or now_s < self._running[0]:
            return
        selection = self._running[1]
        self._running = None
        plans = self._plans.get(selection)
        outcome = plans.popleft() if plans else Outcome.DELIVERED
        if not self._stock[selection] and outcome is Outcome.DELIVERED:
            outcome = Outcome.NO_DROP
        if outcome in _FALLS and self._stock[selection]:
            self._stock[selection] -= 1
            self._drops[selection] += 1
        if outcome in _STATUS:
            self._tell(_STATUS[outcome], selection)

    def _tell(self, status: int, selection: int) -> None:
        self._outbox.append((Command.STATUS, bytes([status]) + selection.to_bytes(2, "big")))
