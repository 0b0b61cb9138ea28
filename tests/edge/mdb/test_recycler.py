"""The recycler behind the validator's driver: payouts, counts, and what cuts them short."""

from collections import Counter

import pytest

from edge.mdb.bill.codes import BILL_TYPES, Routing
from edge.mdb.bill.recycler import PAYOUT_LIMIT_S, PAYOUT_START_S, Recycler
from edge.mdb.bill.recycler_codes import (
    DISPENSE_STATUS,
    PAYOUT_CANCEL,
    PAYOUT_STATUS,
    PAYOUT_VALUE_POLL,
    Expansion,
    dispense_bill,
)
from edge.mdb.frame import Ack, Data
from edge.sale.effects import AcceptBills, PayOutBills
from edge.sale.events import (
    BillEscrowed,
    BillIn,
    BillPayoutEnded,
    BillReturned,
    BillRoute,
    BillsLost,
    BillsReady,
    DeviceFault,
    RecyclerChanged,
)
from edge.sim.bus import Fault
from edge.sim.validator import SimValidator
from tests.edge.mdb.bill_rig import ALL, BillRig

EXPANSION = 0x37
FIRST_ORDER, SECOND_ORDER = b"R,37,06010003", b"R,37,06000002"


def notes(*counts: int) -> tuple[int, ...]:
    return counts + (0,) * (BILL_TYPES - len(counts))


def recycling(*counts: int) -> BillRig:
    rig = BillRig(SimValidator(counts), decide=lambda _: True)
    rig.ready(ALL)
    return rig


def test_notes_of_its_types_go_to_the_recycler_and_count() -> None:
    rig = recycling(5, 4)
    rig.sim.insert(0)
    rig.sim.insert(3)
    rig.run(5)
    assert [event for event in rig.events if isinstance(event, BillIn)] == [
        BillIn(0, 500, BillRoute.RECYCLER),
        BillIn(3, 5000, BillRoute.CASHBOX),
    ]
    assert rig.pay(1) == BillPayoutEnded(notes(5, 4))  # the note that came in is in the count


def test_payout() -> None:
    rig = recycling(5, 4)
    assert rig.pay(2, 3) == BillPayoutEnded(notes(3, 1))
    assert rig.sim.truth().paid == {1: 3, 0: 2}
    orders = [line for line in rig.sent if line in {FIRST_ORDER, SECOND_ORDER}]
    assert orders == [FIRST_ORDER, SECOND_ORDER]
    assert rig.run(5) == []
    assert rig.driver.counts["payouts_differing"] == 0


def test_payout_of_nothing_and_of_more_than_there_is() -> None:
    rig = recycling(5, 4)
    assert rig.pay() == BillPayoutEnded(notes(5, 4))
    assert rig.pay(9) == BillPayoutEnded(notes(0, 4))


def test_notes_are_off_before_the_payout_starts() -> None:
    rig = recycling(5, 4)
    rig.sent.clear()
    rig.do(AcceptBills(frozenset()))
    rig.pay(1)
    assert rig.blocks()[:2] == [b"R,34,00000000", b"R,37,06000001"]


def test_a_dead_dispenser_pays_nothing_and_is_not_waited_for_long() -> None:
    rig = recycling(5, 4)
    rig.sim.break_dispenser(dead=True)
    rig.sim.report(b"\x26")
    started_s = rig.now_s
    assert rig.pay(1) == BillPayoutEnded(notes(5, 4))
    assert PAYOUT_START_S < rig.now_s - started_s < PAYOUT_START_S + 2
    assert DeviceFault("validator", "dispenser_did_not_start") in rig.events


def test_a_payout_that_takes_too_long_is_cancelled() -> None:
    rig = recycling(5, 4)
    rig.sim.break_dispenser(stuck=True)
    started_s = rig.now_s
    assert rig.pay(2, 3) == BillPayoutEnded(notes(5, 4))
    assert PAYOUT_LIMIT_S < rig.now_s - started_s < PAYOUT_LIMIT_S + 5
    assert rig.sent.count(b"R,37,0A") == 1
    rig.sim.break_dispenser()
    assert rig.pay(2) == BillPayoutEnded(notes(3, 4))


def test_a_payout_that_cannot_be_cancelled_is_given_up() -> None:
    rig = recycling(5, 4)
    rig.sim.report_lasting(b"\x2a")
    rig.do(PayOutBills((1,)))
    assert BillsLost("payout_timeout") in rig.until(BillsLost, 2 * PAYOUT_LIMIT_S + 10)
    assert not any(isinstance(event, BillPayoutEnded) for event in rig.events)
    rig.sim.report_lasting(b"")
    assert rig.until(BillsReady)[0] == BillsReady(
        (500, 1000, 2000, 5000, *notes()[4:]), rig.sim.truth().recycler, escrow=True
    )


@pytest.mark.parametrize(("fault", "paid"), [(Fault.ANSWER_LOST, 3), (Fault.COMMAND_LOST, 0)])
def test_an_order_is_never_repeated_when_its_answer_was_lost(fault: Fault, paid: int) -> None:
    rig = recycling(5, 4)
    rig.bus.fault_next[EXPANSION] = fault
    assert rig.pay(2, 3) == BillPayoutEnded(notes(5, 4 - paid))
    rig.run(10)
    assert rig.sent.count(FIRST_ORDER) == 1
    assert SECOND_ORDER not in rig.sent  # the rest is the sale's to decide
    assert rig.sim.truth().paid == ({1: paid} if paid else {})


def test_a_second_payout_order_while_one_runs_is_the_same_payout() -> None:
    rig = recycling(5, 4)
    rig.do(PayOutBills((2,)))
    rig.run(1)
    rig.do(PayOutBills((2,)))
    rig.run(10)
    assert rig.sim.truth().paid == {0: 2}
    assert sum(isinstance(event, BillPayoutEnded) for event in rig.events) == 1
    assert rig.driver.counts["payouts_dropped"] == 1


def test_a_payout_while_the_validator_is_lost_is_dropped() -> None:
    rig = recycling(5, 4)
    rig.sim.reset()
    rig.until(BillsLost)
    rig.do(PayOutBills((2,)))
    rig.until(BillsReady)
    rig.run(5)
    assert rig.sim.truth().paid == {}


def test_a_payout_waits_for_the_note_in_escrow() -> None:
    rig = BillRig(SimValidator((5, 4)))
    rig.ready(ALL)
    rig.escrowed(1)
    rig.do(PayOutBills((1,)))
    rig.run(3)
    assert b"R,37,06000001" not in rig.sent
    rig.settle(stack=True)
    assert rig.until(BillPayoutEnded) == [
        BillIn(1, 1000, BillRoute.RECYCLER),
        BillPayoutEnded(notes(4, 5)),
    ]


def test_a_note_that_comes_in_during_the_count_is_told_before_the_count() -> None:
    rig = BillRig(SimValidator((5, 4)))
    rig.ready(ALL)
    rig.do(PayOutBills((1,)))
    rig.until_sent(b"R,37,05")
    rig.sim.report(b"\xb1")  # and the count has it already
    rig.sim._recycler.notes[1] += 1  # type: ignore[union-attr]
    events = rig.until(BillPayoutEnded)
    assert events == [BillIn(1, 1000, BillRoute.RECYCLER), BillPayoutEnded(notes(4, 5))]


def test_a_payout_cut_by_a_reset_ends_with_the_counts_of_the_next_start() -> None:
    rig = recycling(5, 4)
    rig.do(PayOutBills((5,)))
    rig.run(4)
    rig.sim.reset()
    events = rig.until(BillsReady)
    assert events[0] == BillsLost("reset")
    ready = next(event for event in events if isinstance(event, BillsReady))
    assert ready.recycled == rig.sim.truth().recycler
    assert 0 < rig.sim.truth().paid[0] < 5
    assert not any(isinstance(event, BillPayoutEnded) for event in rig.events + rig.run(5))


def test_a_payout_of_a_killed_process_ends_before_the_notes_are_counted() -> None:
    rig = recycling(5, 4)
    rig.do(PayOutBills((4,)))
    rig.run(1)
    rig.restart()
    assert rig.ready().recycled == rig.sim.truth().recycler == notes(1, 4)


# Notes that move without a customer


def test_the_filled_key() -> None:
    rig = recycling(5, 4)
    rig.sim.fill(1, 6)
    assert rig.run(3) == [RecyclerChanged(notes(5, 10))]
    rig.sim.report(b"\x2f")
    assert rig.run(3) == []


@pytest.mark.parametrize("after_s", [0.2, 0.35, 0.5])
def test_a_payout_that_is_wanted_while_filled_notes_are_counted(after_s: float) -> None:
    rig = recycling(5, 4)
    rig.sim.fill(1, 6)
    rig.run(after_s)
    rig.do(PayOutBills((2, 3)))
    rig.until(BillPayoutEnded)
    rig.run(1)
    assert rig.events[-2:] == [RecyclerChanged(notes(5, 10)), BillPayoutEnded(notes(3, 7))]
    assert rig.sim.truth().paid == {1: 3, 0: 2}
    assert rig.pay(1) == BillPayoutEnded(notes(2, 7))


def test_the_filled_key_in_a_payout() -> None:
    rig = recycling(5, 4)
    rig.do(PayOutBills((2, 3)))
    rig.run(2)
    rig.sim.fill(1, 6)
    rig.until(BillPayoutEnded)
    assert rig.events[-2:] == [BillPayoutEnded(notes(3, 1)), RecyclerChanged(notes(3, 7))]
    assert rig.sim.truth().paid == {1: 3, 0: 2}
    assert rig.pay(1) == BillPayoutEnded(notes(2, 7))


def test_a_note_that_goes_to_the_cashbox_in_a_payout_was_not_paid() -> None:
    rig = recycling(5, 4)
    rig.do(PayOutBills((2,)))
    rig.run(1)
    rig.sim.transfer(0)
    events = [event for event in rig.run(10) if isinstance(event, BillPayoutEnded | RecyclerChanged)]
    assert events == [BillPayoutEnded(notes(3, 4)), RecyclerChanged(notes(2, 4))]
    assert rig.sim.truth().paid == {0: 2}


def test_notes_filled_and_dispensed_by_hand_are_counted_again() -> None:
    rig = recycling(5, 4)
    rig.sim._recycler.notes[0] += 1  # type: ignore[union-attr]
    rig.sim.report(bytes([0x80 | Routing.FILLED << 4]))
    assert rig.run(3) == [RecyclerChanged(notes(6, 4))]
    rig.sim._recycler.notes[0] -= 2  # type: ignore[union-attr]
    rig.sim.report(bytes([0x80 | Routing.DISPENSED << 4] * 2))
    assert rig.run(3) == [RecyclerChanged(notes(4, 4))]
    assert rig.credited_minor() == 0


def test_the_note_returned_while_a_payout_waits() -> None:
    rig = BillRig(SimValidator((5, 4)))
    rig.ready(ALL)
    rig.sim.insert(1)
    assert BillEscrowed(1, 1000) in rig.until(BillEscrowed)
    rig.do(PayOutBills((1,)))
    rig.settle(stack=False)
    assert rig.until(BillPayoutEnded) == [BillReturned(1, 1000), BillPayoutEnded(notes(4, 4))]


# The part alone


def begun(*bills: int, counts: Counter[str] | None = None) -> Recycler:
    recycler = Recycler(counts if counts is not None else Counter())
    recycler.routing_mask = 0x0003
    recycler.count(notes(5, 4))
    recycler.take_count()
    recycler.pay(bills)
    return recycler


def ask(recycler: Recycler, now_s: float = 0.0) -> object:
    return recycler.request(now_s, note_in_escrow=False)


def test_each_note_that_comes_out_gives_the_payout_more_time() -> None:
    recycler = begun(3)
    assert ask(recycler) == dispense_bill(0, 3)
    recycler.on_reply(Expansion.DISPENSE_BILL, Ack(), 0.0)
    for now_s, value in ((50.0, 5), (100.0, 10)):
        recycler.on_reply(Expansion.PAYOUT_VALUE_POLL, Data(bytes([0, value])), now_s)
        assert not recycler.too_late(now_s)
    recycler.on_reply(Expansion.PAYOUT_VALUE_POLL, Data(b"\0\x0a"), 159.0)
    assert ask(recycler) == PAYOUT_VALUE_POLL
    assert not recycler.too_late(161.0)
    assert ask(recycler) == PAYOUT_CANCEL
    assert recycler.too_late(161.0 + PAYOUT_LIMIT_S + 1)


def test_replies_that_make_no_sense_are_asked_for_again() -> None:
    recycler = begun(1)
    ask(recycler)
    recycler.on_reply(Expansion.DISPENSE_BILL, Data(b"\x01"), 0.0)  # perhaps it pays, perhaps not
    for reply in (Data(b"\x01"), Ack()):
        recycler.on_reply(Expansion.PAYOUT_VALUE_POLL, reply, 1.0)
        assert ask(recycler) == PAYOUT_VALUE_POLL if isinstance(reply, Data) else PAYOUT_STATUS
    recycler.on_reply(Expansion.PAYOUT_STATUS, Data(bytes(3)), 2.0)
    assert ask(recycler) == PAYOUT_STATUS
    recycler.on_reply(Expansion.PAYOUT_STATUS, Ack(), 2.0)
    for reply in (Ack(), Data(b"\0")):
        recycler.on_reply(Expansion.DISPENSE_STATUS, reply, 3.0)
        assert ask(recycler) == DISPENSE_STATUS


def test_counts_that_contradict_payout_status_are_believed_and_counted() -> None:
    counts: Counter[str] = Counter()
    recycler = begun(2, counts=counts)
    ask(recycler)
    recycler.on_reply(Expansion.DISPENSE_BILL, Ack(), 0.0)
    recycler.polled(busy=True, quiet=False)
    recycler.polled(busy=False, quiet=True)
    recycler.on_reply(Expansion.PAYOUT_VALUE_POLL, Ack(), 3.0)
    recycler.on_reply(Expansion.PAYOUT_STATUS, Data(b"\0\x02"), 3.0)
    recycler.on_reply(Expansion.DISPENSE_STATUS, Data(b"\0\0\0\x04\0\x04"), 3.0)
    assert recycler.polled(busy=False, quiet=True) == [BillPayoutEnded(notes(4, 4))]
    assert counts == {"payouts_differing": 1}
