"""Door and temperature of an XY board, by its simulator and by frames written by hand."""

import pytest

from edge.motors.xy import XyLink
from edge.motors.xy_cabinet import ASK_INTERVAL_S, FIELDS
from edge.motors.xy_codes import ACK, POLL, Command, Decoder, Frame, ask_machine, encode, sync
from edge.sale.effects import RunMotor
from edge.sale.events import BoardLost, BoardReady, DriverEvent, VendEnded, VendResult
from edge.sale.visit_events import DoorChanged, TemperatureRead
from tests.edge.motors.rig import SLOTS, Rig


def read(degrees: int) -> TemperatureRead:
    return TemperatureRead("board", degrees * 10)


class Watched(Rig):
    def restart(self) -> None:
        self.link = XyLink(SLOTS, machine_status=True)
        self.link.opened(self.now_s)


def watched() -> XyLink:
    link = XyLink(SLOTS, machine_status=True)
    link.opened(0.0)
    link.turn(POLL, 0.0)
    assert link.turn(ACK, 0.0) == (b"", [BoardReady()])
    return link


def status(number: int, *fields: int) -> bytes:
    return encode(Frame(Command.MACHINE, bytes([number, *fields])))


def test_the_question_is_a_frame_of_the_protocol() -> None:
    assert encode(ask_machine(4)) == bytes.fromhex("FA FB 51 01 04 55")
    assert FIELDS == ("bill_validator", "coin_changer", "card_reader", "controller", "temperature", "door")


def test_door_and_temperature_come_soon_and_then_now_and_again() -> None:
    rig = Watched()
    assert rig.run(2) == [BoardReady(), read(4), DoorChanged(open=False)]
    rig.board.door_open, rig.board.degrees = True, -18
    assert rig.run(ASK_INTERVAL_S) == [read(-18), DoorChanged(open=True)]
    assert rig.run(ASK_INTERVAL_S) == [read(-18)]
    assert rig.link.counts["acks_stray"] == 0


def test_nobody_is_asked_unless_the_settings_say_so() -> None:
    rig = Rig()
    assert rig.run(20) == [BoardReady()]
    link = XyLink(SLOTS)
    link.opened(0.0)
    assert link.turn(status(1, 0, 0, 0, 0, 4, 1), 1.0) == (ACK, [])
    assert link.counts["frames_ignored"] == 1


def test_it_is_asked_at_a_free_poll_only_and_once() -> None:
    link = watched()
    link.perform(RunMotor("A1"), 1.0)
    sent = [link.turn(POLL, 1.0 + number * 0.2)[0] for number in range(3)]
    assert {Decoder().feed(frame, 0.0)[0].command for frame in sent} == {Command.DRIVE}
    link.turn(ACK, 1.7)
    assert link.turn(POLL, 2.0) == (ACK, []), "not while a motor runs"
    link.turn(encode(Frame(Command.STATUS, bytes([9, 2, 0, 11]))), 3.0)
    assert link.turn(POLL, 3.2) == (encode(ask_machine(3)), [])
    assert link.turn(POLL, 3.4) == (ACK, []), "a question that got lost is not repeated"
    assert link.turn(POLL, 3.2 + ASK_INTERVAL_S) == (encode(ask_machine(4)), [])


def test_a_run_right_after_a_question_is_driven_at_the_next_poll() -> None:
    link = watched()
    assert link.turn(POLL, 1.0)[0] == encode(ask_machine(2))
    link.perform(RunMotor("A1"), 1.1)
    (frame,) = Decoder().feed(link.turn(POLL, 1.2)[0], 0.0)
    assert (frame.command, frame.text[0]) == (Command.DRIVE, 3)


def test_products_fall_as_before() -> None:
    rig = Watched()
    rig.run(2)
    for _ in range(3):
        told = [event for event in rig.vend("A1") if isinstance(event, VendEnded)]
        assert told == [VendEnded("A1", VendResult.DELIVERED)]
    assert rig.board.truth().runs == {11: 3}


@pytest.mark.parametrize(
    ("fields", "events", "count"),
    [
        ((0, 0, 0, 0, 4, 0), [read(4), DoorChanged(open=False)], ""),
        ((9, 9, 9, 0, 0xFF, 1, 7, 7, 7), [read(-1), DoorChanged(open=True)], ""),
        ((0, 0, 0, 0, 0x7F, 2), [read(127)], "doors_unknown"),
        ((0, 0, 0, 1, 4, 0), [DoorChanged(open=False)], "temperatures_refused"),
        ((0, 0, 0, 0, 4), [], "statuses_short"),
        ((), [], "statuses_short"),
    ],
)
def test_what_a_status_says(fields: tuple[int, ...], events: list[DriverEvent], count: str) -> None:
    link = watched()
    assert link.turn(status(7, *fields), 1.0) == (ACK, events)
    assert not count or link.counts[count] == 1


def test_the_door_is_told_again_after_the_board_was_away() -> None:
    rig = Watched()
    rig.run(2)
    rig.board_silent = True
    assert rig.run(5) == [BoardLost("silent")]
    rig.board_silent = False
    assert rig.run(2) == [BoardReady(), read(4), DoorChanged(open=False)]


def test_a_board_that_knows_no_such_question_works_on() -> None:
    link = watched()
    for number in range(100):
        send, events = link.turn(POLL, 1.0 + number * 0.2)
        assert Decoder().feed(send, 0.0)[0].command in {Command.ACK, Command.ASK_MACHINE}
        assert events == []
    link.turn(encode(sync(1)), 22.0)
    assert Decoder().feed(link.turn(POLL, 22.2)[0], 0.0)[0].command == Command.SYNC
