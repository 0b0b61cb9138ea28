"""The simulator against the protocol's own words, without any of our drivers."""

import pytest

from edge.mdb.frame import Ack, Block, Data, Reply, Silence
from edge.sim.bus import Fault, VirtualBus
from edge.sim.recycler import CAPACITY, NOTE_PAYOUT_S
from edge.sim.validator import ESCROW_HOLD_S, RESET_BUSY_S, SELF_RESET_S, STACKER_CAPACITY, SimValidator

ALL_NOTES = Block(0x34, bytes.fromhex("000f000f"))
STACK, RETURN, STACKER = Block(0x35, b"\x01"), Block(0x35, b"\x00"), Block(0x36)
RECYCLING_ON = (Block(0x37, bytes.fromhex("0100000002")), Block(0x37, b"\x04" + bytes(2) + b"\x03" * 16))
DISPENSE_STATUS, PAYOUT_STATUS, VALUE_POLL = (Block(0x37, bytes([sub])) for sub in (5, 8, 9))


class Bus:
    """A validator at the bus, with a clock that each exchange moves on."""

    def __init__(self, validator: SimValidator) -> None:
        self.validator = validator
        self.wire = VirtualBus([validator])
        self.now_s = 0.0
        assert self.poll() == Data(b"\x06\x09")
        assert self.poll() == Data(b"\x09")

    def ask(self, block: Block, after_s: float = 0.15) -> Reply:
        self.now_s += after_s
        return self.wire.exchange(block, self.now_s)

    def poll(self, after_s: float = 0.15) -> Reply:
        return self.ask(Block(0x33), after_s)

    def enable(self, *blocks: Block) -> None:
        for block in (*blocks, ALL_NOTES):
            assert self.ask(block) == Ack()

    def told(self, during_s: float = 3.0) -> bytes:
        """All that POLLs tell, without busy and disabled."""
        data, until_s = b"", self.now_s + during_s
        while self.now_s < until_s:
            reply = self.poll()
            data += reply.data if isinstance(reply, Data) else b""
        return data.translate(None, b"\x03\x09\x22")


@pytest.fixture
def bus() -> Bus:
    return Bus(SimValidator())


@pytest.fixture
def recycling() -> Bus:
    bus = Bus(SimValidator((5, 4)))
    bus.enable(*RECYCLING_ON)
    return bus


def test_worked_replies(bus: Bus) -> None:
    assert bus.ask(Block(0x31)) == Data(bytes.fromhex("01197800640201f4ffffff050a1432"))
    assert bus.ask(STACKER) == Data(bytes.fromhex("002b"))
    assert bus.ask(Block(0x32, bytes(2))) == Ack()
    identity = bus.ask(Block(0x37, b"\0"))
    assert isinstance(identity, Data)
    assert len(identity.data) == 29
    bus.enable()
    bus.validator.insert(1)
    assert bus.poll() == Data(b"\x03")
    assert bus.poll(0.3) == Data(b"\x91")
    assert bus.ask(STACK) == Ack()
    assert bus.poll() == Data(b"\x03")
    assert bus.poll(1.0) == Data(b"\x81")
    assert bus.poll() == Ack()
    assert bus.ask(STACKER) == Data(bytes.fromhex("002c"))


def test_a_note_is_returned_on_demand_and_after_a_while(bus: Bus) -> None:
    bus.enable()
    bus.validator.insert(1)
    assert bus.told() == b"\x91"
    assert bus.ask(RETURN) == Ack()
    assert bus.told() == b"\xa1"
    bus.validator.insert(1)
    assert bus.told(ESCROW_HOLD_S - 1) == b"\x91"
    assert bus.told() == b"\xa1"
    assert bus.validator.truth().returned == {1: 2}


def test_what_is_not_acknowledged_is_told_again_with_the_news(bus: Bus) -> None:
    bus.enable()
    bus.validator.insert(1)
    bus.poll()
    bus.wire.fault_next[0x33] = Fault.ACK_LOST
    assert bus.poll(0.3) == Data(b"\x91")
    bus.ask(STACK)
    assert bus.poll(1.0) == Data(b"\x91\x81")
    assert bus.poll() == Ack()


def test_an_escrow_order_without_a_note_is_invalid(bus: Bus) -> None:
    assert bus.ask(STACK) == Ack()
    assert bus.told() == b"\x0a"
    assert bus.validator.truth().escrow_orders == ()


def test_notes_that_are_not_enabled_go_back(bus: Bus) -> None:
    bus.validator.insert(1)
    assert bus.told() == b"\x41"
    bus.ask(Block(0x34, bytes.fromhex("00010001")))
    bus.validator.insert(1)
    assert bus.told() == b"\xc1"
    assert bus.validator.truth().returned == {1: 2}


def test_a_jam_disables_it_until_it_is_repaired(bus: Bus) -> None:
    bus.enable()
    bus.validator.jam_next()
    bus.validator.insert(1)
    bus.told()
    bus.ask(STACK)
    assert bus.told() == b"\x05\xa1"
    assert bus.poll() == Data(b"\x09")
    bus.validator.repair()
    assert bus.poll() == Ack()


def test_a_note_that_is_pulled_out(bus: Bus) -> None:
    bus.enable()
    bus.validator.insert(1)
    bus.told()
    bus.validator.pull_from_escrow()
    assert bus.told() == b"\x07\xa1"


def test_full_stacker() -> None:
    bus = Bus(SimValidator(stacker=STACKER_CAPACITY))
    assert bus.ask(STACKER) == Data(bytes.fromhex("81f4"))
    bus.validator.empty_cashbox()
    assert bus.ask(STACKER) == Data(bytes(2))


def test_reset_gives_the_note_back_and_forgets_the_rest(bus: Bus) -> None:
    bus.enable()
    bus.validator.insert(1)
    bus.told(0.5)
    assert bus.ask(Block(0x30)) == Ack()
    assert bus.poll(RESET_BUSY_S / 2) == Silence()
    assert bus.poll(RESET_BUSY_S) == Data(b"\x06\x09")
    truth = bus.validator.truth()
    assert (truth.returned, truth.enabled_mask, truth.stacker) == ({1: 1}, 0, 43)


def test_a_brown_out_in_the_middle_of_stacking_tells_nothing(bus: Bus) -> None:
    bus.enable()
    bus.validator.insert(1)
    bus.told()
    bus.ask(STACK)
    bus.validator.reset()
    assert bus.told() == b"\x06"
    assert bus.validator.truth().stacked == {1: 1}


def test_without_traffic_it_resets_itself(bus: Bus) -> None:
    bus.enable()
    assert bus.poll(SELF_RESET_S + 1) == Data(b"\x06\x09")


def test_what_it_does_not_know_is_met_with_silence(bus: Bus) -> None:
    for block in (Block(0x37), Block(0x37, b"\x02"), DISPENSE_STATUS, Block(0x35), Block(0x34, b"\0")):
        assert bus.ask(block) == Silence()


def test_a_long_report_is_told_in_several_replies(bus: Bus) -> None:
    for _ in range(20):
        bus.validator.report(b"\x0b")
    assert bus.poll() == Data(b"\x0b" * 15 + b"\x09")
    assert bus.poll() == Data(b"\x0b" * 5 + b"\x09")


# The recycler


def test_recycler_is_off_until_its_feature_is_enabled() -> None:
    bus = Bus(SimValidator((5, 4)))
    assert bus.ask(RECYCLING_ON[1]) == Silence()
    assert bus.ask(Block(0x37, b"\x06\0\0\x02")) == Ack()
    assert bus.poll() == Data(b"\x09")
    assert bus.ask(Block(0x37, b"\x03")) == Data(b"\0\x03")


def test_notes_go_to_the_recycler_while_there_is_room(recycling: Bus) -> None:
    recycling.validator.fill(1, CAPACITY - 5)
    assert recycling.told(1) == b"\x2f"
    for told in (b"\x91\xb1", b"\x91\x81"):
        recycling.validator.insert(1)
        seen = recycling.told(1)
        recycling.ask(STACK)
        assert seen + recycling.told(2) == told


def test_dispense_by_type(recycling: Bus) -> None:
    assert recycling.ask(Block(0x37, b"\x06\0\0\x02")) == Ack()
    assert recycling.ask(VALUE_POLL) == Data(b"\0\0")
    assert recycling.ask(PAYOUT_STATUS) == Ack()  # busy
    assert recycling.poll() == Data(b"\x22")
    assert recycling.ask(VALUE_POLL, NOTE_PAYOUT_S) == Data(b"\0\x05")
    assert recycling.ask(VALUE_POLL, NOTE_PAYOUT_S) == Ack()
    assert recycling.ask(DISPENSE_STATUS) == Data(b"\0\0" + b"\0\x03\0\x04" + bytes(28))
    recycling.wire.fault_next[0x37] = Fault.ACK_LOST
    assert recycling.ask(PAYOUT_STATUS) == Data(b"\0\x02" + bytes(30))
    assert recycling.ask(PAYOUT_STATUS) == Data(b"\0\x02" + bytes(30))
    assert recycling.ask(PAYOUT_STATUS) == Data(bytes(32))
    assert recycling.validator.truth().paid == {0: 2}


def test_dispense_by_value_and_cancel(recycling: Bus) -> None:
    assert recycling.ask(Block(0x37, b"\x07\0\x0f")) == Ack()
    assert recycling.told(2 * NOTE_PAYOUT_S + 0.5) == b""
    assert recycling.validator.truth().paid == {1: 1, 0: 1}
    recycling.ask(Block(0x37, b"\x06\0\0\x04"))
    recycling.poll(NOTE_PAYOUT_S + 0.1)
    assert recycling.ask(Block(0x37, b"\x0a")) == Ack()
    assert recycling.poll() == Ack()
    assert recycling.validator.truth().paid == {1: 1, 0: 2}


def test_nothing_is_dispensed_while_a_note_is_in_escrow(recycling: Bus) -> None:
    recycling.validator.insert(3)
    recycling.told(1)
    assert recycling.ask(Block(0x37, b"\x06\0\0\x01")) == Ack()
    assert recycling.poll() == Ack()
    assert recycling.validator.truth().paid == {}
