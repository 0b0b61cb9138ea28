"""What every adapter must do, each against its own simulator: framing, the start, replies, a sale's coins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.mdb.adapters.adapter import Adapter, BlockAnswer, Noise, StartAnswer
from edge.mdb.adapters.known import ADAPTERS
from edge.mdb.dialogue import Dialogue
from edge.mdb.frame import MAX_BLOCK_BYTES, Ack, Block, Data, Reply, Silence
from edge.sale.events import ChangerLost, ChangerReady, CoinIn, Lever, PayoutEnded, Route
from edge.sim.bus import Fault, VirtualBus
from tests.edge.mdb.rig import SIM_ADAPTERS, STEP_S, Asker, Rig

QUESTION = Block(0x0A)
ANSWERS: list[Reply] = [
    Ack(),
    Data(b"\0"),  # one data byte 00 is no ACK
    Data(b"\xff"),
    Data(bytes.fromhex("0319780502000f0102040a1428")),
    Data(bytes.fromhex("00040c225009")),
    Data(b"\x53\x0a"),
    Data(b"\x08\x53"),  # begins as a device id would
    Data(bytes(range(MAX_BLOCK_BYTES - 1))),
]
answers = st.one_of(
    st.sampled_from(ANSWERS), st.binary(min_size=1, max_size=MAX_BLOCK_BYTES - 1).map(Data), st.just(Ack())
)
every_adapter = pytest.mark.parametrize("name", ADAPTERS)


class Scripted:
    """A peripheral that answers the question so, and has nothing to report."""

    address = QUESTION.address

    def __init__(self, reply: Reply) -> None:
        self.reply = reply

    def answer(self, block: Block, now_s: float) -> Reply:
        return self.reply if block.head == QUESTION.head else Ack()

    def acknowledged(self) -> None:
        pass


def asking(name: str) -> Adapter:
    """An adapter that is asked the question."""
    adapter = ADAPTERS[name]()
    adapter.encode(QUESTION)
    return adapter


def said(name: str, reply: Reply) -> bytes:
    """The bytes in which the adapter answers the question with this reply."""
    far_end = SIM_ADAPTERS[name](VirtualBus([Scripted(reply)]))
    adapter = ADAPTERS[name]()
    for step in adapter.start_steps:
        far_end.turn(step.send, 0.0)
    return far_end.turn(adapter.encode(QUESTION), 0.0)


def test_each_adapter_has_a_simulator() -> None:
    assert set(SIM_ADAPTERS) == set(ADAPTERS)


# Framing


@every_adapter
@given(reply=answers)
def test_each_reply_comes_back(name: str, reply: Reply) -> None:
    assert asking(name).feed(said(name, reply)) == [BlockAnswer(reply)]


@every_adapter
def test_silence_is_silence_or_nothing_at_all(name: str) -> None:
    assert asking(name).feed(said(name, Silence())) in ([], [BlockAnswer(Silence())])


@every_adapter
@given(replies=st.lists(answers, max_size=5), cuts=st.lists(st.integers(1, 7), min_size=1))
def test_pieces_make_the_same_answers(name: str, replies: list[Reply], cuts: list[int]) -> None:
    adapter = ADAPTERS[name]()
    for reply in replies:
        adapter.encode(QUESTION)
        stream, values, at = said(name, reply), [], 0
        while at < len(stream):
            size = cuts[at % len(cuts)]
            values += adapter.feed(stream[at : at + size])
            at += size
        assert values == [BlockAnswer(reply)]


@every_adapter
@pytest.mark.parametrize("reply", ANSWERS)
def test_byte_by_byte(name: str, reply: Reply) -> None:
    adapter = asking(name)
    stream = said(name, reply)
    assert [value for byte in stream for value in adapter.feed(bytes([byte]))] == [BlockAnswer(reply)]


@every_adapter
@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_line_ends_of_every_firmware(name: str, end: bytes) -> None:
    line = said(name, Data(b"\x53\x0a")).strip()
    assert asking(name).feed(line + end) == [BlockAnswer(Data(b"\x53\x0a"))]


@every_adapter
@given(before=st.binary(), after=st.binary(), reply=answers)
def test_noise_before_and_after_never_hides_an_answer(
    name: str, before: bytes, after: bytes, reply: Reply
) -> None:
    adapter = ADAPTERS[name]()
    adapter.feed(before + b"\n")
    for noise in (b"", after + b"\n"):
        adapter.feed(noise)
        adapter.encode(QUESTION)
        assert adapter.feed(said(name, reply)) == [BlockAnswer(reply)]


@every_adapter
@given(cut=st.integers(0, 60), reply=answers)
def test_a_truncated_answer_spoils_no_other(name: str, cut: int, reply: Reply) -> None:
    adapter = asking(name)
    adapter.feed(said(name, ANSWERS[3])[:cut] + b"\n")
    adapter.encode(QUESTION)
    assert adapter.feed(said(name, reply)) == [BlockAnswer(reply)]


@every_adapter
def test_an_endless_line_is_bounded_and_told_once(name: str) -> None:
    adapter = asking(name)
    assert [adapter.feed(b"0" * 50) for _ in range(100)] == [[]] * 100
    (noise, answer) = adapter.feed(b"\n" + said(name, Ack()))
    assert isinstance(noise, Noise)
    assert len(noise.data) < 200
    assert answer == BlockAnswer(Ack())


@every_adapter
def test_a_new_port_starts_with_an_empty_line(name: str) -> None:
    adapter = asking(name)
    adapter.feed(said(name, ANSWERS[3])[:5])
    adapter.forget()
    adapter.encode(QUESTION)
    assert adapter.feed(said(name, Ack())) == [BlockAnswer(Ack())]


# The start, and answers that are lost or late


@every_adapter
def test_the_start_may_be_repeated(name: str) -> None:
    far_end = SIM_ADAPTERS[name](VirtualBus([]))
    adapter = ADAPTERS[name]()
    for _ in range(2):
        for step in adapter.start_steps:
            assert adapter.feed(far_end.turn(step.send, 0.0)) == [StartAnswer(step.key, ok=True)]


class Line:
    """A dialogue that asks two questions in turn, and a far end whose answers may be held back."""

    def __init__(self, name: str) -> None:
        self.question, self.other = Asker(QUESTION.head), Asker(0x09)
        self.bus = VirtualBus([Scripted(Data(b"\x01\x02"))])
        self._far_end = SIM_ADAPTERS[name](self.bus)
        self._dialogue = Dialogue(ADAPTERS[name](), [self.question, self.other])
        self._dialogue.opened(0.0)
        self._held = b""
        self._now_s = 0.0

    def run(self, duration_s: float, *, held: bool = False) -> None:
        until_s = self._now_s + duration_s
        while self._now_s < until_s:
            self._now_s += STEP_S
            send, _ = self._dialogue.turn(b"" if held else self._held, self._now_s)
            self._held = (self._held if held else b"") + self._far_end.turn(send, self._now_s)


@every_adapter
@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.COMMAND_LOST])
def test_a_lost_answer_is_silence_once_and_the_next_block_is_asked(name: str, fault: Fault) -> None:
    line = Line(name)
    line.run(0.2)
    line.question.heard.clear()
    line.bus.fault_next[QUESTION.head] = fault
    line.run(3.0)
    assert line.question.heard.count(Silence()) == 1
    assert set(line.question.heard) == {Silence(), Data(b"\x01\x02")}
    assert set(line.other.heard) == {Ack()}


@every_adapter
@pytest.mark.parametrize("held_s", [0.05, 0.3, 0.6, 0.9])
def test_a_late_answer_is_never_taken_for_another_blocks(name: str, held_s: float) -> None:
    line = Line(name)
    for _ in range(7):
        line.run(0.123)
        line.run(held_s, held=True)
    line.run(1.0)
    assert set(line.question.heard) <= {Data(b"\x01\x02"), Silence()}
    assert set(line.other.heard) <= {Ack(), Silence()}
    asked = line.bus.asked[QUESTION.head]
    assert asked - line.question.heard.count(Data(b"\x01\x02")) in {0, 1}  # the last may be on its way


# The coin changer sells through each


@every_adapter
def test_coins_lever_and_payout(name: str) -> None:
    rig = Rig(adapter=name)
    rig.ready(accept=True)
    rig.run(0.5)
    for coin in (3, 5, 5):
        rig.sim.insert(coin)
    assert rig.run(3) == [
        CoinIn(3, 50, Route.TUBE, 10),
        CoinIn(5, 200, Route.CASHBOX, 0),
        CoinIn(5, 200, Route.CASHBOX, 0),
    ]
    rig.sim.press_lever()
    rig.until(Lever)
    assert rig.pay(0, 20, 0, 2) == PayoutEnded(rig.sim.truth().tubes)
    assert rig.sim.truth().paid == {1: 20, 3: 2}


@every_adapter
def test_a_coin_whose_answer_was_late_is_credited(name: str) -> None:
    rig = Rig(adapter=name)
    rig.ready(accept=True)
    rig.run(0.5)
    rig.sim.insert(5)
    rig.answers_held = True
    assert rig.run(0.6) == []
    rig.answers_held = False
    assert rig.run(2) == [CoinIn(5, 200, Route.CASHBOX, 0)]


@every_adapter
def test_noise_in_the_line_disturbs_no_sale(name: str) -> None:
    rig = Rig(adapter=name)
    rig.ready(accept=True)
    for line in (b"\xff\xfe garbage", b"welcome", b"530"):
        rig.adapter.say(line)
    rig.sim.insert(3)
    assert rig.run(2) == [CoinIn(3, 50, Route.TUBE, 10)]
    assert rig.dialogue.counts["noise"] == 3


@every_adapter
def test_a_changer_that_goes_and_comes_back(name: str) -> None:
    rig = Rig(adapter=name)
    rig.ready(accept=True)
    rig.bus.silent = True
    assert rig.until(ChangerLost) == [ChangerLost("silent")]
    rig.bus.silent = False
    assert [type(event) for event in rig.until(ChangerReady)] == [ChangerReady]


@every_adapter
def test_a_coin_taken_while_the_process_was_down_is_credited(name: str) -> None:
    rig = Rig(adapter=name)
    rig.ready(accept=True)
    rig.run(0.5)
    rig.sim.insert(5)
    rig.restart()
    rig.until(ChangerReady)
    rig.run(1)
    assert rig.credited_minor() == rig.sim.truth().taken_minor() == 200
