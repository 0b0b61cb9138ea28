"""The link against the board's simulator and against frames written by hand, in virtual time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.motors.modbus import MAX_PULSES_MISSED, PULSE_TENTHS, SILENT_S, START, ModbusLink
from edge.motors.modbus_codes import (
    ALL_OFF,
    READ_INPUTS,
    READ_MODES,
    READ_OUTPUTS,
    Function,
    Question,
    encode,
    framer,
    pulse,
    set_normal,
)
from edge.motors.modbus_line import ANSWER_TIMEOUT_S
from edge.motors.modbus_rest import Rest, Wiring
from edge.motors.spiral import Timing
from edge.sale.effects import AcceptCoins, RunMotor
from edge.sale.events import (
    BoardLost,
    BoardReady,
    DeviceFault,
    DeviceFaultCleared,
    DriverEvent,
    VendEnded,
    VendResult,
)
from edge.sale.visit_events import DoorChanged
from edge.sim.bus import Fault
from edge.sim.motors import Outcome
from tests.edge.motors.modbus_rig import RUN_S, SLOTS, Rig

SHARED_HOME = Wiring(home_inputs=(1,) * 8, drop_input=2)
OTHER_LEVELS = Wiring(unit=7, home_level=False, drop_level=False)


def ended(slot: str, result: str) -> VendEnded:
    return VendEnded(slot, VendResult(result))


def asked(rig: Rig, question: Question) -> int:
    return rig.sent.count(encode(question, rig.wiring.unit))


@pytest.mark.parametrize("wiring", [Wiring(), SHARED_HOME, OTHER_LEVELS])
def test_a_product(wiring: Wiring) -> None:
    rig = Rig(wiring)
    rig.ready()
    assert rig.vend("A1") == [ended("A1", "delivered")]
    assert rig.vend("B1") == [ended("B1", "delivered")]
    assert rig.board.truth().drops == {1: 1, 7: 1}
    assert rig.board.truth().stock == {1: 2, 2: 0, 7: 0}
    assert (rig.board.running(), rig.board.most_running) == ([], 1)


@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        (Outcome.JAMMED, "jammed"),
        (Outcome.NO_DROP, "no_drop"),
        (Outcome.MOTOR_MISSING, "motor_missing"),
        (Outcome.MOTOR_STUCK, "motor_stuck"),
    ],
)
def test_what_goes_wrong_at_the_motor(outcome: Outcome, result: str) -> None:
    rig = Rig()
    rig.ready()
    rig.board.plan(1, outcome)
    assert rig.vend("A1") == [ended("A1", result)]
    assert rig.board.truth().drops == {}
    assert rig.board.running() == []


def test_an_empty_column_is_turned_twice_and_gives_nothing() -> None:
    rig = Rig()
    rig.ready()
    assert rig.vend("A2") == [ended("A2", "no_drop")]
    assert rig.board.spirals[2].position == pytest.approx(2, abs=0.08)


def test_a_product_that_hangs_falls_at_the_half_turn_and_the_next_one_follows() -> None:
    rig = Rig()
    rig.ready()
    rig.board.spirals[1].hang()
    assert rig.vend("A1") == [ended("A1", "delivered")]
    assert rig.board.truth().drops == {1: 1}
    assert rig.vend("A1") == [ended("A1", "delivered")]
    assert rig.board.truth().drops == {1: 2}
    assert rig.board.spirals[1].position == pytest.approx(2, abs=0.08)
    assert rig.vend("A1") == [ended("A1", "delivered")]
    assert rig.board.truth().drops == {1: 3}


def test_the_start_of_the_link_and_the_end_of_a_run_switch_everything_off() -> None:
    rig = Rig()
    rig.ready()
    start = [encode(question, 1) for question in START]
    assert rig.sent[: len(start) + 1] == [encode(READ_OUTPUTS, 1), *start]  # a barrier, then the steps
    rig.sent.clear()
    rig.vend("A1")
    last = max(at for at, sent in enumerate(rig.sent) if sent == encode(pulse(0, PULSE_TENTHS), 1))
    after = [sent for sent in rig.sent[last + 1 :] if sent != encode(READ_INPUTS, 1)]
    assert after == [encode(ALL_OFF, 1), *start[:-1]]


def test_outputs_that_follow_inputs_are_set_to_normal() -> None:
    rig = Rig()
    rig.board._registers |= {0x1002: 3, 0x1005: 1}
    rig.ready()
    assert asked(rig, set_normal(2)) == asked(rig, set_normal(5)) == 1
    assert asked(rig, set_normal(0)) == 0
    assert rig.board._registers[0x1002] == 0


@pytest.mark.parametrize("level", [True, False])
def test_a_door_is_told_at_the_start_and_when_it_moves(level: bool) -> None:
    rig = Rig(Wiring(home_inputs=(1, 2, 3, 4, 5, 1, 6), door_input=7, door_level=level))
    assert rig.run(1.5) == [BoardReady(), DoorChanged(open=False)]
    rig.board.door_open = True
    assert rig.run(2) == [DoorChanged(open=True)]
    assert rig.vend("A1") == [ended("A1", "delivered")]
    rig.board.silent = True
    assert rig.run(5) == [BoardLost("silent")]
    rig.board.silent = False
    assert rig.run(3) == [BoardReady(), DoorChanged(open=True)]


def test_a_door_switch_that_bounces_moved_no_door() -> None:
    wiring = Wiring(door_input=7, home_inputs=(1,) * 6)
    rest = Rest(wiring, {}, 1.0)
    shut, ajar = (0,) * 8, (0,) * 6 + (1, 0)
    looks = [rest.watch(inputs, 0.0) for inputs in (shut, ajar, shut, shut, ajar, shut, ajar, ajar, ajar)]
    assert looks == [[], [], [], [DoorChanged(open=False)], [], [], [], [DoorChanged(open=True)], []]


def test_a_board_without_control_modes() -> None:
    rig = Rig()
    rig.board._registers.clear()
    rig.ready()
    assert asked(rig, READ_MODES) == 1


def test_an_output_that_stays_on_keeps_the_board_from_being_ready() -> None:
    rig = Rig()
    rig.board._switch = lambda coil, value: None  # type: ignore[method-assign]
    rig.board._on_until_s[3] = 9.0
    assert rig.run(8) == [BoardLost("output_on")]
    assert rig.run(4) == [BoardReady()]


def test_a_board_that_refuses_to_switch_off_is_not_ready() -> None:
    rig = Rig()
    rig.board._functions = {**rig.board._functions, 0x05: lambda *_: 4}
    assert rig.run(5) == [BoardLost("refused_4")]


def test_a_board_that_refuses_the_drive() -> None:
    rig = Rig()
    rig.ready()
    write = rig.board._functions[0x05]
    rig.board._functions = {
        **rig.board._functions,
        0x05: lambda board, request: 2 if request.address >= 0x200 else write(board, request),
    }
    assert rig.vend("A1") == [DeviceFault("board", "drive_refused"), ended("A1", "not_started")]
    assert rig.board.truth().runs == {}


def test_a_board_that_refuses_a_later_pulse_leaves_the_run_in_doubt() -> None:
    rig = Rig()
    rig.ready()
    rig.begin("A1")
    rig.until_running()
    rig.board._functions = {**rig.board._functions, 0x05: lambda *_: 2}
    events = rig.run(3)
    assert events == [DeviceFault("board", "drive_refused"), BoardLost("refused_2")]  # off is refused, too
    assert rig.board.running() == []


def test_a_drive_that_is_never_acknowledged_is_in_doubt() -> None:
    rig = Rig()
    rig.ready()
    rig.begin("A1")
    while not asked(rig, pulse(0, PULSE_TENTHS)):
        rig.step()
    at = rig.board.exchanges - 1
    # Each lost pulse is followed by a barrier.
    rig.board.fault_at = {at + 2 * number: Fault.ANSWER_LOST for number in range(1, MAX_PULSES_MISSED)}
    rig._from_board = b""
    rig.board._answers.clear()
    assert rig.run(RUN_S) == [DeviceFault("board", "drive_unacknowledged")]
    assert asked(rig, pulse(0, PULSE_TENTHS)) == MAX_PULSES_MISSED
    assert rig.board.running() == []
    assert rig.link.counts["runs_in_doubt"] == 1


def test_what_is_not_run() -> None:
    rig = Rig()
    assert rig.link.perform(RunMotor("A1"), 0.0) == [ended("A1", "not_started")]
    rig.ready()
    assert rig.link.perform(RunMotor("Z9"), rig.now_s) == [ended("Z9", "not_started")]
    rig.begin("A1")
    assert rig.link.perform(RunMotor("B1"), rig.now_s) == [ended("B1", "not_started")]
    assert rig.link.perform(RunMotor("A1"), rig.now_s) == [ended("A1", "not_started")]
    assert rig.link.perform(AcceptCoins(enabled=True), rig.now_s) == []
    assert rig.run(4) == [ended("A1", "delivered")]
    assert rig.link.counts["drives_refused"] == 4


@pytest.mark.parametrize("selections", [{"A1": 0}, {"A1": 8}, {"A1": 9}])
def test_a_selection_that_has_no_output_or_no_home_switch(selections: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="home switch"):
        ModbusLink(selections)


# Sensors


def test_a_blocked_drop_sensor_refuses_the_sale_until_it_is_free() -> None:
    rig = Rig()
    rig.ready()
    rig.board.blocked = True
    assert rig.vend("A1") == [DeviceFault("board", "drop_sensor_blocked"), ended("A1", "not_started")]
    assert rig.vend("A1") == [ended("A1", "not_started")]
    assert rig.board.truth().runs == {}
    rig.board.blocked = False
    assert rig.run(1) == [DeviceFaultCleared("board", "drop_sensor_blocked")]
    assert rig.vend("A1") == [ended("A1", "delivered")]


def test_a_motor_that_is_not_home_is_refused_until_somebody_turned_it() -> None:
    rig = Rig()
    rig.ready()
    rig.board.plan(1, Outcome.JAMMED)
    assert rig.vend("A1") == [ended("A1", "jammed")]
    assert rig.vend("A1") == [DeviceFault("board", "not_home"), ended("A1", "not_started")]
    assert rig.vend("B1") == [ended("B1", "delivered")]
    rig.board.mend(1)
    assert rig.run(1) == [DeviceFaultCleared("board", "not_home")]
    assert rig.run(10) == []
    assert rig.vend("A1") == [ended("A1", "delivered")]


def test_with_a_shared_home_input_one_jam_stops_all() -> None:
    rig = Rig(SHARED_HOME)
    rig.ready()
    rig.board.plan(1, Outcome.JAMMED)
    rig.vend("A1")
    assert rig.vend("B1") == [DeviceFault("board", "not_home"), ended("B1", "not_started")]
    assert rig.board.truth().runs == {1: 1}


def test_with_a_shared_home_input_only_the_motor_that_was_left_away_goes_on() -> None:
    rig = Rig(SHARED_HOME)
    rig.ready()
    rig.board.spirals[1].hang()
    assert rig.vend("A1") == [ended("A1", "delivered")]
    assert rig.vend("B1") == [DeviceFault("board", "not_home"), ended("B1", "not_started")]
    assert rig.vend("A1") == [ended("A1", "delivered"), DeviceFaultCleared("board", "not_home")]
    assert rig.vend("B1") == [ended("B1", "delivered")]
    assert rig.board.truth().drops == {1: 2, 7: 1}


def test_a_motor_that_was_turned_home_by_hand_starts_from_home_again() -> None:
    rig = Rig(SHARED_HOME)
    rig.ready()
    rig.board.spirals[1].hang()
    assert rig.vend("A1") == [ended("A1", "delivered")]
    rig.board.mend(1)
    rig.run(10)
    rig.board.plan(7, Outcome.JAMMED)
    assert rig.vend("B1") == [ended("B1", "jammed")]
    assert rig.vend("A1") == [DeviceFault("board", "not_home"), ended("A1", "not_started")]


def test_a_motor_that_jams_where_it_was_left_does_not_go_on() -> None:
    rig = Rig()
    rig.ready()
    rig.board.spirals[1].hang()
    assert rig.vend("A1") == [ended("A1", "delivered")]
    rig.board.plan(1, Outcome.JAMMED)
    assert rig.vend("A1") == [ended("A1", "jammed")]
    assert rig.vend("A1") == [DeviceFault("board", "not_home"), ended("A1", "not_started")]


def test_a_motor_that_moves_on_its_own_lets_no_other_run() -> None:
    rig = Rig()
    rig.ready()
    rig.board.plan(1, Outcome.MOTOR_STUCK)
    assert rig.vend("A1") == [ended("A1", "motor_stuck")]
    refused = rig.link.perform(RunMotor("B1"), rig.now_s)
    assert refused == [DeviceFault("board", "motor_stuck"), ended("B1", "not_started")]
    assert rig.link.perform(RunMotor("B1"), rig.now_s) == [ended("B1", "not_started")]
    rig.board.mend(1)
    assert rig.run(10) == [DeviceFaultCleared("board", "motor_stuck")]
    assert rig.vend("B1") == [ended("B1", "delivered")]


# The line


def test_board_lost_and_back() -> None:
    rig = Rig()
    rig.ready()
    rig.board.silent = True
    assert rig.run(10) == [BoardLost("silent")]
    rig.board.silent = False
    assert rig.run(3) == [BoardReady()]


def test_no_board_at_all_is_told_once() -> None:
    rig = Rig()
    rig.board.silent = True
    assert rig.run(10) == [BoardLost("silent")]
    assert rig.link.closed("port_lost", rig.now_s) == []


@pytest.mark.parametrize("after_s", [0.3, 1.0, 2.0, 2.4])
def test_a_board_that_falls_silent_in_a_run_leaves_it_in_doubt_and_stops_the_motor(after_s: float) -> None:
    rig = Rig()
    rig.ready()
    rig.begin("A1")
    rig.run(after_s)
    rig.board.silent = True
    turned = rig.board.spirals[1].position
    assert rig.run(5) == [BoardLost("silent")]
    assert rig.board.running() == []
    assert rig.board.spirals[1].position - turned <= PULSE_TENTHS / 10 / 2.5 + 0.01
    rig.board.silent = False
    assert rig.run(3) == [BoardReady()]
    assert rig.vend("A1") == [ended("A1", "delivered")]  # from where it stands
    assert rig.vend("B1") == [ended("B1", "delivered")]
    assert 1 <= rig.board.truth().drops[1] <= 2


def test_a_run_that_was_not_written_yet_did_not_start() -> None:
    rig = Rig()
    rig.ready()
    rig.begin("A1")
    assert rig.link.closed("port_lost", rig.now_s) == [ended("A1", "not_started"), BoardLost("port_lost")]
    rig.link.opened(rig.now_s)
    rig.ready()
    rig.begin("A1")
    rig.until_running()
    assert rig.link.closed("port_lost", rig.now_s) == [BoardLost("port_lost")]


def test_a_port_that_is_lost_before_the_first_pulse_leaves_a_jammed_motor_alone() -> None:
    rig = Rig()
    rig.ready()
    rig.board.plan(1, Outcome.JAMMED)
    rig.vend("A1")
    rig.begin("A1")
    rig.link.closed("port_lost", rig.now_s)
    rig.link.opened(rig.now_s)
    rig.ready()
    assert rig.vend("A1") == [DeviceFault("board", "not_home"), ended("A1", "not_started")]


def test_a_process_that_dies_stops_the_motor_and_the_next_one_dispenses_nothing() -> None:
    rig = Rig()
    rig.ready()
    rig.begin("A1")
    rig.run(1.0)
    pulsed_s = rig.now_s
    while rig.board.running():  # nobody there
        rig.now_s += 0.005
        rig.board.turn(b"", rig.now_s)
    assert rig.now_s - pulsed_s <= PULSE_TENTHS / 10
    rig.restart()
    assert rig.run(20) == [BoardReady()]
    assert rig.board.truth().drops == {}
    assert rig.vend("A1") == [DeviceFault("board", "not_home"), ended("A1", "not_started")]
    assert rig.vend("B1") == [ended("B1", "delivered")]


def test_a_process_that_starts_while_the_motor_still_turns_switches_it_off() -> None:
    rig = Rig()
    rig.ready()
    rig.begin("A1")
    rig.run(1.0)
    rig.restart()
    rig.run(0.15)
    assert rig.board.running() == []


def test_a_board_that_loses_its_power_in_a_run_is_driven_on() -> None:
    rig = Rig()
    rig.ready()
    rig.begin("A1")
    rig.run(1.0)
    rig.board.power_cycle()
    assert rig.run(4) == [ended("A1", "delivered")]
    assert rig.board.truth().drops == {1: 1}


def test_a_board_that_is_always_too_late_is_no_board() -> None:
    rig = Rig()
    rig.board.answer_s = ANSWER_TIMEOUT_S * 1.5
    assert rig.run(20) == [BoardLost("silent")]


def test_answers_near_the_limit_are_used() -> None:
    rig = Rig(timing=Timing(hold_s=0.35))
    rig.board.drop_s, rig.board.answer_s = 0.35, 0.07
    rig.run(2)
    assert rig.vend("A1") == [ended("A1", "delivered")]
    assert rig.board.truth().drops == {1: 1}


def test_a_late_answer_is_not_the_answer_to_the_next_question() -> None:
    link = ModbusLink(SLOTS)
    link.opened(0.0)
    board = framer(is_server=True)
    outputs = board.encode(b"\x01\x01\x00", 1, 0)
    inputs = board.encode(b"\x02\x01\x7f", 1, 0)
    modes = board.encode(b"\x03\x10" + bytes(16), 1, 0)
    now_s = 0.0

    def turn(data: bytes) -> tuple[bytes, list[DriverEvent]]:
        nonlocal now_s
        now_s += 0.05
        return link.turn(data, now_s)

    for question, answer in ((READ_OUTPUTS, outputs), (ALL_OFF, encode(ALL_OFF, 1)), (READ_MODES, modes)):
        assert turn(b"") == (encode(question, 1), [])
        assert turn(answer) == (b"", [])
    assert turn(b"") == (encode(READ_OUTPUTS, 1), [])
    assert turn(outputs) == (b"", [])
    assert turn(b"") == (encode(READ_INPUTS, 1), [])
    for _ in range(2):
        assert turn(b"") == (b"", [])
    assert turn(b"") == (encode(READ_OUTPUTS, 1), [])  # given up: a barrier
    assert turn(inputs) == (b"", [])  # late
    assert turn(outputs) == (b"", [])
    assert turn(b"") == (encode(READ_INPUTS, 1), [])
    assert turn(inputs) == (b"", [BoardReady()])


def test_an_answer_in_slow_pieces_is_waited_for_and_noise_is_not_waited_for_long() -> None:
    link = ModbusLink(SLOTS)
    link.opened(0.0)
    answer = framer(is_server=True).encode(b"\x01\x01\x00", 1, 0)
    assert link.turn(b"", 0.0)[0] == encode(READ_OUTPUTS, 1)
    for number, byte in enumerate(answer):
        assert link.turn(bytes([byte]), 0.09 * (number + 1)) == (b"", [])
    assert link.turn(b"", 0.6)[0] == encode(ALL_OFF, 1)
    events: list[DriverEvent] = []
    for number in range(30):
        events += link.turn(b"\xff" * 20, 0.65 + 0.05 * number)[1]
    assert events == [BoardLost("silent")]
    assert link.turn(b"", 2.3)[0] == encode(READ_OUTPUTS, 1)


def test_the_board_has_its_silence_before_each_question() -> None:
    link = ModbusLink(SLOTS)
    link.opened(0.0)
    question, _ = link.turn(b"", 0.0)
    assert question == encode(READ_OUTPUTS, 1)
    answer = framer(is_server=True).encode(b"\x01\x01\x00", 1, 0)
    assert link.turn(answer, 0.02) == (b"", [])
    assert link.turn(b"", 0.022) == (b"", [])
    assert link.turn(b"", 0.025)[0] == encode(ALL_OFF, 1)


# One thing lost


def _outcome_is_true(rig: Rig, drops: int) -> None:
    told = rig.ended()
    assert len(told) <= 1
    assert drops <= 1, "dispensed twice"
    if told:
        assert drops == (told[0].result is VendResult.DELIVERED)
    assert rig.board.running() == []
    assert rig.board.most_running <= 1


def _exchanges(slot: str) -> range:
    """The numbers of all exchanges of an undisturbed run."""
    rig = Rig()
    rig.ready()
    first = rig.board.exchanges
    rig.vend(slot)
    return range(first, rig.board.exchanges)


def _run_to_the_end(rig: Rig, slot: str) -> None:
    rig.begin(slot)
    while not rig.link.at_rest:
        rig.step()
    rig.run(2)
    _outcome_is_true(rig, rig.board.truth().drops.get(SLOTS[slot], 0))


@pytest.mark.parametrize("fault", [Fault.COMMAND_LOST, Fault.ANSWER_LOST])
def test_one_exchange_lost_anywhere_in_a_run(fault: Fault) -> None:
    for lost in _exchanges("A1"):
        rig = Rig()
        rig.ready()
        rig.board.fault_at = {lost: fault}
        _run_to_the_end(rig, "A1")
        assert rig.ended() == [ended("A1", "delivered")]


def test_one_answer_doubled_anywhere_in_a_run() -> None:
    for doubled in _exchanges("A1"):
        rig = Rig()
        rig.ready()
        rig.board.doubled_at = {doubled}
        _run_to_the_end(rig, "A1")
        assert rig.ended() == [ended("A1", "delivered")]


@settings(max_examples=60, deadline=None)
@given(
    lost=st.lists(st.tuples(st.integers(0, 130), st.integers(1, 9)), max_size=3),
    fault=st.sampled_from([Fault.COMMAND_LOST, Fault.ANSWER_LOST]),
    hangs=st.booleans(),
    slot=st.sampled_from(["A1", "A2"]),
)
def test_bursts_of_lost_exchanges(lost: list[tuple[int, int]], fault: Fault, hangs: bool, slot: str) -> None:
    rig = Rig()
    rig.ready()
    if hangs:
        rig.board.spirals[1].hang()
    first = rig.board.exchanges
    rig.board.fault_at = {first + at + n: fault for at, burst in lost for n in range(burst)}
    _run_to_the_end(rig, slot)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 3.0), st.sampled_from(["A1", "A2"]))
def test_a_process_killed_at_any_moment(after_s: float, slot: str) -> None:
    rig = Rig()
    rig.ready()
    rig.begin(slot)
    rig.run(after_s)
    rig.restart()
    rig.run(3)
    assert rig.board.running() == []
    assert rig.board.truth().drops.get(SLOTS[slot], 0) <= 1


@given(
    st.lists(st.tuples(st.binary(max_size=12), st.sampled_from([READ_INPUTS, ALL_OFF, None])), max_size=60)
)
def test_any_bytes_are_survived(said: list[tuple[bytes, Question | None]]) -> None:
    link = ModbusLink(SLOTS)
    link.opened(0.0)
    now_s = 0.0
    for noise, echo in said:
        link.perform(RunMotor("A1"), now_s)
        send, events = link.turn(noise + (encode(echo, 1) if echo else b""), now_s)
        assert len(send) in {0, 8}
        assert all(isinstance(event, DriverEvent) for event in events)
        now_s += 0.03


def test_the_barrier_asks_what_a_run_does_not() -> None:
    assert READ_OUTPUTS.function not in {READ_INPUTS.function, ALL_OFF.function, Function.WRITE_REGISTER}
    assert SILENT_S > PULSE_TENTHS / 10
