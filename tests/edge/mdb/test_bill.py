"""The validator's driver against the validator's simulator, through the adapter's bytes, in virtual time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.mdb.bill.driver import BillValidator
from edge.mdb.bill.notes import Told
from edge.mdb.frame import Ack, Block, Data, Reply, Silence
from edge.sale.effects import AcceptBills, PayOutBills, RunMotor, SettleBill
from edge.sale.events import (
    BillEscrowed,
    BillIn,
    BillPayoutEnded,
    BillReturned,
    BillRoute,
    BillsLost,
    BillsReady,
    DeviceFault,
    DeviceFaultCleared,
    Lever,
    StackerChanged,
)
from edge.sim.bus import Fault
from edge.sim.validator import STACKER_CAPACITY, SimValidator
from tests.edge.mdb.bill_rig import ALL, BillRig

POLL, BILL_TYPE, ESCROW = 0x33, 0x34, 0x35
STACK, RETURN = b"R,35,01", b"R,35,00"
NONE = (0,) * 16
READY = BillsReady((500, 1000, 2000, 5000, *NONE[4:]), NONE, escrow=True)
IN_BOX = BillIn(1, 1000, BillRoute.CASHBOX)


# Start


def test_start_of_a_validator_just_switched_on() -> None:
    rig = BillRig()
    assert rig.ready() == READY
    assert rig.events == [READY, StackerChanged(full=False, bills=43)]
    start = [b"R,31", b"R,34,00000000", b"R,31", b"R,37,00", b"R,32,0000", b"R,36", b"R,34,00000000"]
    assert rig.blocks() == start
    assert rig.driver.identity is not None
    assert rig.driver.identity.manufacturer == "SIM"


def test_start_of_a_validator_that_was_running() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.restart()
    rig.sent.clear()
    asked_s = rig.now_s
    assert rig.ready() == READY
    assert rig.blocks()[:4] == [b"R,31", b"R,34,00000000", b"R,30", b"R,31"]
    assert 3.0 < rig.now_s - asked_s < 6.0


def test_start_of_a_validator_with_a_recycler() -> None:
    rig = BillRig(SimValidator((5, 4)))
    assert rig.ready().recycled == (5, 4, *NONE[2:])
    assert rig.blocks()[2:8] == [
        b"R,31",
        b"R,37,02",
        b"R,37,0100000002",
        b"R,37,03",
        b"R,37,0400000303" + b"00" * 14,
        b"R,37,05",
    ]


def test_notes_start_disabled_and_are_taken_when_wanted() -> None:
    rig = BillRig(decide=lambda _: True)
    rig.ready()
    rig.sim.insert(1)
    rig.run(1)
    assert rig.sim.truth().returned == {1: 1}
    assert rig.driver.counts["attempts_while_disabled"] == 1
    rig.do(AcceptBills(frozenset({0, 1})))
    rig.run(0.5)
    assert rig.sim.truth().enabled_mask == 0x0003
    rig.sim.insert(3)
    rig.sim.insert(1)
    rig.run(3)
    assert rig.sim.truth().returned == {1: 1, 3: 1}
    assert rig.driver.counts["bills_rejected"] == 1
    assert rig.credited_minor() == 1000
    rig.do(AcceptBills(frozenset()))
    rig.run(0.5)
    assert rig.sim.truth().enabled_mask == 0


def test_types_without_value_are_never_enabled() -> None:
    rig = BillRig()
    rig.ready(frozenset(range(16)))
    assert rig.sim.truth().enabled_mask == 0x000F


# Escrow


def test_a_note_is_credited_when_it_is_stacked_and_not_before() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.sim.insert(1)
    assert rig.run(3) == [BillEscrowed(1, 1000)]
    assert rig.sim.truth().stacked == {}
    rig.settle(stack=True)
    assert rig.run(3) == [IN_BOX, StackerChanged(full=False, bills=44)]
    assert rig.sim.truth().stacked == {1: 1}


def test_a_note_that_is_returned_is_no_credit() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.escrowed(2)
    rig.settle(stack=False)
    assert rig.run(3) == [BillReturned(2, 2000)]
    assert rig.sim.truth().returned == {2: 1}


def test_the_first_decision_holds_and_one_on_another_note_is_dropped() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.do(SettleBill(1, stack=True))  # none is there
    rig.escrowed(1)
    rig.do(SettleBill(0, stack=True))
    rig.run(1)
    assert rig.sim.truth().escrow_orders == ()
    rig.settle(stack=False)
    rig.settle(stack=True)
    rig.run(3)
    assert rig.sim.truth().returned == {1: 1}
    assert rig.driver.counts["settles_dropped"] == 3


def test_a_note_that_nobody_decides_on_is_returned_by_the_validator() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.escrowed(1)
    assert BillReturned(1, 1000) in rig.run(40)
    assert rig.sent.count(STACK) + rig.sent.count(RETURN) == 0


def test_two_equal_notes_are_two_notes() -> None:
    rig = BillRig(decide=lambda _: True)
    rig.ready(ALL)
    for bill in (1, 1, 0, 1, 1):
        rig.sim.insert(bill)
    rig.run(12)
    assert rig.credited_minor() == rig.sim.truth().taken_minor() == 4500


def test_without_escrow_notes_are_stacked_at_once() -> None:
    rig = BillRig(SimValidator(escrow=False))
    assert not rig.ready(ALL).escrow
    assert b"R,34,000F0000" in rig.sent
    rig.sim.insert(1)
    assert rig.run(3) == [IN_BOX, StackerChanged(full=False, bills=44)]


def test_a_note_that_jams_on_its_way_to_the_stacker() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.sim.jam_next()
    rig.escrowed(1)
    rig.settle(stack=True)
    assert rig.run(3) == [DeviceFault("validator", "validator_jammed"), BillReturned(1, 1000)]
    rig.run(30)
    assert DeviceFaultCleared("validator", "validator_jammed") not in rig.events
    rig.sim.repair()
    assert rig.run(1) == [DeviceFaultCleared("validator", "validator_jammed")]


def test_a_note_that_leaves_escrow_by_unknown_means_is_no_credit() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.escrowed(1)
    rig.sim.pull_from_escrow()
    assert rig.run(3) == [DeviceFault("validator", "bill_removed"), BillReturned(1, 1000)]
    rig.settle(stack=True)
    rig.run(3)
    assert rig.sim.truth().escrow_orders == ()


def test_a_validator_that_repeats_escrow_while_it_holds_and_is_disabled_then() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.sim.report(b"\x91")
    rig.sim.report_lasting(b"\x91\x09")
    assert rig.run(15) == [BillEscrowed(1, 1000)]
    rig.settle(stack=False)
    rig.run(0.2)
    assert RETURN in rig.sent


def test_a_note_of_no_known_value_is_given_back() -> None:
    rig = BillRig()
    rig.ready(ALL)
    without_value = DeviceFault("validator", "bill_without_value")
    rig.sim.report(b"\x9e")
    rig.run(1)
    assert rig.events[-2:] == [without_value, DeviceFault("validator", "invalid_escrow_request")]
    assert RETURN in rig.sent
    rig.sim.report(b"\xae\x8e")
    assert rig.run(1) == [without_value]


def test_another_note_in_escrow_than_the_one_that_is_known() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.sim.report(b"\x91")
    rig.sim.report(b"\x92")
    assert rig.run(1) == [BillEscrowed(1, 1000), BillReturned(1, 1000), BillEscrowed(2, 2000)]


def test_a_note_that_is_secure_counts_whatever_was_decided() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.sim.report(b"\x91")
    rig.run(0.5)
    rig.settle(stack=False)
    rig.sim.report(b"\x81")
    assert IN_BOX in rig.run(2)


# Escrow orders whose answer was lost


@pytest.mark.parametrize("stack", [True, False])
def test_an_order_that_was_carried_out_unheard_is_not_repeated(stack: bool) -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.escrowed(1)
    rig.bus.fault_next[ESCROW] = Fault.ANSWER_LOST
    rig.settle(stack=stack)
    rig.sim.insert(2)  # the next customer's note is in escrow soon
    rig.run(20)
    assert rig.sim.truth().escrow_orders == ((1, stack),)
    assert rig.sent.count(STACK) + rig.sent.count(RETURN) == 1


@pytest.mark.parametrize("stack", [True, False])
def test_an_order_that_was_not_heard_is_repeated_after_a_while(stack: bool) -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.escrowed(1)
    rig.bus.fault_next[ESCROW] = Fault.COMMAND_LOST
    rig.settle(stack=stack)
    asked_s = rig.now_s
    rig.until(BillIn if stack else BillReturned)
    assert rig.sim.truth().escrow_orders == ((1, stack),)
    assert 5 < rig.now_s - asked_s < 7


def test_an_order_waits_for_a_poll_that_was_answered_just_before() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.escrowed(1)
    rig.run(1)
    rig.bus.silent = True
    rig.run(1)
    rig.sent.clear()
    rig.settle(stack=True)
    rig.run(1)
    assert STACK not in rig.sent
    rig.bus.silent = False
    assert IN_BOX in rig.run(3)


def test_a_busy_validator_is_not_asked_again_until_it_is_done() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.sim.report(b"\x91")
    rig.run(0.5)
    rig.bus.fault_next[ESCROW] = Fault.COMMAND_LOST
    rig.sim.report_lasting(b"\x03")
    rig.settle(stack=True)
    rig.run(15)
    assert rig.sent.count(STACK) == 1


def test_an_escrow_order_without_any_outcome_ends_with_a_new_start() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.sim.report(b"\x91")
    rig.run(0.5)
    rig.settle(stack=True)
    events = rig.until(BillsReady)
    assert DeviceFault("validator", "invalid_escrow_request") in events
    assert [event for event in events if isinstance(event, BillsLost)] == [BillsLost("escrow_timeout")]


# A new process


def test_a_note_in_escrow_at_a_restart_goes_back_to_the_customer() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.escrowed(3)
    rig.restart()
    rig.until(BillsReady)
    truth = rig.sim.truth()
    assert (truth.returned, truth.stacked, rig.credited_minor()) == ({3: 1}, {}, 0)


def test_a_note_that_came_into_escrow_while_the_process_was_down_goes_back() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.sim.insert(3)
    rig.run(0.2)
    rig.restart()
    rig.until(BillsReady)
    assert rig.sim.truth().returned == {3: 1}
    assert rig.driver.counts["bills_escrowed_at_start"] == 1
    assert not any(isinstance(event, BillEscrowed) for event in rig.events)


@pytest.mark.parametrize("killed_s", [0.0, 0.1, 0.3, 0.6, 0.9, 1.2])
def test_a_note_that_a_killed_process_ordered_to_be_stacked_is_credited(killed_s: float) -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.escrowed(3)
    rig.settle(stack=True)
    rig.until_sent(STACK)
    rig.run(killed_s)
    rig.restart()
    rig.until(BillsReady)
    assert rig.credited_minor() == rig.sim.truth().taken_minor() == 5000


def test_a_note_that_was_stacked_without_a_word_is_waited_for() -> None:
    """Some units say nothing while they stack: the drain is longer than any stacking."""
    rig = BillRig()
    rig.ready(ALL)
    rig.restart()
    rig.run(2)
    rig.sim.report(b"\x83")
    assert BillIn(3, 5000, BillRoute.CASHBOX) in rig.until(BillsReady)


def test_a_validator_that_is_busy_for_ever_is_reset_after_a_minute() -> None:
    rig = BillRig()
    rig.ready()
    rig.sim.report_lasting(b"\x03")
    rig.restart()
    rig.sent.clear()
    started_s = rig.now_s
    rig.until_sent(b"R,30")
    assert 60 < rig.now_s - started_s < 61


# Losses


def test_unasked_reset_with_a_note_in_escrow() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.escrowed(1)
    rig.sent.clear()
    rig.sim.reset()
    assert rig.until(BillsReady) == [BillsLost("reset"), READY, StackerChanged(full=False, bills=43)]
    assert b"R,30" not in rig.sent
    assert rig.sim.truth().enabled_mask == 0x000F  # what the sale wanted holds
    assert rig.sim.truth().returned == {1: 1}


@pytest.mark.parametrize(("recycler", "route"), [(None, BillRoute.CASHBOX), ((5, 4), BillRoute.RECYCLER)])
def test_a_note_whose_stacking_was_cut_off_by_a_reset_is_found_by_the_counts(
    recycler: tuple[int, ...] | None, route: BillRoute
) -> None:
    rig = BillRig(SimValidator(recycler))
    rig.ready(ALL)
    rig.escrowed(1)
    rig.settle(stack=True)
    rig.run(0.5)
    rig.sim.reset()
    events = rig.until(BillsReady)
    assert events[:2] == [BillsLost("reset"), BillIn(1, 1000, route)]
    assert rig.credited_minor() == rig.sim.truth().taken_minor() == 1000
    rig.sim.reset()
    rig.until(BillsReady)
    assert rig.credited_minor() == 1000


def test_a_note_whose_return_was_cut_off_by_a_reset_is_not_credited() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.escrowed(1)
    rig.settle(stack=False)
    rig.run(0.2)
    rig.sim.reset()
    rig.until(BillsReady)
    assert rig.credited_minor() == rig.sim.truth().taken_minor() == 0


def test_offline_and_back() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.bus.silent = True
    silent_s = rig.now_s
    assert rig.until(BillsLost) == [BillsLost("silent")]
    assert 5.0 <= rig.now_s - silent_s < 5.5
    rig.sent.clear()
    rig.run(35)
    assert rig.sent.count(b"R,30") == 4  # at once and every 10 s
    rig.bus.silent = False
    assert [type(event) for event in rig.until(BillsReady)] == [BillsReady, StackerChanged]
    assert rig.sim.truth().enabled_mask == 0x000F


def test_a_validator_that_never_was_there_is_told_once() -> None:
    rig = BillRig()
    rig.bus.silent = True
    assert rig.run(60) == [BillsLost("silent")]
    rig.bus.silent = False
    assert [type(event) for event in rig.run(20)] == [BillsReady, StackerChanged]


def test_a_note_stacked_while_the_bus_was_away_is_credited() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.escrowed(1)
    rig.settle(stack=True)
    rig.run(0.3)
    rig.dialogue.closed("port_lost", rig.now_s)
    rig.now_s += 3
    rig.dialogue.opened(rig.now_s)
    assert [type(event) for event in rig.until(BillsReady)][-3:] == [BillIn, BillsReady, StackerChanged]
    assert rig.credited_minor() == rig.sim.truth().taken_minor() == 1000


def test_a_unit_whose_just_reset_was_lost_is_enabled_again() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.sim.reset()
    with rig.sim._lock:
        rig.sim._events.clear()
    rig.run(5)
    assert rig.sim.truth().enabled_mask == 0
    rig.run(7)
    assert rig.sim.truth().enabled_mask == 0x000F


# Stacker, faults, and what is no credit


def test_a_full_stacker_takes_no_notes_until_it_is_emptied() -> None:
    rig = BillRig(SimValidator(stacker=STACKER_CAPACITY - 1))
    rig.ready(ALL)
    rig.escrowed(1)
    rig.settle(stack=True)
    assert rig.run(3) == [IN_BOX, StackerChanged(full=True, bills=STACKER_CAPACITY)]
    assert rig.sim.truth().enabled_mask == 0
    rig.sim.empty_cashbox()
    assert rig.until(StackerChanged) == [StackerChanged(full=False, bills=0)]
    rig.run(0.5)
    assert rig.sim.truth().enabled_mask == 0x000F


def test_a_fault_stands_until_the_unit_is_enabled_again() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.sim.report_lasting(b"\x09")
    rig.sim.report(b"\x08")
    assert rig.run(25) == [DeviceFault("validator", "cashbox_out_of_position")]
    rig.sim.report(b"\x08")
    assert rig.run(1) == []
    rig.sim.report_lasting(b"")
    assert rig.run(1) == [DeviceFaultCleared("validator", "cashbox_out_of_position")]


def test_a_dispensers_fault_stands_until_it_is_enabled_again() -> None:
    rig = BillRig(SimValidator((1, 1)))
    rig.ready(ALL)
    rig.sim.report_lasting(b"\x29")
    rig.sim.report(b"\x27")
    assert rig.run(5) == [DeviceFault("validator", "dispenser_jam")]
    rig.sim.report_lasting(b"")
    assert rig.run(1) == [DeviceFaultCleared("validator", "dispenser_jam")]


def test_occurrences_are_told_each_time_and_cleared_by_a_reset() -> None:
    rig = BillRig()
    rig.ready()
    for _ in range(2):
        rig.sim.report(b"\x0c")
        rig.run(1)
    assert rig.events[-2:] == [DeviceFault("validator", "credited_bill_removal")] * 2
    rig.sim.reset()
    assert DeviceFaultCleared("validator", "credited_bill_removal") in rig.until(BillsReady)


def test_the_recyclers_lever() -> None:
    rig = BillRig()
    rig.ready()
    rig.sim.report(b"\x21")
    assert rig.run(1) == [Lever()]


def test_what_is_no_credit_is_counted_and_nothing_more() -> None:
    rig = BillRig()
    rig.ready(ALL)
    rig.sim.report(b"\xc1\x0b\x14\x43\x25\xa1\x60")
    assert rig.run(1) == []
    assert rig.driver.counts == {"bills_rejected": 3, "attempts_while_disabled": 3, "activities_unknown": 2}


def test_effects_of_other_devices_are_ignored() -> None:
    rig = BillRig()
    rig.ready()
    rig.do(RunMotor("A1"))
    assert rig.run(1) == []


def test_a_payout_without_a_recycler_ends_and_pays_nothing() -> None:
    rig = BillRig()
    rig.ready()
    assert rig.pay(1, 1) == BillPayoutEnded(NONE)
    assert not any(line.startswith(b"R,37,06") for line in rig.sent)


# Repetitions after a lost acknowledgement


def lose_acknowledgements(rig: BillRig) -> None:
    """Of all POLLs from now on."""
    rig.bus.fault_at.update({rig.bus.exchanges + number: Fault.ACK_LOST for number in range(1000)})


@pytest.mark.parametrize("escrow", [True, False])
@pytest.mark.parametrize("losses", [1, 2, 3])
def test_a_note_told_again_is_credited_once(escrow: bool, losses: int) -> None:
    rig = BillRig(SimValidator(escrow=escrow), decide=lambda _: True)
    rig.ready(ALL)
    lose_acknowledgements(rig)
    rig.sim.insert(1)
    rig.until(BillIn)
    repeated = rig.driver._repeats.counts["replies_repeated"]
    while rig.driver._repeats.counts["replies_repeated"] < repeated + losses:
        rig.step()
    rig.bus.fault_at.clear()
    rig.run(3)
    assert rig.credited_minor() == rig.sim.truth().taken_minor() == 1000


@pytest.mark.parametrize(
    ("escrow", "silent_s", "credited_minor"),
    [
        (True, 2, 1000),
        (False, 0.8, 1000),  # no second note can be stacked so soon
        (False, 2, 2000),  # nobody can know: in the customer's favour, as with coins
    ],
)
def test_when_the_same_note_again_is_a_second_note(
    escrow: bool, silent_s: float, credited_minor: int
) -> None:
    rig = BillRig(SimValidator(escrow=escrow), decide=lambda _: True)
    rig.ready(ALL)
    lose_acknowledgements(rig)
    rig.sim.insert(1)
    rig.until(BillIn)
    rig.bus.fault_at.clear()
    rig.bus.silent = True
    rig.run(silent_s)
    rig.bus.silent = False
    rig.run(3)
    assert rig.credited_minor() == credited_minor


# The driver alone


def fed(driver: BillValidator, now_s: float, reply: Reply) -> tuple[Block | None, Told]:
    block = driver.next_request(now_s)
    return block, driver.on_reply(block, reply, now_s + 0.005) if block else []


def test_scaling_that_fits_no_minor_unit_is_refused_and_asked_again_later() -> None:
    driver = BillValidator(minor_exponent=0)
    _, events = fed(driver, 0.0, Data(bytes.fromhex("011978000102 01F4FFFFFF05".replace(" ", ""))))
    assert events == [DeviceFault("validator", "scaling_not_whole"), BillsLost("scaling_not_whole")]
    assert driver.next_request(9.0) is None
    block, events = fed(driver, 11.0, Data(bytes.fromhex("011978000102 01F4FFFFFF05".replace(" ", ""))))
    assert block == Block(0x31)
    assert events == []
    _, events = fed(driver, 22.0, Data(bytes.fromhex("011978000100 01F4FFFFFF05".replace(" ", ""))))
    assert events == [DeviceFaultCleared("validator", "scaling_not_whole")]


def test_a_validator_that_only_acknowledges_is_given_up_after_a_while() -> None:
    driver = BillValidator()
    now_s = 0.0
    events: Told = []
    while not events:
        now_s = max(now_s, driver.next_wake_s)
        events += fed(driver, now_s, Ack())[1]
    assert events == [BillsLost("start_timeout")]
    assert 30 < now_s < 31


REPLIES = st.one_of(
    st.just(Ack()),
    st.just(Silence()),
    st.builds(Data, st.binary(min_size=1, max_size=35)),
    st.builds(
        Data,
        st.sampled_from(
            [b"\x06", b"\x91", b"\x81", bytes.fromhex("021978006402 01F4FFFFFF050A1432".replace(" ", ""))]
        ),
    ),
)


@given(st.lists(st.tuples(st.floats(0, 3), REPLIES), max_size=80))
@settings(max_examples=300)
def test_no_reply_whatever_breaks_the_driver(replies: list[tuple[float, Reply]]) -> None:
    driver = BillValidator()
    now_s = 0.0
    for wait_s, reply in replies:
        now_s += wait_s
        driver.perform(PayOutBills((1, 2)), now_s)
        driver.perform(AcceptBills(ALL), now_s)
        driver.perform(SettleBill(0, stack=True), now_s)
        block = driver.next_request(now_s)
        if block is not None:
            driver.on_reply(block, reply, now_s)
