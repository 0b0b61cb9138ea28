"""The level 3 simulator against the protocol's own words, without any of our drivers."""

import pytest

from edge.mdb.frame import Ack, Block, Data, Reply, Silence
from edge.sim.bus import Fault, VirtualBus
from edge.sim.changer_level3 import SimChangerLevel3


class Bus:
    def __init__(self) -> None:
        self.changer = SimChangerLevel3(tubes=(12, 34, 80, 9))
        self.wire = VirtualBus([self.changer])
        self.now_s = 0.0

    def ask(self, block: str, after_s: float = 0.15) -> Reply:
        self.now_s += after_s
        raw = bytes.fromhex(block)
        return self.wire.exchange(Block(raw[0], raw[1:]), self.now_s)


@pytest.fixture
def bus() -> Bus:
    bus = Bus()
    assert bus.ask("0B") == Data(b"\x0b")
    assert bus.ask("0F 01 00 00 00 07") == Ack()
    return bus


def test_setup_and_identification(bus: Bus) -> None:
    assert bus.ask("09") == Data(bytes.fromhex("0319780502000f0102040a1428"))
    reply = bus.ask("0F 00")
    assert isinstance(reply, Data)
    assert len(reply.data) == 33
    assert reply.data[-4:] == b"\0\0\0\7"


def test_features_are_off_until_enabled_and_after_a_reset(bus: Bus) -> None:
    for block in ("0F 02 0F", "0F 03", "0F 04", "0F 05", "0F 06", "0F 07"):
        assert bus.ask(block) != Silence()
    bus.changer.reset()
    for block in ("0F 02 0F", "0F 03", "0F 04", "0F 05", "0F 06", "0F 07", "0F FA"):
        assert bus.ask(block) == Silence()


def test_alternative_payout(bus: Bus) -> None:
    assert bus.ask("0F 02 0F") == Ack()
    assert bus.ask("0B", 0.01) == Data(b"\x02")
    assert bus.ask("0F 04", 0.01) == Data(b"\0")
    assert bus.ask("0F 03", 0.01) == Ack()  # busy
    bus.wire.fault_next[0x0F] = Fault.ACK_LOST
    assert bus.ask("0F 04", 0.2) == Data(b"\x0a")
    assert bus.ask("0F 04", 0.01) == Data(b"\x0a")  # told again
    assert bus.ask("0F 04", 1.0) == Data(b"\x05")
    assert bus.ask("0F 04") == Ack()
    assert bus.ask("0F 03") == Data(b"\1\0\1\1")
    assert bus.ask("0F 03") == Data(b"\0")
    assert bus.changer.truth().paid_minor() == 75


def test_diagnostics(bus: Bus) -> None:
    assert bus.ask("0F 05") == Data(b"\3\0")
    bus.changer.diagnose((0x15, 0x02))
    assert bus.ask("0F 05") == Data(b"\x15\2")


def test_reports_of_coins_moved_by_hand(bus: Bus) -> None:
    bus.changer.load(3, 5)
    bus.changer.take(0, 2)
    assert bus.ask("0F 05") == Data(b"\5\x20")
    assert bus.ask("0F 06") == Data(b"\0\0\0\5" + bytes(12))
    assert bus.ask("0F 07") == Data(b"\2" + bytes(15))
    assert bus.ask("0F 05") == Data(b"\3\0")
    assert bus.changer.truth().tubes[:4] == (10, 34, 80, 14)


def test_switches_work_until_they_are_turned_off(bus: Bus) -> None:
    bus.changer.press_switch(0, 2)
    assert bus.ask("0B") == Data(b"\xa0\x0a")
    bus.ask("0C 00 3F 00 00")
    bus.changer.press_switch(0, 2)
    assert bus.ask("0B") == Ack()
    assert bus.changer.truth().taken == {0: 2}
