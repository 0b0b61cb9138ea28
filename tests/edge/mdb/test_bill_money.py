"""Whatever single exchange goes wrong, whenever the process dies: notes, decisions and books agree."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.mdb.bill.codes import BILL_TYPES
from edge.sale.effects import PayOutBills
from edge.sale.events import (
    BillEscrowed,
    BillIn,
    BillPayoutEnded,
    BillReturned,
    BillRoute,
    BillsLost,
    BillsReady,
    RecyclerChanged,
)
from edge.sim.bus import Fault
from edge.sim.validator import SimValidator
from tests.edge.mdb.bill_rig import ALL, BillRig

NOTES = (1, 2, 3, 1)
PAID = (1, 2)
RECYCLERS = {"stacker only": None, "recycler": (5, 4)}


def decide(event: BillEscrowed) -> bool:
    return event.bill != 2


def story(recycler: tuple[int, ...] | None, faults: dict[int, Fault]) -> BillRig:
    """Notes in, one of them back, notes out."""
    rig = BillRig(SimValidator(recycler), decide)
    rig.bus.fault_at.update(faults)
    rig.ready(ALL)
    for bill in NOTES:
        rig.sim.insert(bill)
    for _ in range(30):
        rig.run(1)
        if not rig.sim._hands and rig.sim._note is None:
            break
    rig.run(2)
    rig.do(PayOutBills(PAID))
    rig.run(15)
    return rig


def check(rig: BillRig) -> None:
    """What holds at any time when nothing moves, whatever went wrong."""
    truth = rig.sim.truth()
    assert rig.credited_minor() == truth.taken_minor()
    assert sum(truth.inserted.values()) == sum(
        sum(counts.values()) for counts in (truth.returned, truth.stacked, truth.recycled)
    )
    assert all(stack == (bill != 2) for bill, stack in truth.escrow_orders)
    assert not truth.stacked.get(2)
    assert all(paid <= PAID[bill] for bill, paid in truth.paid.items())
    assert recycled_as_told(rig) == truth.recycler


def recycled_as_told(rig: BillRig) -> tuple[int, ...]:
    """What the sale believes to be in the recycler."""
    recycled = [0] * BILL_TYPES
    for event in rig.events:
        match event:
            case BillsReady(recycled=counts) | BillPayoutEnded(counts) | RecyclerChanged(counts):
                recycled = [*counts]
            case BillIn(bill, _, BillRoute.RECYCLER):
                recycled[bill] += 1
            case _:
                pass
    return tuple(recycled)


def check_escrow(rig: BillRig) -> None:
    """Each BillEscrowed ends, and once."""
    open_bill: int | None = None
    for event in rig.events:
        match event:
            case BillEscrowed(bill):
                assert open_bill is None
                open_bill = bill
            case BillIn(bill) | BillReturned(bill):
                assert open_bill in {bill, None}
                open_bill = None
            case BillsLost():
                open_bill = None
            case _:
                pass
    assert open_bill is None


@pytest.mark.parametrize("recycler", RECYCLERS.values(), ids=RECYCLERS)
@pytest.mark.parametrize("fault", Fault)
def test_any_single_fault_loses_and_doubles_nothing(fault: Fault, recycler: tuple[int, ...] | None) -> None:
    exchanges = story(recycler, {}).bus.exchanges
    assert exchanges > 100
    for at in range(exchanges):
        rig = story(recycler, {at: fault})
        check(rig)
        check_escrow(rig)
        assert rig.credited_minor() == 7000, at
        assert any(isinstance(event, BillPayoutEnded) for event in rig.events), at
        if recycler and fault is Fault.ACK_LOST:
            assert rig.sim.truth().paid == dict(enumerate(PAID)), at


@pytest.mark.parametrize("recycler", RECYCLERS.values(), ids=RECYCLERS)
def test_a_process_killed_at_any_exchange_loses_and_doubles_nothing(recycler: tuple[int, ...] | None) -> None:
    whole = story(recycler, {})
    for at in range(20, whole.bus.exchanges):
        rig = BillRig(SimValidator(recycler), decide)
        rig.ready(ALL)
        for bill in NOTES:
            rig.sim.insert(bill)
        payout_at = False
        while rig.bus.exchanges < at:
            rig.step()
            if rig.bus.exchanges > whole.bus.exchanges // 2 and not payout_at and rig.sim._note is None:
                payout_at = True
                rig.do(PayOutBills(PAID))
        while not rig.dialogue.at_rest:
            rig.step()  # an answer that is on its way cannot be told again by anybody
        rig.restart()
        rig.until(BillsReady)
        rig.run(1)
        check(rig)


@pytest.mark.parametrize("faults", [(fault, other) for fault in Fault for other in Fault])
def test_any_two_faults_in_a_row_without_escrow_lose_and_double_nothing(faults: tuple[Fault, Fault]) -> None:
    """Nothing but the time tells a second note from a repetition there."""
    for at in range(10, 80):
        rig = BillRig(SimValidator(escrow=False))
        rig.bus.fault_at.update({at: faults[0], at + 1: faults[1]})
        rig.ready(ALL)
        for bill in (3, 3, 1):
            rig.sim.insert(bill)
        rig.run(8)
        assert rig.credited_minor() == rig.sim.truth().taken_minor() == 11000, at


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([None, (5, 4)]),
    st.dictionaries(st.integers(0, 200), st.just(Fault.ACK_LOST), max_size=30),
)
def test_any_lost_acknowledgements_lose_and_double_nothing(
    recycler: tuple[int, ...] | None, faults: dict[int, Fault]
) -> None:
    rig = story(recycler, faults)
    check(rig)
    check_escrow(rig)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([None, (5, 4)]),
    st.dictionaries(st.integers(12, 250), st.sampled_from(Fault), max_size=25),
)
def test_any_faults_lose_and_double_nothing(
    recycler: tuple[int, ...] | None, faults: dict[int, Fault]
) -> None:
    check(story(recycler, faults))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([None, (5, 4)]), st.lists(st.floats(0.01, 4.0), min_size=1, max_size=6))
def test_brown_outs_at_any_time_lose_and_double_nothing(
    recycler: tuple[int, ...] | None, resets: list[float]
) -> None:
    """Of a reset, nothing tells but JUST RESET: notes that were on their way are found by the counts."""
    rig = BillRig(SimValidator(recycler), decide)
    rig.ready(ALL)
    for after_s in resets:
        rig.sim.insert(1)
        rig.run(after_s)
        rig.sim.reset()
        rig.until(BillsReady)
    rig.run(20)
    check(rig)
