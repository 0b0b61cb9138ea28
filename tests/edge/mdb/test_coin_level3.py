"""The changer's driver against a changer of level 3."""

import pytest

from edge.mdb.coin.codes import COIN_TYPES
from edge.mdb.coin.driver import CoinChanger
from edge.mdb.coin.expansion import NO_FEATURES, Feature
from edge.mdb.frame import Ack, Block, Data
from edge.sale.effects import PayOut
from edge.sale.events import (
    ChangerReady,
    CoinIn,
    CoinsLoaded,
    CoinsTaken,
    DeviceFault,
    DeviceFaultCleared,
    PayoutEnded,
    Route,
)
from edge.sim.bus import Fault
from edge.sim.changer_level3 import SimChangerLevel3
from tests.edge.mdb.rig import Rig
from tests.edge.mdb.test_coin import started

EXPANSION, POLL = 0x0F, 0x0B
TUBES = (12, 34, 50, 9)


def padded(*values: int) -> tuple[int, ...]:
    return values + (0,) * (COIN_TYPES - len(values))


class Level3Rig(Rig):
    def __init__(self, changer: SimChangerLevel3 | None = None) -> None:
        self.changer = changer or SimChangerLevel3()
        super().__init__(self.changer)

    def asked(self, start: bytes) -> list[bytes]:
        return [line for line in self.sent if line.startswith(start)]


def test_start() -> None:
    rig = Level3Rig()
    rig.ready()
    blocks = [line for line in rig.sent if line.startswith(b"R,") and line != b"R,0B"]
    start = [b"R,09", b"R,09", b"R,0F,00", b"R,0F,0100000007", b"R,0A", b"R,0C,00000000"]
    assert blocks[: len(start)] == start
    profile = rig.driver._profile
    assert profile is not None
    assert profile.identification is not None
    assert profile.identification.serial == "000000000042"


@pytest.mark.parametrize("losses", [1, 2, 3])
def test_a_lost_identification_is_asked_for_once_more(losses: int) -> None:
    rig = Level3Rig()
    lost = 0
    while not any(isinstance(event, ChangerReady) for event in rig.events):
        if lost < losses:
            rig.bus.fault_next[EXPANSION] = Fault.ANSWER_LOST
        rig.step()
        lost = rig.bus.asked[EXPANSION]
    rig.bus.fault_next.clear()
    rig.run(6)
    assert bool(rig.asked(b"R,0F,05")) == (losses == 1)  # else it works as level 2 does


def test_a_changer_without_features_is_one_of_level_2() -> None:
    rig = Level3Rig(SimChangerLevel3(features=NO_FEATURES))
    rig.ready()
    rig.run(6)
    assert rig.pay(0, 20, 0, 2) == PayoutEnded(padded(12, 14, 50, 7))
    assert rig.bus.asked[EXPANSION] == 1


# Alternative payout


def test_payout_by_value() -> None:
    rig = Level3Rig()
    rig.ready()
    assert rig.pay(1, 0, 1, 1) == PayoutEnded(padded(11, 34, 49, 8))
    assert rig.asked(b"R,0F,02") == [b"R,0F,020F"]  # 0.75
    assert rig.dispensed() == 0
    assert rig.sim.truth().paid == {0: 1, 2: 1, 3: 1}
    assert rig.asked(b"R,0F,04")
    assert rig.asked(b"R,0F,03") == [b"R,0F,03"]
    assert rig.run(5) == []


def test_a_payout_of_more_than_one_order() -> None:
    rig = Level3Rig(SimChangerLevel3(tubes=(0, 0, 0, 60)))
    rig.ready()
    assert rig.pay(0, 0, 0, 30) == PayoutEnded(padded(0, 0, 0, 30))
    assert rig.asked(b"R,0F,02") == [b"R,0F,02FA", b"R,0F,0232"]
    assert rig.sim.truth().paid == {3: 30}


def test_the_changer_chooses_the_coins_and_the_tubes_tell() -> None:
    rig = Level3Rig()
    rig.ready()
    assert rig.pay(10) == PayoutEnded(padded(12, 34, 50, 8))
    assert not any(isinstance(event, DeviceFault) for event in rig.events)


@pytest.mark.parametrize(("fault", "paid"), [(Fault.ANSWER_LOST, 2), (Fault.COMMAND_LOST, 0)])
def test_an_order_whose_answer_was_lost_is_never_repeated(fault: Fault, paid: int) -> None:
    rig = Level3Rig()
    rig.ready()
    rig.run(0.5)
    rig.bus.fault_next[EXPANSION] = fault
    assert rig.pay(0, 0, 0, 2) == PayoutEnded(padded(12, 34, 50, 9 - paid))
    rig.run(10)
    assert rig.asked(b"R,0F,02") == [b"R,0F,0214"]
    assert rig.sim.truth().paid == ({3: paid} if paid else {})
    assert not any(isinstance(event, DeviceFault) for event in rig.events)


def test_coins_are_off_before_the_order_goes_out() -> None:
    rig = Level3Rig()
    rig.ready(accept=True)
    rig.run(0.5)
    rig.sent.clear()
    rig.order(0, 0, 0, 1)
    rig.driver._wanted = False
    rig.until(PayoutEnded)
    assert [line for line in rig.sent if line != b"R,0B"][:2] == [b"R,0C,00000000", b"R,0F,020A"]


def test_where_status_and_tubes_differ_the_tubes_are_believed() -> None:
    rig = Level3Rig()
    rig.ready()
    rig.changer.misreport_payout(3, by=1)
    assert rig.pay(0, 0, 0, 2) == PayoutEnded(padded(12, 34, 50, 7))
    assert DeviceFault("changer", "payout_status_differs") in rig.events


def test_of_a_tube_that_becomes_defective_the_status_is_believed() -> None:
    rig = Level3Rig()
    rig.ready()
    rig.sim.break_tube_sensor(3)
    rig.order(0, 5, 0, 2)  # 1.50, and the changer takes three of the 50c
    assert rig.run(5) == [
        DeviceFault("changer", "tube_defective_3"),
        PayoutEnded(padded(12, 34, 50, 6)),  # what it must hold
        PayoutEnded(padded(12, 34, 50, 0)),  # and nothing more will leave it
    ]
    assert rig.sim.truth().paid == {3: 3}


def test_a_coin_that_falls_in_during_the_payout_is_no_difference() -> None:
    rig = Level3Rig()
    rig.ready(accept=True)
    rig.run(0.5)
    rig.order(0, 0, 0, 2)
    rig.sim.insert(3)
    events = rig.until(PayoutEnded)
    assert [type(event) for event in events] == [CoinIn, PayoutEnded]
    assert events[-1] == PayoutEnded(padded(12, 34, 50, 8))
    assert rig.credited_minor() == 50


def test_a_reset_in_a_payout_ends_with_the_next_start_and_the_features_are_enabled_again() -> None:
    rig = Level3Rig()
    rig.ready()
    rig.order(0, 0, 0, 9)
    rig.run(1)
    rig.sim.reset()
    events = rig.until(ChangerReady)
    assert events[-1] == ChangerReady(padded(5, 10, 20, 50, 100, 200), rig.sim.truth().tubes)
    assert len(rig.asked(b"R,0F,0100000007")) == 2
    assert not any(isinstance(event, PayoutEnded) for event in rig.events + rig.run(5))


# Diagnostics, and coins that move by hand


def test_diagnostics_are_asked_every_few_seconds() -> None:
    rig = Level3Rig()
    rig.ready()
    rig.sent.clear()
    rig.run(30)
    assert 5 <= len(rig.asked(b"R,0F,05")) <= 7


def test_a_fault_is_told_when_it_appears_and_cleared_when_it_is_gone() -> None:
    rig = Level3Rig()
    rig.ready()
    rig.changer.diagnose((0x15, 0x02))
    assert rig.run(11) == [DeviceFault("changer", "cassette_removed")]
    rig.changer.diagnose((0x15, 0x02), (0x11, 0x30))
    assert rig.run(6) == [DeviceFault("changer", "discriminator_coin_jam")]
    rig.changer.diagnose()
    assert rig.run(6) == [
        DeviceFaultCleared("changer", "cassette_removed"),
        DeviceFaultCleared("changer", "discriminator_coin_jam"),
    ]


@pytest.mark.parametrize("fault", [None, *Fault])
@pytest.mark.parametrize("at", range(4))
def test_coins_loaded_and_taken_by_hand_are_told_once_and_are_no_credit(fault: Fault | None, at: int) -> None:
    rig = Level3Rig()
    rig.ready(accept=True)
    rig.run(1)
    rig.changer.load(0, 20)
    rig.changer.load(3, 5)
    rig.changer.take(1, 4)
    hit = 0
    until_s = rig.now_s + 12
    while rig.now_s < until_s:
        if fault is not None and hit == 0 and rig.bus.asked[EXPANSION] == 3 + at:
            rig.bus.fault_next[EXPANSION] = fault
            hit = 1
        rig.step()
    by_hand = [event for event in rig.events if isinstance(event, CoinsLoaded | CoinsTaken)]
    assert len(by_hand) == 2
    assert {type(event): event.coins for event in by_hand} == {
        CoinsLoaded: padded(20, 0, 0, 5),
        CoinsTaken: padded(0, 4),
    }
    assert rig.told_tubes() == rig.sim.truth().tubes
    assert rig.credited_minor() == 0
    assert rig.pay(0, 0, 0, 2).tubes == rig.sim.truth().tubes


def test_the_same_again_later_is_told_again() -> None:
    rig = Level3Rig()
    rig.ready()
    for _ in range(2):
        rig.changer.load(0, 5)
        assert [type(event) for event in rig.run(12)] == [CoinsLoaded]
    assert rig.told_tubes() == rig.sim.truth().tubes


def test_without_the_feature_no_reports_are_asked() -> None:
    rig = Level3Rig(SimChangerLevel3(features=Feature.EXTENDED_DIAGNOSTICS))
    rig.ready()
    rig.changer.load(0, 5)
    assert rig.run(12) == []
    assert rig.asked(b"R,0F,06") == []


def test_coins_dispensed_with_the_switches() -> None:
    rig = Rig()
    rig.ready(accept=True)
    rig.sim.report(b"\xa0\x0a")
    assert rig.run(1) == [CoinsTaken(padded(2), padded(10, 34, 50, 9))]
    rig.sim.press_switch(1)  # the driver has turned them off
    assert rig.run(1) == []
    assert rig.credited_minor() == 0


def test_a_coin_and_a_switch_in_one_reply() -> None:
    rig = Rig()
    rig.ready(accept=True)
    rig.sim.report(b"\xa0\x14\x53\x0a")
    assert rig.run(1) == [
        CoinsTaken(padded(2), padded(20, 34, 50, 9)),
        CoinIn(3, 50, Route.TUBE, 10),
    ]


def test_replies_to_level_3_blocks_that_come_too_late_change_nothing() -> None:
    driver = CoinChanger()
    now_s = started(driver)
    for data in (b"\0", b"\1\0\0\0\7", b"\2\x0f", b"\3", b"\4", b"\5", b"\6", b"\7"):
        for reply in (Ack(), Data(b"\1"), Data(b"\1" * 33)):
            events = driver.on_reply(Block(EXPANSION, data), reply, now_s)
            assert not any(isinstance(event, PayoutEnded | ChangerReady | CoinIn) for event in events)
    driver.perform(PayOut((1,), ()), now_s)
    assert driver.next_request(now_s + 1) == Block(0x0D, b"\x10")


def test_a_value_that_the_changer_would_not_find_is_paid_by_type() -> None:
    rig = Level3Rig(SimChangerLevel3(tubes=(0, 0, 3, 1)))
    rig.ready()
    assert rig.pay(0, 0, 3) == PayoutEnded(padded(0, 0, 0, 1))
    assert rig.sim.truth().paid == {2: 3}
