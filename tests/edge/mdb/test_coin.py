"""The changer's driver against the changer's simulator, through the adapter's bytes, in virtual time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.mdb.coin.codes import COIN_TYPES
from edge.mdb.coin.driver import CoinChanger
from edge.mdb.frame import Ack, Block, Data, Reply, Silence
from edge.sale.effects import AcceptCoins, PayOut, RunMotor
from edge.sale.events import (
    ChangerLost,
    ChangerReady,
    CoinIn,
    DeviceFault,
    DeviceFaultCleared,
    DriverEvent,
    Lever,
    PayoutEnded,
    Route,
)
from edge.sim.bus import Fault
from edge.sim.changer import TUBE_CAPACITY, SimChanger
from tests.edge.mdb.rig import Rig

DISPENSE = 0x0D
POLL = 0x0B
TUBES = (12, 34, 50, 9)


def padded(*values: int) -> tuple[int, ...]:
    return values + (0,) * (COIN_TYPES - len(values))


def test_start_of_a_changer_just_switched_on() -> None:
    rig = Rig()
    assert rig.ready() == ChangerReady(padded(5, 10, 20, 50, 100, 200), padded(*TUBES))
    blocks = [line for line in rig.sent if line.startswith(b"R,")]
    probes = [b"R,0F,00", b"R,0B", b"R,0F,00", b"R,0B"]  # level 2: silent
    assert blocks[:-1] == [b"R,09", b"R,0B", b"R,0B", b"R,09", *probes, b"R,0A", b"R,0C,00000000"]


def test_start_of_a_changer_that_was_running() -> None:
    rig = Rig()
    rig.ready()
    rig.restart()
    rig.sent.clear()
    asked_s = rig.now_s
    rig.ready()
    blocks = [line for line in rig.sent if line.startswith(b"R,") and line != b"R,0B"]
    probes = [b"R,0F,00", b"R,0F,00"]
    assert blocks == [b"R,09", b"R,08", b"R,09", *probes, b"R,0A", b"R,0C,00000000"]
    assert rig.now_s - asked_s > 0.5  # some changers count their tubes for so long after a reset


def test_coins_start_disabled_and_are_accepted_when_wanted() -> None:
    rig = Rig()
    rig.ready()
    rig.sim.insert(3)
    assert rig.run(1) == []
    assert rig.sim.truth().returned == {3: 1}
    rig.do(AcceptCoins(enabled=True))
    rig.run(1)
    assert rig.sim.truth().enabled_mask == 0x003F
    rig.sim.insert(3)
    rig.sim.insert(4)
    assert rig.run(2) == [CoinIn(3, 50, Route.TUBE, 10), CoinIn(4, 100, Route.CASHBOX, 0)]
    rig.do(AcceptCoins(enabled=False))
    rig.run(0.1)
    assert rig.sim.truth().enabled_mask == 0


def test_a_full_tube_sends_its_coins_to_the_cashbox() -> None:
    rig = Rig(SimChanger(tubes=(0, 0, TUBE_CAPACITY, 0)))
    rig.ready(accept=True)
    rig.sim.insert(2)
    assert rig.run(1) == [CoinIn(2, 20, Route.CASHBOX, TUBE_CAPACITY)]


def test_two_equal_coins_are_two_coins() -> None:
    rig = Rig()
    rig.ready(accept=True)
    for coin in (5, 5, 3, 3, 5, 5):
        rig.sim.insert(coin)
    rig.run(3)
    assert rig.credited_minor() == rig.sim.truth().taken_minor() == 900


def test_lever() -> None:
    rig = Rig()
    rig.ready()
    rig.sim.press_lever()
    assert rig.run(1) == [Lever()]


def test_payout() -> None:
    rig = Rig()
    rig.ready()
    assert rig.pay(0, 20, 0, 2) == PayoutEnded(padded(12, 14, 50, 7))
    assert rig.sim.truth().paid == {1: 20, 3: 2}
    assert [line for line in rig.sent if line.startswith(b"R,0D")] == [b"R,0D,23", b"R,0D,F1", b"R,0D,51"]
    assert rig.run(5) == []


def test_a_payout_of_nothing_ends_too() -> None:
    rig = Rig()
    rig.ready()
    assert rig.pay() == PayoutEnded(padded(*TUBES))


def test_a_payout_that_stops_short_tells_what_is_left() -> None:
    rig = Rig(SimChanger(tubes=(0, 0, 0, 1)))
    rig.ready()
    assert rig.pay(0, 0, 0, 3) == PayoutEnded(padded(0, 0, 0, 0))
    assert rig.sim.truth().paid == {3: 1}


def test_a_jammed_tube_is_a_fault_and_pays_nothing() -> None:
    rig = Rig()
    rig.ready()
    rig.sim.jam_tube(3)
    rig.sim.report(b"\x07")
    assert rig.pay(0, 0, 1, 1) == PayoutEnded(padded(12, 34, 49, 9))
    assert DeviceFault("changer", "tube_jam") in rig.events


def test_coins_are_off_before_the_payout_starts() -> None:
    rig = Rig()
    rig.ready(accept=True)
    rig.run(0.5)
    rig.sent.clear()
    rig.do(AcceptCoins(enabled=False))
    rig.pay(0, 0, 0, 1)
    assert [line for line in rig.sent if line != b"R,0B"] == [b"R,0C,00000000", b"R,0D,13", b"R,0A"]


@pytest.mark.parametrize(("fault", "paid"), [(Fault.ANSWER_LOST, 2), (Fault.COMMAND_LOST, 0)])
def test_dispense_is_never_repeated_when_its_answer_was_lost(fault: Fault, paid: int) -> None:
    rig = Rig()
    rig.ready()
    rig.bus.fault_next[DISPENSE] = fault
    assert rig.pay(0, 5, 0, 2) == PayoutEnded(padded(12, 34, 50, 9 - paid))
    rig.run(10)
    assert rig.dispensed() == 1
    assert rig.sim.truth().paid == ({3: paid} if paid else {})


def test_a_coin_that_falls_in_during_the_count_comes_before_the_payouts_end() -> None:
    rig = Rig()
    rig.ready(accept=True)
    rig.order(0, 0, 0, 2)
    while b"R,0A" not in rig.sent[-1:]:
        rig.step()
    rig.sim.insert(3)
    events = rig.until(PayoutEnded)
    assert events == [CoinIn(3, 50, Route.TUBE, 8), PayoutEnded(padded(12, 34, 50, 8))]


def test_a_second_payout_order_while_one_runs_is_the_same_payout() -> None:
    rig = Rig()
    rig.ready()
    rig.order(0, 0, 0, 2)
    rig.run(0.2)
    rig.order(0, 0, 0, 2)
    rig.run(5)
    assert rig.sim.truth().paid == {3: 2}
    assert sum(isinstance(event, PayoutEnded) for event in rig.events) == 1
    assert rig.driver.counts["payouts_dropped"] == 1


def test_a_payout_planned_before_the_last_start_pays_nothing() -> None:
    rig = Rig()
    rig.ready()
    planned = PayOut((0, 0, 0, 2), rig.told_tubes())
    rig.sim.reset()
    rig.until(ChangerReady)
    rig.do(planned)  # the sale has read neither ChangerLost nor ChangerReady, which ends its payout
    assert rig.run(3) == []
    assert rig.sim.truth().paid == {}
    rig.do(AcceptCoins(enabled=False))
    rig.do(planned)
    assert rig.until(PayoutEnded) == [PayoutEnded(padded(12, 34, 50, 7))]
    assert rig.driver.counts["payouts_dropped"] == 1


def test_a_payout_planned_with_coins_that_are_gone_pays_nothing() -> None:
    rig = Rig()
    rig.ready(accept=True)
    planned = PayOut((0, 0, 0, 2), rig.told_tubes())
    rig.pay(0, 0, 0, 2)
    rig.do(planned)
    assert rig.until(PayoutEnded) == [PayoutEnded(padded(12, 34, 50, 7))]
    for coin in (3, 3):
        rig.sim.insert(coin)
        rig.until(CoinIn)
    rig.sim.insert(3)
    rig.until(CoinIn)
    rig.do(planned)  # one coin more than planned with: the sale has not read of it yet
    assert rig.until(PayoutEnded) == [PayoutEnded(padded(12, 34, 50, 8))]
    assert rig.sim.truth().paid == {3: 4}


def test_unasked_reset() -> None:
    rig = Rig()
    rig.ready(accept=True)
    rig.run(0.5)
    rig.sent.clear()
    rig.sim.reset()
    assert rig.until(ChangerReady) == [
        ChangerLost("reset"),
        ChangerReady(padded(5, 10, 20, 50, 100, 200), padded(*TUBES)),
    ]
    assert b"R,08" not in rig.sent
    assert rig.sim.truth().enabled_mask == 0x003F  # what the sale wanted holds


def test_a_payout_cut_by_a_reset_ends_with_the_tubes_of_the_next_start() -> None:
    rig = Rig()
    rig.ready()
    rig.order(0, 0, 0, 9)
    rig.run(1)
    rig.sim.reset()
    events = rig.until(ChangerReady)
    tubes = rig.sim.truth().tubes
    assert [type(event) for event in events] == [ChangerLost, ChangerReady]
    assert events[-1] == ChangerReady(padded(5, 10, 20, 50, 100, 200), tubes)
    assert 0 < tubes[3] < 9
    assert not any(isinstance(event, PayoutEnded) for event in rig.events + rig.run(5))


def test_offline_and_back() -> None:
    rig = Rig()
    rig.ready(accept=True)
    rig.bus.silent = True
    silent_s = rig.now_s
    assert rig.until(ChangerLost) == [ChangerLost("silent")]
    assert 2.0 <= rig.now_s - silent_s < 2.5
    rig.sent.clear()
    rig.run(35)
    assert rig.sent.count(b"R,08") == 4  # at once and every 10 s
    rig.bus.silent = False
    assert [type(event) for event in rig.until(ChangerReady)] == [ChangerReady]
    rig.run(0.5)
    assert rig.sim.truth().enabled_mask == 0x003F


def test_a_changer_that_never_was_there_is_told_once() -> None:
    rig = Rig()
    rig.bus.silent = True
    assert rig.run(60) == [ChangerLost("silent")]
    assert 5 <= rig.sent.count(b"R,08") <= 25
    rig.bus.silent = False
    assert [type(event) for event in rig.run(15)] == [ChangerReady]


@pytest.mark.parametrize("losses", [0, 1, 2])
def test_a_coin_taken_while_the_process_was_down_is_credited(losses: int) -> None:
    """Lost answers to the first questions too: a RESET would make the changer forget the coin."""
    rig = Rig()
    rig.ready(accept=True)
    rig.run(0.5)
    rig.sim.insert(5)
    rig.restart()
    for exchange in range(losses):
        rig.bus.fault_at[rig.bus.exchanges + exchange] = Fault.ANSWER_LOST
    assert [type(event) for event in rig.until(ChangerReady)] == [CoinIn, ChangerReady]
    assert rig.credited_minor() == rig.sim.truth().taken_minor() == 200


def test_a_payout_of_a_killed_process_ends_before_the_tubes_are_counted() -> None:
    rig = Rig()
    rig.ready()
    rig.order(0, 0, 0, 8)
    rig.run(0.3)
    rig.restart()
    assert rig.ready().tubes == rig.sim.truth().tubes == padded(12, 34, 50, 1)


def test_defective_tube() -> None:
    rig = Rig()
    rig.sim.break_tube_sensor(1)
    events = rig.until(ChangerReady)
    assert events == [
        DeviceFault("changer", "tube_defective_1"),
        ChangerReady(padded(5, 10, 20, 50, 100, 200), padded(12, 0, 50, 9)),
    ]


def test_a_tube_that_becomes_defective_in_a_payout_is_not_taken_for_paid_out() -> None:
    rig = Rig()
    rig.ready()
    rig.sim.jam_tube(3)
    rig.sim.break_tube_sensor(3)
    rig.order(0, 5, 0, 2)
    assert rig.run(5) == [
        DeviceFault("changer", "tube_defective_3"),
        PayoutEnded(padded(12, 29, 50, 9)),  # nothing left this tube, as far as anybody knows
        PayoutEnded(padded(12, 29, 50, 0)),  # and nothing more will
    ]
    assert rig.pay(1) == PayoutEnded(padded(11, 29, 50, 0))


def test_a_lasting_fault_is_told_once_and_cleared() -> None:
    rig = Rig()
    rig.ready(accept=True)
    rig.sim.report_lasting(b"\x06")
    assert rig.run(2) == [DeviceFault("changer", "acceptor_unplugged")]
    assert rig.pay(0, 0, 0, 1) == PayoutEnded(padded(12, 34, 50, 8))  # it does not hold a payout up
    rig.sim.report_lasting(b"")
    assert rig.run(2) == [DeviceFaultCleared("changer", "acceptor_unplugged")]


def test_occurrences_are_told_each_time_and_cleared_by_a_reset() -> None:
    rig = Rig()
    rig.ready()
    rig.sim.report(b"\x0c")
    rig.run(1)
    rig.sim.report(b"\x0c")
    rig.run(1)
    assert rig.events[-2:] == [DeviceFault("changer", "coin_jam")] * 2
    rig.sim.reset()
    assert DeviceFaultCleared("changer", "coin_jam") in rig.until(ChangerReady)


def test_what_is_no_credit_is_counted_and_nothing_more() -> None:
    rig = Rig()
    rig.ready(accept=True)
    rig.sim.report(b"\x22\x71\x22\x63\x01\x0e")  # slugs, rejected, unused route, unknown
    assert rig.run(1) == []
    assert rig.driver.counts["slugs"] == 2
    assert rig.driver.counts["coins_rejected"] == 1
    assert rig.driver.counts["activities_unknown"] == 2


def test_a_coin_of_no_known_value_is_a_fault_not_credit() -> None:
    rig = Rig()
    rig.ready(accept=True)
    rig.sim.report(b"\x4f\x00")
    assert rig.run(1) == [DeviceFault("changer", "coin_without_value")]


def test_effects_of_other_devices_are_ignored() -> None:
    rig = Rig()
    rig.ready()
    rig.do(RunMotor("A1"))
    assert rig.run(1) == []


# Repetitions after a lost acknowledgement


@pytest.mark.parametrize("coin", [3, 5], ids=["to tube", "to cashbox"])
@pytest.mark.parametrize("losses", [1, 2, 3])
def test_a_coin_told_again_is_credited_once(coin: int, losses: int) -> None:
    rig = Rig()
    rig.ready(accept=True)
    rig.run(0.5)
    for number in range(2000):  # the next polls with data, as many as wanted
        rig.bus.fault_at[rig.bus.exchanges + number] = Fault.ACK_LOST
    rig.sim.insert(coin)
    while (
        rig.sim.truth().inserted.get(coin, 0) == 0 or rig.driver._repeats.counts["replies_repeated"] < losses
    ):
        rig.step()
    rig.bus.fault_at.clear()
    rig.run(2)
    assert rig.credited_minor() == rig.sim.truth().taken_minor()


def test_a_tube_coin_told_again_late_is_credited_once() -> None:
    rig = Rig()
    rig.ready(accept=True)
    rig.bus.fault_next[POLL] = Fault.ACK_LOST
    rig.sim.insert(3)
    rig.until(CoinIn)
    rig.bus.silent = True
    rig.run(1)
    rig.bus.silent = False
    assert rig.run(2) == []


def fed(driver: CoinChanger, now_s: float, reply: Reply) -> tuple[Block | None, list[DriverEvent]]:
    block = driver.next_request(now_s)
    return block, driver.on_reply(block, reply, now_s + 0.005) if block else []


def started(driver: CoinChanger) -> float:
    """A driver that is ready, and when."""
    now_s = 0.0
    answers: dict[int, Reply] = {
        0x09: Data(bytes.fromhex("0219780502000f0102040a1428")),
        0x0A: Data(bytes.fromhex("00000c225009")),
        0x0C: Ack(),
    }
    told = [Data(b"\x0b")]
    while True:
        now_s = max(now_s + 0.001, driver.next_wake_s)
        block = driver.next_request(now_s)
        assert block is not None
        reply = answers.get(block.head) or (told.pop() if told else Ack())
        if driver.on_reply(block, reply, now_s):
            driver.perform(AcceptCoins(enabled=False), now_s)
            return now_s


@pytest.mark.parametrize(
    ("data", "after_s", "credited"),
    [
        ("530a", 0.030, 1),  # polled again at once: a repetition
        ("4400", 0.030, 1),
        ("530a", 0.400, 1),  # late: the tube count tells
        ("53ff", 0.400, 2),  # late, and the count is at its end: in the customer's favour
        ("4400", 0.400, 2),
    ],
)
def test_when_the_same_reply_again_is_a_second_coin(data: str, after_s: float, credited: int) -> None:
    driver = CoinChanger()
    now_s = started(driver) + 0.2
    reply = Data(bytes.fromhex(data))
    _, first = fed(driver, now_s, reply)
    _, second = fed(driver, now_s + after_s, reply)
    assert len(first + second) == credited


def test_news_behind_a_repetition_are_told() -> None:
    driver = CoinChanger()
    now_s = started(driver) + 0.2
    fed(driver, now_s, Data(b"\x53\x0a"))
    _, events = fed(driver, now_s + 0.03, Data(b"\x53\x0a\x53\x0b\x06"))
    assert events == [DeviceFault("changer", "acceptor_unplugged"), CoinIn(3, 50, Route.TUBE, 11)]


def test_equal_coins_in_normal_polls_are_all_credited() -> None:
    driver = CoinChanger()
    now_s = started(driver)
    events = []
    for _ in range(5):
        for reply in (Data(b"\x44\0"), Ack()):  # Ack: what the poll at once finds
            now_s += 0.16
            events += fed(driver, now_s, reply)[1]
    assert len(events) == 5


# A changer that answers, but not as it should


def test_scaling_that_fits_no_minor_unit_is_refused_and_asked_again_later() -> None:
    driver = CoinChanger(minor_exponent=0)
    _, events = fed(driver, 0.0, Data(bytes.fromhex("0219780502000f0102040a1428")))
    assert events == [DeviceFault("changer", "scaling_not_whole"), ChangerLost("scaling_not_whole")]
    assert driver.next_request(9.0) is None
    block, events = fed(driver, 11.0, Data(bytes.fromhex("0219780502000f0102040a1428")))
    assert block == Block(0x09)
    assert events == []
    _, events = fed(driver, 22.0, Data(bytes.fromhex("02197801000001 01".replace(" ", ""))))
    assert events == [DeviceFaultCleared("changer", "scaling_not_whole")]


def test_a_changer_that_only_acknowledges_is_given_up_after_a_while() -> None:
    driver = CoinChanger()
    now_s = 0.0
    events: list[DriverEvent] = []
    while not events:
        now_s = max(now_s, driver.next_wake_s)
        events += fed(driver, now_s, Ack())[1]
    assert events == [ChangerLost("start_timeout")]
    assert 30 < now_s < 31


def test_a_payout_that_is_busy_for_ever_is_given_up() -> None:
    driver = CoinChanger()
    now_s = started(driver)
    driver.perform(PayOut((1,), ()), now_s)
    events: list[DriverEvent] = []
    while not events:
        now_s = max(now_s + 0.001, driver.next_wake_s)
        block = driver.next_request(now_s)
        assert block is not None
        events += driver.on_reply(block, Data(b"\x02") if block.head == POLL else Ack(), now_s)
    assert events == [ChangerLost("payout_timeout")]


@given(
    st.lists(
        st.tuples(
            st.floats(0, 3),
            st.one_of(
                st.just(Ack()), st.just(Silence()), st.builds(Data, st.binary(min_size=1, max_size=35))
            ),
        )
    )
)
@settings(max_examples=300)
def test_no_reply_whatever_breaks_the_driver(replies: list[tuple[float, Reply]]) -> None:
    driver = CoinChanger()
    now_s = 0.0
    for wait_s, reply in replies:
        now_s += wait_s
        driver.perform(PayOut((1, 2), ()), now_s)
        driver.perform(AcceptCoins(enabled=True), now_s)
        block = driver.next_request(now_s)
        if block is not None:
            driver.on_reply(block, reply, now_s)
