"""The session of the adapter's documentation. What every adapter must do is in test_adapters.py."""

import pytest

from edge.mdb.adapters.adapter import AdapterValue, BlockAnswer, Noise, StartAnswer
from edge.mdb.adapters.qibixx import QibixxAdapter
from edge.mdb.frame import MAX_BLOCK_BYTES, Ack, Block, Data, Silence

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


@pytest.mark.parametrize(("line", "block"), SENT.items())
def test_blocks_as_lines(line: bytes, block: Block) -> None:
    assert QibixxAdapter().encode(block) == line


@pytest.mark.parametrize(("line", "value"), ANSWERS)
def test_answers(line: bytes, value: AdapterValue) -> None:
    assert QibixxAdapter().feed(line + b"\n") == [value]


@pytest.mark.parametrize("line", NOISE)
def test_what_answers_nothing_is_noise(line: bytes) -> None:
    assert QibixxAdapter().feed(line + b"\n") == [Noise(line)]
