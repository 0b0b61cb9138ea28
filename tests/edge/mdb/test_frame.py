import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.mdb.frame import (
    MAX_BLOCK_BYTES,
    Ack,
    Address,
    BadBlockError,
    Block,
    Data,
    Reply,
    Silence,
    block_from_wire,
    block_to_wire,
    reply_from_wire,
    reply_to_wire,
)

# Wire bytes with check byte, as worked out for an EUR changer (5c 10c 20c 50c 1 EUR 2 EUR).
BLOCKS = {
    "RESET": ("08 08", Block(0x08)),
    "POLL": ("0B 0B", Block(0x0B)),
    "SETUP": ("09 09", Block(0x09)),
    "TUBE STATUS": ("0A 0A", Block(0x0A)),
    "COIN TYPE": ("0C 00 3F 00 00 4B", Block(0x0C, b"\0\x3f\0\0")),
    "all coins off": ("0C 00 00 00 00 0C", Block(0x0C, bytes(4))),
    "all coins on": ("0C FF FF FF FF 08", Block(0x0C, b"\xff" * 4)),
    "DISPENSE": ("0D 23 30", Block(0x0D, b"\x23")),
}
REPLIES: dict[str, tuple[str, Reply]] = {
    "ack": ("00", Ack()),
    "just reset": ("0B 0B", Data(b"\x0b")),
    "setup": ("03 19 78 05 02 00 0F 01 02 04 0A 14 28 F7", Data(bytes.fromhex("0319780502000f0102040a1428"))),
    "tubes": ("00 04 0C 22 50 09 8B", Data(bytes.fromhex("00040c225009"))),
    "tubes, one defective": ("00 02 0C 00 50 09 67", Data(bytes.fromhex("00020c005009"))),
    "50c to tube": ("53 0A 5D", Data(b"\x53\x0a")),
    "1 EUR to cashbox": ("44 00 44", Data(b"\x44\0")),
    "10c rejected": ("71 22 93", Data(b"\x71\x22")),
    "two coins": ("52 0D 53 0B BD", Data(b"\x52\x0d\x53\x0b")),
    "by hand": ("A0 14 B4", Data(b"\xa0\x14")),
    "lever and coin": ("01 53 0A 5E", Data(b"\x01\x53\x0a")),
    "slugs": ("22 22", Data(b"\x22")),
    "payout busy": ("02 02", Data(b"\x02")),
    "one data byte 00 is no ACK": ("00 00", Data(b"\0")),
    "check byte AA is no RET": ("0F 13 88 AA", Data(b"\x0f\x13\x88")),
}


@pytest.mark.parametrize(("wire", "block"), BLOCKS.values(), ids=BLOCKS)
def test_worked_blocks_both_ways(wire: str, block: Block) -> None:
    assert block_to_wire(block) == bytes.fromhex(wire)
    assert block_from_wire(bytes.fromhex(wire)) == block
    assert block.address == Address.CHANGER


@pytest.mark.parametrize(("wire", "reply"), REPLIES.values(), ids=REPLIES)
def test_worked_replies_both_ways(wire: str, reply: Reply) -> None:
    assert reply_to_wire(reply) == bytes.fromhex(wire)
    assert reply_from_wire(bytes.fromhex(wire)) == reply


def test_nak_is_silence() -> None:
    assert reply_from_wire(b"\xff") == reply_from_wire(b"") == Silence()
    assert reply_to_wire(Silence()) == b""


@given(st.integers(0, 255), st.binary(max_size=MAX_BLOCK_BYTES - 2))
def test_any_block_comes_back(head: int, data: bytes) -> None:
    assert block_from_wire(block_to_wire(Block(head, data))) == Block(head, data)


@given(st.binary(min_size=2, max_size=MAX_BLOCK_BYTES), st.integers(1, 255))
def test_a_wrong_check_byte_is_refused(wire: bytes, by: int) -> None:
    body = wire[:-1]
    with pytest.raises(BadBlockError, match="check byte"):
        reply_from_wire(body + bytes([(sum(body) + by) & 0xFF]))


@pytest.mark.parametrize("size", [MAX_BLOCK_BYTES - 1, MAX_BLOCK_BYTES])
def test_too_long_a_block_is_refused(size: int) -> None:
    with pytest.raises(BadBlockError, match="do not fit"):
        block_to_wire(Block(0x0C, bytes(size)))
    with pytest.raises(BadBlockError, match="no block"):
        block_from_wire(bytes(size + 2))
