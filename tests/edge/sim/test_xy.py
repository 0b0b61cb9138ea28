"""The simulator against the protocol's own frames, without our link."""

from edge.motors.xy_codes import ACK, POLL, Command, Frame, drive, encode, sync
from edge.sim.motors import Outcome
from edge.sim.xy import MAX_SENDS, SimXyBoard


def status(number: int, code: int) -> bytes:
    return encode(Frame(Command.STATUS, bytes([number, code, 0, 11])))


def test_it_polls_every_200_ms() -> None:
    board = SimXyBoard({})
    assert [board.turn(b"", at_s) for at_s in (0.0, 0.1, 0.21, 0.3, 0.42)] == [POLL, b"", POLL, b"", POLL]


def test_a_motor_run_in_frames() -> None:
    board = SimXyBoard({11: 1}, motor_run_s=1.0)
    board.turn(b"", 0.0)
    assert board.turn(encode(drive(1, 11)), 0.05) == ACK
    assert board.turn(encode(drive(1, 11)), 0.1) == ACK  # a resend
    assert board.turn(b"", 0.25) == status(1, 0x01)
    assert board.turn(ACK, 0.3) == b""
    assert board.turn(b"", 1.1) == status(2, 0x02)
    assert board.turn(ACK, 1.15) == b""
    truth = board.truth()
    assert (truth.runs, truth.drops, truth.stock) == ({11: 1}, {11: 1}, {11: 0})


def test_what_is_not_acknowledged_is_sent_again_five_times() -> None:
    board = SimXyBoard({})
    board.press(11)
    sent = [board.turn(b"", number * 0.3) for number in range(MAX_SENDS + 1)]
    assert sent == [encode(Frame(Command.SELECTED, b"\x01\x00\x0b"))] * MAX_SENDS + [POLL]


def test_a_silent_outcome_drops_and_never_tells() -> None:
    board = SimXyBoard({11: 1}, motor_run_s=0.1)
    board.plan(11, Outcome.SILENT)
    board.turn(encode(drive(1, 11)), 0.0)
    board.turn(ACK, 0.05)
    assert [board.turn(b"", 0.3 * number) for number in (1, 2, 3)] == [POLL] * 3
    assert board.truth().drops == {11: 1}


def test_a_board_that_lost_its_power_says_sync() -> None:
    board = SimXyBoard({11: 1}, motor_run_s=0.5)
    board.turn(encode(drive(1, 11)), 0.0)
    board.power_cycle()
    assert board.turn(b"", 1.0) == encode(sync(1))
    assert board.turn(ACK, 1.05) == b""
    assert board.truth().drops == {}


def test_a_key_pressed_while_another_waits_is_lost() -> None:
    board = SimXyBoard({})
    for selection in (11, 12, 12, 12):
        board.press(selection)
    assert board.turn(b"", 0.0) == encode(Frame(Command.SELECTED, b"\x01\x00\x0b"))
    assert board.turn(ACK, 0.05) == b""
    board.press(12)
    assert board.turn(b"", 0.3) == encode(Frame(Command.SELECTED, b"\x02\x00\x0c"))
    assert board.turn(ACK, 0.35) == b""
    assert board.turn(b"", 0.6) == POLL
