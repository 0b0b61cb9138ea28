"""XY link and XY board simulator joined by their real bytes, in virtual time."""

from edge.motors.xy import XyLink
from edge.sale.effects import RunMotor
from edge.sale.events import BoardReady, DriverEvent, VendEnded
from edge.sim.xy import SimXyBoard

STEP_S = 0.005
SLOTS = {"A1": 11, "A2": 12, "B1": 300}


class Rig:
    def __init__(self) -> None:
        self.board = SimXyBoard({11: 3, 12: 0, 300: 1})
        self.events: list[DriverEvent] = []
        self.now_s = 0.0
        self.to_board_lost = 0  # so many next sendings of each direction get lost
        self.to_link_lost = 0
        self.board_silent = False
        self._from_board = b""
        self.restart()

    def restart(self) -> None:
        """A new process on the machine; the board carries on."""
        self.link = XyLink(SLOTS)
        self.link.opened(self.now_s)

    def step(self) -> None:
        self.now_s += STEP_S
        data, self._from_board = self._from_board, b""
        if data and self.to_link_lost:
            self.to_link_lost -= 1
            data = b""
        send, events = self.link.turn(data, self.now_s)
        if send and self.to_board_lost:
            self.to_board_lost -= 1
            send = b""
        self.events += events
        if not self.board_silent:
            self._from_board = self.board.turn(send, self.now_s)

    def run(self, duration_s: float) -> list[DriverEvent]:
        before = len(self.events)
        until_s = self.now_s + duration_s
        while self.now_s < until_s:
            self.step()
        return self.events[before:]

    def ready(self) -> None:
        assert self.run(1) == [BoardReady()]

    def vend(self, slot: str) -> list[DriverEvent]:
        """What a motor run gives within 4 s."""
        assert self.link.perform(RunMotor(slot), self.now_s) == []
        return self.run(4)

    def ended(self) -> list[VendEnded]:
        return [event for event in self.events if isinstance(event, VendEnded)]
