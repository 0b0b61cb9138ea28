"""The session of the adapter's documentation, whole, in pieces and with noise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.mdb.adapter import AdapterValue, BlockAnswer, Noise, StartAnswer
from edge.mdb.frame import MAX_BLOCK_BYTES, Ack, Block, Data, Silence
from edge.mdb.qibixx import MAX_LINE_BYTES, QibixxAdapter

SETUP_REPLY = bytes.fromhex("0319780502000f0102040a1428")
SENT = {
    b"R,08\n": Block(0x08),
    b"R,0B\n": Block(0x0B),
    b"R,09\n": Block(0x09),
    b"R,0A\n": Block(0x0A),
    b"R,0C,003F0000\n": Block(0x0C, b"\0\x3f\0\0"),
    b"R,0D,23\n": Block(0x0D, b"\x23"),
}
ANSWERS: list[tuple[bytes, AdapterValue]] = [
    (b"v,4.0.0.0,16df464a3031340136313930", StartAnswer("v", ok=True)),
    (b"m,ACK", StartAnswer("m", ok=True)),
    (b"m,NACK", StartAnswer("m", ok=False)),
    (b"f,ACK", StartAnswer("f", ok=True)),
    (b"p,ACK", BlockAnswer(Ack())),
    (b"p,NACK", BlockAnswer(Silence())),
    (b"p,0b", BlockAnswer(Data(b"\x0b"))),
    (b"p,0319780502000f0102040a1428", BlockAnswer(Data(SETUP_REPLY))),
    (b"p,00040c225009", BlockAnswer(Data(bytes.fromhex("00040c225009")))),
    (b"p,530a", BlockAnswer(Data(b"\x53\x0a"))),
    (b"P,530A", BlockAnswer(Data(b"\x53\x0a"))),
    (b"p,02", BlockAnswer(Data(b"\x02"))),
]
NOISE = [
    b"d,STATUS,IDLE",
    b'c,ERR,"-1"',
    b"x,80,1234,0b",
    b"p,5",
    b"p,",
    b"p,0b0",
    b"p,zz",
    b"p," + b"00" * MAX_BLOCK_BYTES,
    b"\xff\xfe\x00",
    b"v",
]
line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


@pytest.mark.parametrize(("line", "block"), SENT.items())
def test_blocks_as_lines(line: bytes, block: Block) -> None:
    assert QibixxAdapter().encode(block) == line


@pytest.mark.parametrize(("line", "value"), ANSWERS)
def test_answers(line: bytes, value: AdapterValue) -> None:
    assert QibixxAdapter().feed(line + b"\n") == [value]


@pytest.mark.parametrize("line", NOISE)
def test_what_answers_nothing_is_noise(line: bytes) -> None:
    assert QibixxAdapter().feed(line + b"\n") == [Noise(line)]


@given(st.lists(st.tuples(st.sampled_from(ANSWERS), line_ends)), st.lists(st.integers(1, 7), min_size=1))
def test_pieces_make_the_same_answers(
    said: list[tuple[tuple[bytes, AdapterValue], bytes]], cuts: list[int]
) -> None:
    stream = b"".join(line + end for (line, _), end in said)
    adapter = QibixxAdapter()
    values: list[AdapterValue] = []
    at = 0
    while at < len(stream):
        size = cuts[at % len(cuts)]
        values += adapter.feed(stream[at : at + size])
        at += size
    assert values == [value for (_, value), _ in said]


@given(st.binary(), st.binary())
def test_noise_before_and_after_never_hides_an_answer(before: bytes, after: bytes) -> None:
    adapter = QibixxAdapter()
    adapter.feed(before + b"\n")
    assert adapter.feed(b"p,530a\n")[0] == BlockAnswer(Data(b"\x53\x0a"))
    adapter.feed(after)
    assert adapter.feed(b"\np,ack\n")[-1] == BlockAnswer(Ack())


def test_an_endless_line_is_bounded_and_counted_once() -> None:
    adapter = QibixxAdapter()
    for _ in range(100):
        assert adapter.feed(b"p" * 50) == []
        assert len(adapter._buffer) <= MAX_LINE_BYTES
    values = adapter.feed(b"\np,ACK\n")
    assert [type(value) for value in values] == [Noise, BlockAnswer]


def test_a_new_port_starts_with_an_empty_line() -> None:
    adapter = QibixxAdapter()
    adapter.feed(b"p,53")
    adapter.forget()
    assert adapter.feed(b"p,ACK\n") == [BlockAnswer(Ack())]
