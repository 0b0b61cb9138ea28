"""The start of the validator's driver, step by step."""

import pytest

from edge.mdb.bill.driver import BillValidator
from edge.mdb.bill.notes import Notes, Told
from edge.mdb.bill.phases import Phase
from edge.mdb.bill.recycler_codes import Expansion
from edge.mdb.bill.start import Outcome, Start
from edge.mdb.frame import Ack, Block, Data, Reply, Silence
from edge.sale.events import BillIn, BillRoute, BillsReady
from edge.sim.bus import Fault
from edge.sim.validator import STACK_S
from tests.edge.mdb.bill_rig import ALL, BillRig

LEVEL_2 = Data(bytes.fromhex("02197800640201F4FFFFFF050A1432"))
IDENTITY = bytes(29) + b"\0\0\0\x02"
EXPANSIONS: dict[int, Reply] = {
    Expansion.IDENTITY_WITH_OPTIONS: Data(IDENTITY),
    Expansion.FEATURES: Ack(),
    Expansion.RECYCLER_SETUP: Data(b"\0\x03"),
    Expansion.RECYCLER_ENABLE: Ack(),
    Expansion.DISPENSE_STATUS: Data(b"\0\0\0\x05"),
}
COMMANDS: dict[int, Reply] = {0x31: LEVEL_2, 0x36: Data(b"\0\0")}


def name(block: Block) -> int:
    """First byte of a block, or both of an EXPANSION block."""
    return block.head << 8 | block.data[0] if block.head == 0x37 else block.head


def start(answers: dict[int, list[Reply]]) -> tuple[list[int], Told, float]:
    """A level 2 unit just switched on, with other first answers: what was asked, what told, how long."""
    driver = BillValidator()
    now_s, asked, events = 0.0, list[int](), Told()
    answers = {0x33: [Data(b"\x06\x09")], **answers}
    while not events:
        now_s = max(now_s + 0.001, driver.next_wake_s)
        block = driver.next_request(now_s)
        assert block is not None
        asked.append(name(block))
        usual = EXPANSIONS[block.data[0]] if block.head == 0x37 else COMMANDS.get(block.head, Ack())
        others = answers.get(name(block))
        events = driver.on_reply(block, others.pop(0) if others else usual, now_s)
    return asked, events, now_s


def recycled(events: Told) -> int:
    assert isinstance(events[0], BillsReady)
    return events[0].recycled[0]


def test_order_of_the_start() -> None:
    asked, events, _ = start({})
    without_poll = [block for block in asked if block != 0x33]
    assert without_poll == [0x31, 0x34, 0x31, 0x3702, 0x3701, 0x3703, 0x3704, 0x3705, 0x32, 0x36, 0x34]
    assert recycled(events) == 5


@pytest.mark.parametrize("refused", [0x32, 0x34, 0x3702, 0x3701])
def test_a_unit_that_does_not_know_an_optional_command_starts_without(refused: int) -> None:
    asked, events, took_s = start({refused: [Silence()] * 3})
    assert took_s < 3
    assert recycled(events) == (0 if refused in {0x3702, 0x3701} else 5)
    if refused == 0x3701:
        assert 0x3703 not in asked  # a feature that could not be enabled is not used


@pytest.mark.parametrize("block", [0x31, 0x34, 0x3702, 0x3701, 0x3703, 0x3704, 0x3705, 0x32, 0x36])
@pytest.mark.parametrize("reply", [Silence(), Ack(), Data(b"\x01")])
def test_one_answer_that_is_lost_or_makes_no_sense_changes_nothing(block: int, reply: Reply) -> None:
    _, events, _ = start({block: [reply]})
    assert recycled(events) == 5


def test_no_poll_before_the_values_are_known() -> None:
    asked, _, _ = start({0x31: [Data(b"\x02"), Silence(), Ack(), LEVEL_2]})
    assert asked[:5] == [0x31] * 4 + [0x34]


def test_replies_from_before_a_loss_change_nothing() -> None:
    notes = Notes()
    start = Start(notes, minor_exponent=2)
    start.enter(Phase.STACKER, 30.0)
    for block in (Block(0x31), Block(0x37, b"\x05"), Block(0x34, bytes(4))):
        assert start.on_reply(block, Data(bytes(34)), 1.0) is Outcome.TAKEN
    assert start.phase is Phase.STACKER
    assert start.on_reply(Block(0x36), Data(b"\0\x07"), 1.0) is Outcome.TAKEN
    assert notes.stacker.bills == 7


@pytest.mark.parametrize(("in_between", "after"), [(False, Phase.SECURITY), (True, Phase.STACKER)])
def test_only_polls_behind_a_command_without_answer_pass_it_over(in_between: bool, after: Phase) -> None:
    start = Start(Notes(), minor_exponent=2)
    start.enter(Phase.SECURITY, 30.0)
    for _ in range(3):
        start.polled([], 1.0, in_between=in_between)
    assert start.phase is after


# What may still lie in the unit


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.COMMAND_LOST])
def test_a_single_setup_without_answer_is_no_reason_for_a_reset(fault: Fault) -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.escrowed(3)
    rig.restart()
    rig.bus.fault_next[0x31] = fault
    rig.sim.report(b"\x83")
    assert BillIn(3, 5000, BillRoute.CASHBOX) in rig.until(BillsReady)


def test_the_reset_follows_the_last_quiet_poll_at_once() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.restart()
    polled_s, polls = 0.0, 0
    while rig.sent[-1] != b"R,30":
        rig.step()
        if rig.sent.count(b"R,33") > polls:
            polled_s, polls = rig.now_s, rig.sent.count(b"R,33")
    assert rig.now_s - polled_s < 0.05 < STACK_S
