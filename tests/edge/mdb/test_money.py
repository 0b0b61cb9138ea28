"""Whatever single exchange goes wrong, the coins and the books agree."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.mdb.adapters import ADAPTERS
from edge.sale.effects import PayOut
from edge.sale.events import ChangerReady, PayoutEnded
from edge.sim.bus import Fault
from tests.edge.mdb.rig import Rig

COINS = (3, 5, 5, 3, 0)
PAID = (2, 0, 0, 2)


def story(fault: Fault | None, at: int, adapter: str) -> tuple[Rig, int]:
    """Coins in, change out, with one fault at this exchange; how many exchanges it took."""
    rig = Rig(adapter=adapter)
    if fault is not None:
        rig.bus.fault_at[at] = fault
    rig.ready(accept=True)
    rig.run(0.3)
    for coin in COINS:
        rig.sim.insert(coin)
    rig.run(2)
    rig.do(PayOut(PAID))
    rig.run(4)
    return rig, rig.bus.exchanges


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_any_single_fault_loses_and_doubles_nothing(adapter: str, fault: Fault) -> None:
    _, exchanges = story(None, 0, adapter)
    assert exchanges > 30
    for at in range(exchanges):
        rig, _ = story(fault, at, adapter)
        truth = rig.sim.truth()
        assert rig.credited_minor() == truth.taken_minor(), at
        assert sum(truth.inserted.values()) == len(COINS)
        last = [event for event in rig.events if isinstance(event, PayoutEnded | ChangerReady)][-1]
        assert isinstance(last, PayoutEnded), at
        assert last.tubes == truth.tubes, at
        assert all(paid <= want for paid, want in zip(truth.paid.values(), (2, 2), strict=False)), at


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
