"""The reader simulator against the protocol's own words, without any of our drivers."""

import pytest

from edge.mdb.cashless.codes import State
from edge.mdb.frame import Ack, Block, Data, Reply, Silence
from edge.sim.bus import Fault, VirtualBus
from edge.sim.reader import SimReader
from edge.sim.reader_rules import CARD_WAIT_S, RESET_BUSY_S, SELF_RESET_LIMITS, Refund

IDENTITY = b"SIM" + b"000000000042" + b"SIMCARD1    " + b"\x01\x02"
REQUEST = "13 00 00 96 00 0C"
MEDIA = "FF FF FF FF 00 00 00"


class Bus:
    """A reader at the bus, with a clock that each exchange moves on."""

    def __init__(self, reader: SimReader) -> None:
        self.reader = reader
        self.wire = VirtualBus([reader])
        self.now_s = 0.0

    def ask(self, block: str, after_s: float = 0.15) -> Reply:
        self.now_s += after_s
        data = bytes.fromhex(block)
        return self.wire.exchange(Block(data[0], data[1:]), self.now_s)

    def poll(self, after_s: float = 0.15) -> Reply:
        return self.ask("12", after_s)

    def start(self, level: int = 3, features: str = "") -> None:
        assert self.poll() == told("00")
        self.ask(f"11 00 {level:02X} 00 00 00")
        self.poll()
        self.ask("11 01 FF FF 00 00")
        if features:
            assert self.ask(f"17 04 {features}") == Ack()
        assert self.ask("14 01") == Ack()

    def session(self) -> None:
        self.start()
        self.reader.show_card(500)
        assert self.poll() == told(f"03 01 F4 {MEDIA}")

    def approved(self) -> None:
        self.session()
        assert self.ask(REQUEST) == Ack()
        assert self.poll(0.4) == told("05 00 96")

    @property
    def state(self) -> State:
        return self.reader.truth().state


def told(data: str) -> Data:
    return Data(bytes.fromhex(data))


@pytest.fixture
def bus() -> Bus:
    return Bus(SimReader(response_s=30, options=0x09 | 0x02))


def test_worked_initialisation(bus: Bus) -> None:
    assert bus.poll() == told("00")
    assert bus.poll() == Ack()
    assert bus.ask("11 00 03 00 00 00") == Ack()
    assert bus.poll() == told("01 03 19 78 01 02 1E 0B")
    assert bus.ask("11 01 01 F4 00 32") == Ack()
    assert bus.ask(f"17 00 {'00' * 29}") == Ack()
    assert bus.poll() == Data(b"\x09" + IDENTITY + bytes(4))
    assert bus.state is State.DISABLED
    assert bus.reader.truth().prices == bytes.fromhex("01F40032")


def test_worked_vend(bus: Bus) -> None:
    bus.approved()
    assert bus.ask("13 02 00 0C") == Ack()
    assert bus.ask("13 04") == Ack()
    assert bus.poll() == told("07")
    truth = bus.reader.truth()
    assert (truth.books.charged, truth.books.confirmed, truth.paid) == ([150], [12], 150)


def test_denied_and_cancelled(bus: Bus) -> None:
    bus.reader.plan.approve = False
    bus.session()
    bus.ask(REQUEST)
    assert bus.poll(0.1) == Ack()
    assert bus.poll(0.3) == told("06")
    bus.ask(REQUEST)
    assert bus.ask("13 01") == Ack()
    assert bus.poll() == told("06")
    assert bus.state is State.SESSION_IDLE


@pytest.mark.parametrize("wins", [True, False])
def test_a_cancel_meets_an_approval_on_its_way(bus: Bus, wins: bool) -> None:
    bus.reader.plan.verdict_s, bus.reader.plan.cancel_wins = 0, wins
    bus.session()
    bus.ask(REQUEST)
    assert bus.ask("13 01") == Ack()
    assert bus.poll() == told("06" if wins else "05 00 96")
    assert bus.reader.truth().paid == (0 if wins else 150)


@pytest.mark.parametrize(
    ("refund", "then", "paid"), [(Refund.DONE, Ack(), 0), (Refund.FAILED, told("0A C0"), 150)]
)
def test_refund(bus: Bus, refund: Refund, then: Reply, paid: int) -> None:
    bus.reader.plan.refund = refund
    bus.approved()
    assert bus.ask("13 03") == Ack()
    assert bus.poll() == Silence()
    assert bus.poll(0.5) == then
    assert (bus.state, bus.reader.truth().paid) == (State.SESSION_IDLE, paid)


def test_a_refund_without_a_word(bus: Bus) -> None:
    bus.reader.plan.refund = Refund.SILENT
    bus.approved()
    assert bus.ask("13 03") == Ack()
    assert bus.poll(100) == Silence()
    bus.reader.reset()
    assert bus.poll() == told("00")
    assert bus.reader.truth().paid == 150


def test_a_reset_after_a_delivered_approval_is_a_sale(bus: Bus) -> None:
    bus.approved()
    assert bus.ask("10") == Ack()
    assert bus.poll(RESET_BUSY_S / 2) == Silence()
    assert bus.poll(RESET_BUSY_S) == told("00")
    truth = bus.reader.truth()
    assert (truth.books.sold_by_reset, truth.paid, truth.state) == (1, 150, State.INACTIVE)


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.ACK_LOST])
def test_an_approval_that_was_not_acknowledged_is_told_again_and_no_sale(bus: Bus, fault: Fault) -> None:
    bus.session()
    bus.ask(REQUEST)
    bus.wire.fault_next[0x12] = fault
    bus.poll(0.4)
    assert bus.reader.truth().paid == 0
    bus.ask("10")
    assert bus.reader.truth().books.sold_by_reset == 0


@pytest.mark.parametrize(
    ("block", "state"),
    [("13 02 00 0C", 4), ("13 03", 4), ("13 01", 4), ("14 02", 4), ("13 05 00 96 00 0C", 4), ("14 00", 4)],
)
def test_what_does_not_belong_into_a_session_is_out_of_sequence(bus: Bus, block: str, state: int) -> None:
    bus.session()
    assert bus.ask(block) == Ack()
    assert bus.poll() == told(f"0B {state:02X}")
    assert len(bus.reader.truth().books.violations) == 1


def test_pairs_are_not_interrupted(bus: Bus) -> None:
    bus.session()
    bus.ask(REQUEST)
    assert bus.ask("13 04") == Ack()
    assert bus.poll(0.1) == told("0B 05")  # before the result
    assert bus.poll(0.4) == told("05 00 96")
    bus.ask("13 01")
    assert bus.poll() == told("0B 05")  # after it
    bus.ask("13 02 00 0C")
    bus.ask("13 04")
    bus.ask("13 04")
    assert bus.poll() == told("07 0B 04")
    bus.ask(REQUEST)
    assert bus.poll() == told("0B 03")  # no session, not always idle


def test_prices_follow_setup_at_once(bus: Bus) -> None:
    bus.poll()
    bus.ask("11 00 03 00 00 00")
    bus.ask("14 01")
    assert bus.poll() == told("01 03 19 78 01 02 1E 0B 0B 01")


def test_one_vend_a_session_without_multivend() -> None:
    bus = Bus(SimReader(options=0x01))
    bus.approved()
    bus.ask("13 02 00 0C")
    bus.ask(REQUEST)
    assert bus.poll() == told("0B 04")


def test_level_1() -> None:
    bus = Bus(SimReader(level=1))
    bus.start()
    bus.reader.show_card(500)
    assert bus.poll() == told("03 01 F4")
    assert bus.ask("15 01") == Silence()  # a command of level 2
    bus.ask("14 02")
    assert bus.poll() == told("0B")


def test_a_vmc_of_level_1_gets_replies_of_level_1() -> None:
    bus = Bus(SimReader(level=3, features=0x22))
    bus.start(level=1)
    bus.reader.show_card(500)
    assert bus.poll() == told("03 01 F4")
    assert bus.ask("17 04 00 00 00 22") == Silence()


def test_wide_money() -> None:
    bus = Bus(SimReader(features=0x02))
    bus.start(features="00 00 00 02")
    bus.reader.show_card(500)
    assert bus.poll() == told(f"03 00 00 01 F4 {MEDIA} 65 6E 19 78 02")
    assert bus.ask(REQUEST) == Silence()
    assert bus.ask("13 00 00 00 00 96 00 0C") == Ack()
    assert bus.poll(0.4) == told("05 00 00 00 96")


def test_always_idle() -> None:
    bus = Bus(SimReader(features=0x20))
    bus.start(features="00 00 00 20")
    assert bus.ask(REQUEST) == Ack()
    assert bus.poll(5) == Ack()
    bus.reader.show_card()
    assert bus.poll() == Ack()
    assert bus.poll(0.4) == told("05 00 96")
    bus.ask("13 02 00 0C")
    bus.ask("13 04")
    assert bus.poll() == told("07")
    bus.ask(REQUEST)
    assert bus.poll(CARD_WAIT_S + 1) == told("06")


def test_answers_at_once(bus: Bus) -> None:
    bus.reader.plan.at_once, bus.reader.plan.verdict_s = True, 0
    assert bus.poll() == told("00")
    assert bus.ask("11 00 03 00 00 00") == told("01 03 19 78 01 02 1E 0B")
    assert bus.ask("11 01 FF FF 00 00") == Ack()
    bus.ask("14 01")
    bus.reader.show_card(500)
    bus.poll()
    assert bus.ask(REQUEST) == told("05 00 96")
    bus.ask("13 02 00 0C")
    assert bus.ask("13 04") == told("07")


def test_the_card_is_taken_before_the_result(bus: Bus) -> None:
    bus.session()
    bus.ask(REQUEST)
    bus.reader.remove_card()
    assert bus.poll(0.05) == told("06")
    assert bus.poll() == told("04")
    assert bus.state is State.SESSION_IDLE


@pytest.mark.parametrize(("bundle", "replies"), [(True, ["06 0A 07 04"]), (False, ["06", "0A 07", "04"])])
def test_messages_in_one_reply_or_each_for_itself(bus: Bus, bundle: bool, replies: list[str]) -> None:
    bus.reader.plan.bundle = bundle
    bus.session()
    for message in ("06", "0A 07", "04"):
        bus.reader.report(bytes.fromhex(message))
    assert [bus.poll() for _ in replies] == [told(reply) for reply in replies]


def test_the_card_is_taken_when_nothing_hangs_on_it(bus: Bus) -> None:
    bus.session()
    bus.reader.remove_card()
    assert bus.poll() == told("04")
    bus.ask("13 04")
    bus.poll()
    bus.ask("14 00")
    bus.reader.show_card()
    bus.reader.remove_card()
    bus.ask("14 01")
    assert bus.poll() == Ack()


def test_its_own_network_is_down(bus: Bus) -> None:
    bus.session()
    bus.reader.network(up=False)
    assert [bus.poll(), bus.poll()] == [told("0A 90")] * 2
    bus.ask(REQUEST)
    assert bus.poll(0.4) == told("06 0A 90")
    bus.ask("13 04")
    assert bus.poll() == told("07 0A 90")
    bus.reader.show_card()
    assert bus.poll() == told("0A 90")  # no session begins
    bus.reader.network(up=True)
    assert bus.poll() == told(f"03 FF FF {MEDIA}")


def test_revalue(bus: Bus) -> None:
    bus.session()
    assert bus.ask("15 01") == Ack()
    assert bus.poll() == told("0F 13 88")
    assert bus.ask("15 00 01 F4") == Ack()
    assert bus.state is State.REVALUE
    assert bus.poll() == told("0D")
    bus.reader.plan.revalue = False
    bus.ask("15 00 01 F4")
    assert bus.poll() == told("0E")
    assert bus.reader.truth().books.revalued == [500]


def test_cash_sale_time_and_cancel(bus: Bus) -> None:
    bus.start()
    assert bus.ask("13 05 00 96 00 0C") == Ack()
    assert bus.ask("17 03 25 06 01 12 30 45 07 22 01 FF") == Ack()
    assert bus.ask("14 02") == Ack()
    assert bus.poll() == told("08")
    truth = bus.reader.truth()
    assert truth.books.cash_sales == [bytes.fromhex("0096000C")]
    assert truth.time_written.hex() == "250601123045072201ff"


def test_without_traffic_it_resets_itself(bus: Bus) -> None:
    bus.start()
    assert bus.poll(30 * SELF_RESET_LIMITS + 1) == told("00")
    assert bus.state is State.INACTIVE


def test_what_it_does_not_know_is_met_with_silence(bus: Bus) -> None:
    bus.start()
    for block in ("16 00", "13 09", "13 02 00", "17 FF 05"):
        assert bus.ask(block) == Silence()
