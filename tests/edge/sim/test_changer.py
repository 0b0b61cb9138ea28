"""The simulator against the protocol's own words, without any of our drivers."""

import pytest

from edge.mdb.frame import Ack, Block, Data, Reply, Silence
from edge.sim.bus import Fault, VirtualBus
from edge.sim.changer import COIN_SPACING_S, RESET_BUSY_S, SELF_RESET_S, SimChanger
from edge.sim.qibixx import SimQibixx

ALL_COINS = Block(0x0C, bytes.fromhex("003f0000"))


class Bus:
    """A changer at the bus, with a clock that each exchange moves on."""

    def __init__(self) -> None:
        self.changer = SimChanger(tubes=(12, 34, 80, 9))
        self.wire = VirtualBus([self.changer])
        self.now_s = 0.0

    def ask(self, block: Block, after_s: float = 0.15) -> Reply:
        self.now_s += after_s
        return self.wire.exchange(block, self.now_s)

    def poll(self, after_s: float = 0.15) -> Reply:
        return self.ask(Block(0x0B), after_s)


@pytest.fixture
def bus() -> Bus:
    bus = Bus()
    assert bus.poll() == Data(b"\x0b")
    assert bus.poll() == Ack()
    return bus


def test_worked_replies(bus: Bus) -> None:
    assert bus.ask(Block(0x09)) == Data(bytes.fromhex("0219780502000f0102040a1428"))
    assert bus.ask(Block(0x0A)) == Data(bytes.fromhex("00040c225009") + bytes(12))
    assert bus.ask(ALL_COINS) == Ack()
    bus.changer.insert(3)
    assert bus.poll() == Data(b"\x53\x0a")
    bus.changer.insert(4)
    assert bus.poll() == Data(b"\x44\x00")


def test_what_is_not_acknowledged_is_told_again_with_the_news(bus: Bus) -> None:
    bus.ask(ALL_COINS)
    bus.changer.insert(3)
    bus.wire.fault_next[0x0B] = Fault.ACK_LOST
    assert bus.poll() == Data(b"\x53\x0a")
    bus.changer.insert(3)
    assert bus.ask(Block(0x0A)) != Ack()  # its acknowledgement is not the coin's
    assert bus.poll() == Data(b"\x53\x0a\x53\x0b")
    assert bus.poll() == Ack()


def test_an_answer_that_is_lost_is_told_again(bus: Bus) -> None:
    bus.changer.press_lever()
    bus.wire.fault_next[0x0B] = Fault.ANSWER_LOST
    assert bus.poll() == Silence()
    assert bus.poll() == Data(b"\x01")


def test_coins_pass_one_after_the_other(bus: Bus) -> None:
    bus.ask(ALL_COINS)
    bus.changer.insert(5)
    bus.changer.insert(5)
    assert bus.poll() == Data(b"\x45\x00")
    assert bus.poll(COIN_SPACING_S / 2) == Ack()
    assert bus.poll() == Data(b"\x45\x00")


def test_coins_that_are_not_enabled_go_back_to_the_customer(bus: Bus) -> None:
    bus.changer.insert(1)
    assert bus.poll() == Data(b"\x71\x22")
    truth = bus.changer.truth()
    assert (truth.inserted, truth.returned, truth.taken_minor()) == ({1: 1}, {1: 1}, 0)


def test_dispense_takes_its_time_and_stops_at_an_empty_tube(bus: Bus) -> None:
    assert bus.ask(Block(0x0D, b"\xf3")) == Ack()
    busy = 0
    while bus.poll() == Data(b"\x02"):
        busy += 1
    assert 15 <= busy <= 21
    assert bus.changer.truth().paid == {3: 9}
    assert bus.changer.truth().paid_minor() == 450


def test_reset_forgets_all_but_the_coins(bus: Bus) -> None:
    bus.ask(ALL_COINS)
    bus.changer.insert(3)
    bus.ask(Block(0x0A))
    assert bus.ask(Block(0x08)) == Ack()
    assert bus.poll(RESET_BUSY_S / 2) == Silence()
    assert bus.poll(RESET_BUSY_S) == Data(b"\x0b")
    assert bus.poll() == Ack()
    assert bus.changer.truth().enabled_mask == 0
    assert bus.changer.truth().tubes[3] == 10


def test_without_traffic_it_resets_itself(bus: Bus) -> None:
    bus.ask(ALL_COINS)
    assert bus.poll(SELF_RESET_S + 1) == Data(b"\x0b")
    assert bus.changer.truth().enabled_mask == 0


def test_what_it_does_not_know_is_met_with_silence(bus: Bus) -> None:
    assert bus.ask(Block(0x0F, b"\0")) == Silence()  # a level 3 command
    assert bus.ask(Block(0x0C, b"\0")) == Silence()
    assert bus.ask(Block(0x33)) == Silence()  # nobody has this address
    bus.wire.silent = True
    assert bus.poll() == Silence()


def test_a_long_report_is_told_in_several_replies(bus: Bus) -> None:
    for _ in range(20):
        bus.changer.press_lever()
    assert bus.poll() == Data(b"\x01" * 15)
    assert bus.poll() == Data(b"\x01" * 5)


def test_the_adapters_lines() -> None:
    adapter = SimQibixx(VirtualBus([SimChanger()]))
    assert adapter.turn(b"R,0B\n", 0.0) == b"p,NACK\r\n"  # no master yet
    assert adapter.turn(b"V\nM,1\r\nF,RESPTIMEOUT,20\n", 0.0) == (
        b"v,4.0.2.0,16df464a3031340136313930\r\nm,ACK\r\nf,ACK\r\n"
    )
    assert adapter.turn(b"r,0", 0.0) == b""
    assert adapter.turn(b"b\n", 0.0) == b"p,0b\r\n"
    assert adapter.turn(b"R,0B\nR,33\nnonsense\n", 0.0) == b"p,ACK\r\np,NACK\r\n"
