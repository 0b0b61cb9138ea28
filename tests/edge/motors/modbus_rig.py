"""Modbus link and board simulator joined by their real bytes, in virtual time."""

from edge.motors.modbus import DEFAULT_WIRING, ModbusLink
from edge.motors.modbus_rest import Wiring
from edge.motors.spiral import Timing
from edge.sale.effects import RunMotor
from edge.sale.events import BoardReady, DriverEvent, VendEnded
from edge.sim.modbus import SimModbusBoard

STEP_S = 0.005
SLOTS = {"A1": 1, "A2": 2, "B1": 7}
RUN_S = 16.0  # no run takes longer


class Rig:
    def __init__(self, wiring: Wiring = DEFAULT_WIRING, timing: Timing | None = None) -> None:
        self.board = SimModbusBoard({1: 3, 2: 0, 7: 1}, wiring)
        self.wiring, self.timing = wiring, timing or Timing()
        self.events: list[DriverEvent] = []
        self.now_s = 0.0
        self.sent: list[bytes] = []
        self._from_board = b""
        self.restart()

    def restart(self) -> None:
        """A new process on the machine; the board carries on."""
        self.link = ModbusLink(SLOTS, self.wiring, self.timing)
        self.link.opened(self.now_s)

    def step(self) -> None:
        self.now_s += STEP_S
        data, self._from_board = self._from_board, b""
        send, events = self.link.turn(data, self.now_s)
        if send:
            self.sent.append(send)
        self.events += events
        self._from_board = self.board.turn(send, self.now_s)

    def run(self, duration_s: float) -> list[DriverEvent]:
        before = len(self.events)
        until_s = self.now_s + duration_s
        while self.now_s < until_s:
            self.step()
        return self.events[before:]

    def ready(self) -> None:
        assert self.run(1) == [BoardReady()]

    def begin(self, slot: str) -> None:
        assert self.link.perform(RunMotor(slot), self.now_s) == []

    def vend(self, slot: str) -> list[DriverEvent]:
        """What a motor run gives, and the outputs are off after it."""
        self.begin(slot)
        events = self.run(RUN_S)
        assert self.link.at_rest
        return events

    def until_running(self) -> None:
        while not self.board.running():
            self.step()

    def ended(self) -> list[VendEnded]:
        return [event for event in self.events if isinstance(event, VendEnded)]
