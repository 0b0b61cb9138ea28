"""The simulator against frames written by hand, and its motors against the clock, without our link."""

import pytest

from edge.motors.modbus_rest import Wiring
from edge.sim.bus import Fault
from edge.sim.modbus import SimModbusBoard
from edge.sim.motors import Outcome
from edge.sim.spiral import BOUNCE_S

STEP_S = 0.005


class Line:
    """Asks the board with hex, and lets the time pass."""

    def __init__(self, board: SimModbusBoard) -> None:
        self.board = board
        self.now_s = 0.0
        board.turn(b"", 0.0)

    def ask(self, wire: str) -> str:
        answer = self.board.turn(bytes.fromhex(wire), self.now_s)
        return (answer + self.wait(0.06)).hex(" ").upper()

    def wait(self, duration_s: float) -> bytes:
        got = b""
        until_s = self.now_s + duration_s
        while self.now_s < until_s:
            self.now_s += STEP_S
            got += self.board.turn(b"", self.now_s)
        return got

    def inputs(self) -> str:
        return self.ask("01 02 00 00 00 08 79 CC")[9:11]


def line() -> Line:
    return Line(SimModbusBoard({1: 2, 2: 2}))


@pytest.mark.parametrize(
    ("asked", "answer", "running"),
    [
        ("01 05 00 00 FF 00 8C 3A", "01 05 00 00 FF 00 8C 3A", [1]),
        ("01 05 00 00 55 00 F2 9A", "01 05 00 00 55 00 F2 9A", [1]),
        ("01 05 02 00 00 19 0D B8", "01 05 02 00 00 19 0D B8", [1]),
        ("01 0F 00 00 00 08 01 01 3F 55", "01 0F 00 00 00 08 54 0D", [1]),
        ("01 05 00 FF 00 00 FD FA", "01 05 00 FF 00 00 FD FA", []),
        ("01 01 00 00 00 08 3D CC", "01 01 01 00 51 88", []),
        ("01 02 00 00 00 08 79 CC", "01 02 01 03 E1 89", []),  # two motors at home
        ("01 06 10 00 00 00 8D 0A", "01 06 10 00 00 00 8D 0A", []),
        ("01 03 80 00 00 01 AD CA", "01 03 02 00 C8 B9 D2", []),
        ("01 05 03 00 FF 00 8C 7E", "01 85 02 C3 51", []),  # no such coil
        ("00 05 00 00 FF 00 8D EB", "", [1]),  # to all: done and not answered
        ("02 05 00 00 FF 00 8C 09", "", []),  # to another
        ("01 05 00 00 FF 00 8C 3B", "", []),  # a wrong CRC
    ],
)
def test_answers(asked: str, answer: str, running: list[int]) -> None:
    ours = line()
    assert ours.ask(asked) == answer
    assert ours.board.running() == running


def test_off_again() -> None:
    for off in ("01 05 00 00 00 00 CD CA", "01 05 00 00 55 00 F2 9A", "01 05 00 FF 00 00 FD FA"):
        ours = line()
        ours.ask("01 05 00 00 FF 00 8C 3A")
        ours.ask(off)
        assert ours.board.running() == []


def test_a_pulse_ends_by_itself_and_moves_the_motor_so_long() -> None:
    ours = line()
    ours.ask("01 05 02 00 00 05 0C 71")
    ours.wait(0.3)
    assert ours.board.running() == [1]
    ours.wait(0.2)
    assert ours.board.running() == []
    ours.wait(3)
    assert ours.board.spirals[1].position == pytest.approx(0.5 / 2.5, abs=0.005)
    assert ours.board.truth().runs == {1: 1}


def test_a_pulse_ends_in_time_even_if_nobody_looks() -> None:
    ours = line()
    ours.ask("01 05 02 00 00 05 0C 71")
    ours.board.turn(b"", 60.0)
    assert ours.board.spirals[1].position == pytest.approx(0.5 / 2.5, abs=0.005)


def test_requests_in_pieces_and_soon_after_noise() -> None:
    ours = line()
    for byte in bytes.fromhex("01 01 00 00 00 08 3D CC"):
        ours.board.turn(bytes([byte]), ours.now_s)
    assert ours.wait(0.1) == bytes.fromhex("01 01 01 00 51 88")
    ours.board.turn(b"\xff\x77\x01\x05\x00", ours.now_s)  # its end never comes
    ours.wait(0.1)
    assert ours.ask("01 01 00 00 00 08 3D CC") == "01 01 01 00 51 88"


def test_the_home_switch_and_the_drop_of_one_turn() -> None:
    ours = line()
    ours.ask("01 05 00 00 FF 00 8C 3A")
    assert ours.inputs() == "03"
    ours.wait(0.5)
    assert ours.inputs() == "02"
    ours.wait(1.9)  # 2.58 s, a whole turn and some
    assert ours.inputs() == "83"
    ours.ask("01 05 00 00 00 00 CD CA")
    ours.wait(0.5)
    assert ours.inputs() == "03"
    assert (ours.board.truth().drops, ours.board.truth().stock) == ({1: 1}, {1: 1, 2: 2})


def test_the_home_switch_bounces() -> None:
    ours = line()
    ours.ask("01 05 00 00 FF 00 8C 3A")
    spiral = ours.board.spirals[1]
    while spiral._on_cam():
        ours.wait(STEP_S)
    said = {spiral.home_switch(ours.now_s + at / 1000) for at in range(int(BOUNCE_S * 1000))}
    assert said == {True, False}
    assert not spiral.home_switch(ours.now_s + BOUNCE_S)


@pytest.mark.parametrize(
    ("outcome", "position", "drops"),
    [
        (Outcome.DELIVERED, 1.2, {1: 1}),
        (Outcome.NO_DROP, 1.2, {}),
        (Outcome.JAMMED, 0.5, {}),
        (Outcome.MOTOR_MISSING, 0.0, {}),
        (Outcome.MOTOR_STUCK, 2.4, {}),
    ],
)
def test_what_a_motor_does_with_3_s_of_power(
    outcome: Outcome, position: float, drops: dict[int, int]
) -> None:
    ours = line()
    ours.board.plan(1, outcome)
    ours.ask("01 05 02 00 00 1E 4C 7A")
    ours.wait(6.0 - ours.now_s)
    assert ours.board.spirals[1].position == pytest.approx(position, abs=0.01)
    assert ours.board.truth().drops == drops
    ours.board.mend(1)
    assert ours.inputs() == "03"


def test_a_column_by_chance() -> None:
    fallen = []
    for seed in range(40):
        board = SimModbusBoard({1: 1}, drop_probability=0.5, seed=seed)
        ours = Line(board)
        ours.ask("01 05 02 00 00 1E 4C 7A")
        ours.wait(3.2)
        fallen.append(board.truth().drops.get(1, 0))
        ours.ask("01 05 02 00 00 0A 4C 75")  # half a turn more, and what hangs falls
        ours.wait(1.2)
        assert board.truth().drops == {1: 1}
    assert 5 < sum(fallen) < 35


def test_a_sold_out_column_and_a_blocked_sensor() -> None:
    ours = Line(SimModbusBoard({1: 0}))
    ours.ask("01 05 02 00 00 1E 4C 7A")
    ours.wait(3)
    assert ours.board.truth().drops == {}
    ours.board.mend(1)
    ours.board.blocked = True
    assert ours.inputs() == "81"


def test_other_levels_and_a_shared_home_input() -> None:
    wiring = Wiring(home_inputs=(1,) * 8, drop_input=2, home_level=False, drop_level=False)
    ours = Line(SimModbusBoard({1: 1, 2: 1}, wiring))
    assert ours.inputs() == "02"
    ours.ask("01 05 02 00 00 05 0C 71")
    ours.wait(0.6)
    assert ours.inputs() == "03"


def test_faults_of_the_line() -> None:
    read = "01 01 00 00 00 08 3D CC"
    ours = line()
    ours.board.fault_at = {0: Fault.COMMAND_LOST, 1: Fault.ANSWER_LOST}
    ours.board.doubled_at = {2}
    on, answer = "01 05 00 00 FF 00 8C 3A", "01 01 01 01 90 48"
    assert (ours.ask(on), ours.board.running()) == ("", [])
    assert (ours.ask(on), ours.board.running()) == ("", [1])
    assert ours.ask(read) == f"{answer} {answer}"
    ours.board.silent = True
    assert ours.ask(read) == ""
    ours.board.silent = False
    ours.board.power_cycle()
    assert ours.ask(read) == "01 01 01 00 51 88"


def test_a_board_that_falls_silent_with_its_motor() -> None:
    ours = line()
    ours.board.plan(1, Outcome.SILENT)
    assert ours.ask("01 05 02 00 00 05 0C 71") == ""
    assert ours.ask("01 01 00 00 00 08 3D CC") == ""
    ours.wait(1)
    assert ours.board.running() == []


def test_two_motors_at_once_are_seen() -> None:
    ours = line()
    ours.ask("01 05 00 00 FF 00 8C 3A")
    ours.ask("01 05 00 01 FF 00 DD FA")
    assert ours.board.most_running == 2
