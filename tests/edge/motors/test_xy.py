"""The link against the board's simulator and against frames written by hand, in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.motors.xy import MAX_SENDS, RUN_LIMIT_S, XyLink
from edge.motors.xy_codes import ACK, POLL, Command, Decoder, Frame, drive, encode, sync
from edge.sale.effects import AcceptCoins, RunMotor
from edge.sale.events import (
    BoardLost,
    BoardReady,
    DeviceFault,
    DriverEvent,
    SlotSelected,
    VendEnded,
    VendResult,
)
from edge.sim.motors import Outcome
from tests.edge.motors.rig import SLOTS, Rig


def status(number: int, code: int, selection: int) -> bytes:
    return encode(Frame(Command.STATUS, bytes([number, code]) + selection.to_bytes(2, "big")))


def started() -> XyLink:
    """A link whose SYNC the board has acknowledged at 0 s."""
    link = XyLink(SLOTS)
    link.opened(0.0)
    assert link.turn(POLL, 0.0) == (encode(sync(1)), [])
    assert link.turn(ACK, 0.0) == (b"", [BoardReady()])
    return link


def test_a_product() -> None:
    rig = Rig()
    rig.ready()
    assert rig.vend("A1") == [VendEnded("A1", VendResult.DELIVERED)]
    assert rig.board.truth().drops == {11: 1}
    assert rig.vend("B1") == [VendEnded("B1", VendResult.DELIVERED)]
    assert rig.board.truth().stock == {11: 2, 12: 0, 300: 0}


@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        (Outcome.JAMMED, VendResult.JAMMED),
        (Outcome.NO_DROP, VendResult.JAMMED),
        (Outcome.MOTOR_STUCK, VendResult.MOTOR_STUCK),
        (Outcome.MOTOR_MISSING, VendResult.MOTOR_MISSING),
    ],
)
def test_what_goes_wrong_at_the_motor(outcome: Outcome, result: VendResult) -> None:
    rig = Rig()
    rig.ready()
    rig.board.plan(11, outcome)
    assert rig.vend("A1") == [VendEnded("A1", result)]
    assert rig.board.truth().drops == {}
    assert rig.vend("A1") == [VendEnded("A1", VendResult.DELIVERED)]


def test_an_empty_slot_drops_nothing() -> None:
    rig = Rig()
    rig.ready()
    assert rig.vend("A2") == [VendEnded("A2", VendResult.JAMMED)]


def test_a_board_that_never_tells_ends_with_nothing() -> None:
    rig = Rig()
    rig.ready()
    rig.board.plan(11, Outcome.SILENT)
    assert rig.vend("A1") == []


@pytest.mark.parametrize(
    ("code", "result"),
    [(0x02, "delivered"), (0x03, "jammed"), (0x04, "motor_stuck"), (0x06, "motor_missing")]
    + [(code, "lift_error") for code in (0x07, 0x12, 0x13)]
    + [(0xFF, "aborted")],
)
def test_every_result_by_its_code(code: int, result: str) -> None:
    assert started().turn(status(9, code, 11), 1.0) == (ACK, [VendEnded("A1", VendResult(result))])


@pytest.mark.parametrize("code", [0x01, 0x10, 0x11])
def test_progress_is_acknowledged_and_nothing_more(code: int) -> None:
    assert started().turn(status(9, code, 11), 1.0) == (ACK, [])


def test_a_result_that_nobody_knows_is_a_fault_and_leaves_the_sale_in_doubt() -> None:
    assert started().turn(status(9, 0x05, 11), 1.0) == (ACK, [DeviceFault("board", "vend_status_05")])


def test_a_result_with_the_microwave_byte() -> None:
    frame = encode(Frame(Command.STATUS, b"\x09\x02\x00\x0b\x01"))
    assert started().turn(frame, 1.0) == (ACK, [VendEnded("A1", VendResult.DELIVERED)])


def test_keypad() -> None:
    rig = Rig()
    rig.ready()
    for selection, told in ((11, "A1"), (300, "B1"), (11, "A1")):
        rig.board.press(selection)
        assert rig.run(1) == [SlotSelected(told)]
    rig.board.press(0)  # taken back
    assert rig.run(1) == []
    rig.board.press(99)  # no such slot
    assert rig.run(1) == []
    assert rig.link.counts["selections_unknown"] == 1


@pytest.mark.parametrize("losses", range(1, MAX_SENDS))
def test_a_drive_that_gets_lost_is_sent_again_and_runs_once(losses: int) -> None:
    rig = Rig()
    rig.ready()
    rig.to_board_lost = losses
    assert rig.vend("A1") == [VendEnded("A1", VendResult.DELIVERED)]
    assert rig.board.truth().runs == {11: 1}


@pytest.mark.parametrize("losses", range(1, MAX_SENDS))
def test_a_drive_whose_answer_gets_lost_runs_once(losses: int) -> None:
    rig = Rig()
    rig.ready()
    rig.link.perform(RunMotor("A1"), rig.now_s)
    while not rig.board.truth().runs:
        rig.step()
    rig.to_link_lost = losses
    rig.run(4)
    assert rig.ended() == [VendEnded("A1", VendResult.DELIVERED)]
    assert rig.board.truth().runs == {11: 1}


def test_a_drive_that_is_never_acknowledged_is_in_doubt() -> None:
    link = started()
    link.perform(RunMotor("A1"), 1.0)
    for number in range(MAX_SENDS):
        assert link.turn(POLL, 1.0 + number * 0.2) == (encode(drive(2, 11)), [])
    assert link.turn(POLL, 2.2) == (ACK, [DeviceFault("board", "drive_unacknowledged")])
    assert link.turn(status(1, 0x02, 11), 3.0) == (ACK, [VendEnded("A1", VendResult.DELIVERED)])


def test_a_drive_that_was_never_written_did_not_start() -> None:
    link = XyLink(SLOTS)
    link.opened(0.0)
    assert link.perform(RunMotor("A1"), 0.0) == [VendEnded("A1", VendResult.NOT_STARTED)]
    link = started()
    assert link.perform(RunMotor("Z9"), 1.0) == [VendEnded("Z9", VendResult.NOT_STARTED)]
    link.perform(RunMotor("A1"), 1.0)
    assert link.closed("port_lost", 1.1) == [
        VendEnded("A1", VendResult.NOT_STARTED),
        BoardLost("port_lost"),
    ]
    assert link.closed("port_missing", 1.2) == []


def test_a_drive_that_was_written_when_the_board_went_away_is_in_doubt() -> None:
    link = started()
    link.perform(RunMotor("A1"), 1.0)
    link.turn(POLL, 1.0)
    assert link.closed("port_lost", 1.1) == [BoardLost("port_lost")]
    link.opened(2.0)
    assert link.turn(POLL, 2.0)[0] == encode(sync(3))
    link.turn(ACK, 2.0)
    assert link.turn(POLL, 2.2) == (ACK, [])  # and it is not sent again


def test_a_board_that_started_anew_gets_no_drive_in_doubt() -> None:
    link = started()
    link.perform(RunMotor("A1"), 5.0)
    link.turn(POLL, 5.0)
    assert link.turn(encode(sync(1)), 5.5) == (ACK, [])
    assert link.turn(POLL, 5.7)[0] == encode(sync(3))
    assert link.turn(ACK, 5.7) == (b"", [])
    assert link.turn(POLL, 5.9) == (ACK, [])


def test_a_board_that_answers_sync_with_sync_is_not_asked_for_ever() -> None:
    link = started()
    assert link.turn(encode(sync(1)), 0.2) == (ACK, [])
    assert link.turn(POLL, 0.4) == (ACK, [])


def test_one_run_at_a_time() -> None:
    refused = [VendEnded("B1", VendResult.NOT_STARTED)]
    link = started()
    assert link.perform(RunMotor("A1"), 1.0) == []
    assert link.perform(RunMotor("B1"), 1.0) == refused
    link.turn(POLL, 1.2)
    link.turn(ACK, 1.2)
    assert link.perform(RunMotor("B1"), 1.3) == refused
    assert link.turn(status(8, 0x02, 300), 1.5)[1] == [VendEnded("B1", VendResult.DELIVERED)]  # an older one
    assert link.perform(RunMotor("B1"), 2.0) == refused
    assert link.turn(status(9, 0x02, 11), 3.0)[1] == [VendEnded("A1", VendResult.DELIVERED)]
    assert link.perform(RunMotor("B1"), 3.1) == []
    assert link.counts["drives_refused"] == 3


def test_a_run_that_the_board_never_ends_keeps_others_waiting_for_a_time() -> None:
    link = started()
    link.perform(RunMotor("A1"), 1.0)
    link.turn(POLL, 1.2)
    link.turn(ACK, 1.2)
    assert link.perform(RunMotor("B1"), 1.0 + RUN_LIMIT_S) != []
    assert link.perform(RunMotor("B1"), 1.1 + RUN_LIMIT_S) == []


def test_a_run_that_cannot_be_written_in_time_is_not_started_any_more() -> None:
    link = started()
    link.turn(encode(sync(1)), 5.0)
    assert link.perform(RunMotor("A1"), 5.0) == []
    events = []
    for number in range(100):  # the board hears nothing: SYNC is never acknowledged
        send, told = link.turn(POLL, 5.0 + number * 0.2)
        assert send[2] == Command.SYNC
        events += told
    assert events == [VendEnded("A1", VendResult.NOT_STARTED)]


def test_board_lost_and_back() -> None:
    rig = Rig()
    rig.ready()
    rig.board_silent = True
    assert rig.run(10) == [BoardLost("silent")]
    rig.board_silent = False
    assert rig.run(2) == [BoardReady()]


def test_no_board_at_all_is_told_once() -> None:
    rig = Rig()
    rig.board_silent = True
    assert rig.run(10) == [BoardLost("silent")]


def test_a_board_that_loses_its_power_in_the_middle_of_a_run() -> None:
    rig = Rig()
    rig.ready()
    rig.run(5)
    rig.link.perform(RunMotor("A1"), rig.now_s)
    rig.run(0.5)
    rig.board.power_cycle()
    assert rig.run(5) == []
    assert rig.board.truth().runs == {11: 1}
    assert rig.vend("A1") == [VendEnded("A1", VendResult.DELIVERED)]


def test_a_run_that_the_process_before_started_is_told_to_this_one() -> None:
    rig = Rig()
    rig.ready()
    rig.link.perform(RunMotor("A1"), rig.now_s)
    rig.run(0.5)
    rig.restart()
    assert rig.run(4) == [BoardReady(), VendEnded("A1", VendResult.DELIVERED)]
    assert rig.board.truth().runs == {11: 1}
    assert rig.vend("A1") == [VendEnded("A1", VendResult.DELIVERED)]  # numbers of both processes do not mix


def test_resent_data_are_acknowledged_and_told_once() -> None:
    rig = Rig()
    rig.ready()
    rig.to_board_lost = 3
    rig.board.press(11)
    assert rig.run(3) == [SlotSelected("A1")]
    assert rig.link.counts["frames_repeated"] >= 1


def test_the_same_frame_much_later_is_news() -> None:
    link = started()
    assert link.turn(status(1, 0x02, 11), 1.0)[1] != []
    assert link.turn(status(1, 0x02, 11), 1.4) == (ACK, [])
    assert link.turn(POLL, 2.9)[0] == ACK
    assert link.turn(status(1, 0x02, 11), 4.5)[1] != []


def test_after_a_delay_only_the_last_frame_is_answered() -> None:
    link = started()
    send, events = link.turn(POLL + POLL + status(3, 0x02, 11), 1.0)
    assert (send, events) == (ACK, [VendEnded("A1", VendResult.DELIVERED)])
    assert link.turn(POLL + ACK, 1.2) == (b"", [])
    assert link.counts["acks_stray"] == 1


def test_what_the_link_does_not_know_is_acknowledged() -> None:
    dump = encode(Frame(0x11, bytes.fromhex("01000b00000096050a000101")))
    link = started()
    assert link.turn(dump, 1.0) == (ACK, [])
    assert link.turn(encode(Frame(Command.STATUS, b"\x02\x02")), 1.1) == (ACK, [])
    assert link.turn(encode(Frame(Command.SELECTED, b"")), 1.2) == (ACK, [])
    assert link.counts["frames_ignored"] == 3


def test_an_unacknowledged_sync_is_tried_with_new_numbers() -> None:
    link = XyLink(SLOTS)
    link.opened(0.0)
    sent = [link.turn(POLL, number * 0.2)[0] for number in range(2 * MAX_SENDS)]
    assert sent == [encode(sync(1))] * MAX_SENDS + [encode(sync(2))] * MAX_SENDS
    assert link.counts["syncs_unacknowledged"] == 1


def test_effects_of_other_devices_are_ignored() -> None:
    assert started().perform(AcceptCoins(enabled=True), 0.0) == []


@given(st.lists(st.tuples(st.binary(max_size=12), st.sampled_from([POLL, ACK, status(2, 2, 11), b""]))))
def test_any_bytes_are_survived(said: list[tuple[bytes, bytes]]) -> None:
    link = started()
    now_s = 1.0
    for noise, frame in said:
        link.perform(RunMotor("A1"), now_s)
        send, events = link.turn(noise + frame, now_s)
        assert len(Decoder().feed(send, 0.0)) == (1 if send else 0)
        assert all(isinstance(event, DriverEvent) for event in events)
        now_s += 0.2
