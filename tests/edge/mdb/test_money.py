"""Whatever single exchange goes wrong, the coins and the books agree."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.mdb.adapters.known import ADAPTERS
from edge.sale.events import ChangerReady, DeviceFault, PayoutEnded
from edge.sim.bus import Fault
from edge.sim.changer import SimChanger
from edge.sim.changer_level3 import SimChangerLevel3
from tests.edge.mdb.rig import Rig

COINS = (3, 5, 5, 3, 0)
PAID = (2, 0, 0, 2)
WORTH_MINOR = 110


def story(fault: Fault | None, at: int, adapter: str, changer: type[SimChanger]) -> tuple[Rig, int]:
    """Coins in, change out, with one fault at this exchange; how many exchanges it took."""
    rig = Rig(changer(), adapter)
    if fault is not None:
        rig.bus.fault_at[at] = fault
    rig.ready(accept=True)
    rig.run(0.3)
    for coin in COINS:
        rig.sim.insert(coin)
    rig.run(2)
    rig.order(*PAID)
    rig.run(4)
    return rig, rig.bus.exchanges


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("changer", [SimChanger, SimChangerLevel3])
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_any_single_fault_loses_and_doubles_nothing(
    adapter: str, changer: type[SimChanger], fault: Fault
) -> None:
    whole, exchanges = story(None, 0, adapter, changer)
    assert whole.sim.truth().paid_minor() == WORTH_MINOR
    assert exchanges > 30
    for at in range(exchanges):
        rig, _ = story(fault, at, adapter, changer)
        truth = rig.sim.truth()
        assert rig.credited_minor() == truth.taken_minor(), at
        assert sum(truth.inserted.values()) == len(COINS)
        last = [event for event in rig.events if isinstance(event, PayoutEnded | ChangerReady)][-1]
        assert isinstance(last, PayoutEnded), at
        assert last.tubes == truth.tubes, at
        assert truth.paid_minor() <= WORTH_MINOR, at
        assert not any(isinstance(event, DeviceFault) for event in rig.events), at


@pytest.mark.parametrize("adapter", ADAPTERS)
@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([0, 3, 4, 5]), max_size=8),
    st.dictionaries(st.integers(0, 80), st.just(Fault.ACK_LOST), max_size=20),
)
def test_any_lost_acknowledgements_lose_and_double_nothing(
    adapter: str, coins: list[int], faults: dict[int, Fault]
) -> None:
    rig = Rig(adapter=adapter)
    rig.bus.fault_at.update(faults)
    rig.ready(accept=True)
    for coin in coins:
        rig.sim.insert(coin)
    rig.run(3)
    truth = rig.sim.truth()
    assert rig.credited_minor() == truth.taken_minor()
    assert sum(truth.tubes) + sum(truth.cashbox.values()) == 105 + len(coins) - sum(truth.returned.values())


@pytest.mark.parametrize("changer", [SimChanger, SimChangerLevel3])
@settings(max_examples=40, deadline=None)
@given(faults=st.dictionaries(st.integers(0, 40), st.sampled_from(Fault), max_size=8))
def test_no_faults_pay_more_than_ordered(changer: type[SimChanger], faults: dict[int, Fault]) -> None:
    rig = Rig(changer())
    rig.ready()
    rig.bus.fault_at.update({rig.bus.exchanges + at: fault for at, fault in faults.items()})
    rig.order(*PAID)
    rig.run(30)
    truth = rig.sim.truth()
    assert truth.paid_minor() <= WORTH_MINOR
    assert rig.told_tubes() == truth.tubes
