"""The board thread against the board's simulator on a pseudo-terminal, in real time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.motors.board import board_thread
from edge.sale.effects import RunMotor
from edge.sale.events import BoardLost, BoardReady, SlotSelected, VendEnded, VendResult
from edge.serial_port import PortThread
from edge.sim.pty import PtyServer
from edge.sim.xy import Outcome, SimXyBoard
from tests.edge.threads import Inbox, stop


class Machine:
    def __init__(self, link: Path) -> None:
        self.board = SimXyBoard({11: 3, 12: 3}, motor_run_s=0.3)
        self.server = PtyServer(self.board, link)
        self.inbox = Inbox()
        self.thread = self.new_thread()

    def new_thread(self) -> PortThread:
        return board_thread(self.server.path, {"A1": 11, "A2": 12}, self.inbox.put, self.inbox.put)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "board")
    with machine.server:
        yield machine
        stop(machine.thread)


def test_a_selection_and_its_product(machine: Machine) -> None:
    machine.thread.start()
    assert machine.inbox.until(BoardReady) == [BoardReady()]
    machine.board.press(12)
    assert machine.inbox.until(SlotSelected) == [SlotSelected("A2")]
    machine.board.plan(11, Outcome.JAMMED)
    machine.thread.submit(RunMotor("A2"))
    machine.thread.submit(RunMotor("A1"))
    assert machine.inbox.until(VendEnded) == [VendEnded("A2", VendResult.DELIVERED)]
    truth = machine.board.truth()
    assert truth.drops == {12: 1}


def test_unplugged_and_plugged_in_again(machine: Machine) -> None:
    machine.thread.start()
    machine.inbox.until(BoardReady)
    machine.server.unplug()
    assert machine.inbox.until(BoardLost) == [BoardLost("port_lost")]
    machine.thread.submit(RunMotor("A1"))
    assert machine.inbox.until(VendEnded) == [VendEnded("A1", VendResult.NOT_STARTED)]
    machine.server.replug()
    assert machine.inbox.until(BoardReady) == [BoardReady()]
    machine.thread.submit(RunMotor("A1"))
    assert machine.inbox.until(VendEnded) == [VendEnded("A1", VendResult.DELIVERED)]
    assert machine.board.truth().runs == {11: 1}


def test_a_restart_in_the_middle_of_a_run(machine: Machine) -> None:
    machine.board.plan(11, Outcome.MOTOR_MISSING)
    machine.thread.start()
    machine.inbox.until(BoardReady)
    machine.thread.submit(RunMotor("A1"))
    machine.thread.submit(RunMotor("A2"))
    machine.inbox.until(VendEnded)
    stop(machine.thread)
    machine.thread = machine.new_thread()
    machine.thread.start()
    assert machine.inbox.until(BoardReady) == [BoardReady()]
    machine.thread.submit(RunMotor("A2"))
    assert machine.inbox.until(VendEnded) == [VendEnded("A2", VendResult.DELIVERED)]


def test_split_bytes_and_garbage(machine: Machine) -> None:
    machine.server.chunk_bytes = 2
    machine.server.garbage(b"\xfa\xfb\x04\x09garbage")
    machine.thread.start()
    machine.inbox.until(BoardReady)
    machine.thread.submit(RunMotor("A1"))
    assert machine.inbox.until(VendEnded) == [VendEnded("A1", VendResult.DELIVERED)]
