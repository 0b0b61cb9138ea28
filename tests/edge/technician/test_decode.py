"""Recordings in readable lines: every frame is found whatever else there is, and nothing is left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.mdb.frame import Ack, Block, Data, Silence, block_from_wire, block_to_wire
from edge.motors import modbus_codes, xy_codes
from edge.technician.decode import decode
from edge.technician.mdb_words import block_words, reply_words

QIBIXX = (
    b"V\nv,4.0.2.0,16df\r\nM,1\nm,ACK\r\nR,0B\np,5308\r\nR,0D,23\np,ACK\nR,11,0003000000\np,NACK\nd,busy\n"
)
DRIVE = xy_codes.encode(xy_codes.drive(7, 11))
STATUS = xy_codes.encode(xy_codes.Frame(xy_codes.Command.STATUS, bytes([9, 2, 0, 11])))
XY = (
    xy_codes.POLL
    + DRIVE
    + xy_codes.ACK
    + STATUS
    + xy_codes.encode(xy_codes.Frame(xy_codes.Command.SELECTED, bytes([1, 0, 12])))
    + xy_codes.encode(xy_codes.Frame(0x77, b"\x01\x02"))
    + xy_codes.encode(xy_codes.Frame(xy_codes.Command.STATUS, bytes([9, 0x55, 0, 11])))
)
PULSE = modbus_codes.encode(modbus_codes.pulse(2, 5), 1)
READ = modbus_codes.encode(modbus_codes.READ_INPUTS, 1)


def texts(recording: bytes) -> list[tuple[str, str]]:
    return [(line.protocol, line.text) for line in decode(recording)]


def crc(frame: bytes) -> bytes:
    from pymodbus.framer import FramerRTU

    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


MODBUS = (
    READ
    + crc(bytes([1, 2, 1, 0x81]))
    + PULSE
    + modbus_codes.encode(modbus_codes.ALL_OFF, 1)
    + modbus_codes.encode(modbus_codes.set_normal(3), 1)
    + crc(bytes([1, 0x85, 2]))
)


def test_qibixx() -> None:
    assert texts(QIBIXX) == [
        ("qibixx", "V"),
        ("qibixx", "v,4.0.2.0,16df  the adapter is ready"),
        ("qibixx", "M,1"),
        ("qibixx", "m,ACK  the adapter is ready"),
        ("qibixx", "R,0B  ask changer: poll"),
        ("qibixx", "p,5308  coin type 3 to the tube (8 in its tube)"),
        ("qibixx", "R,0D,23  ask changer: dispense 23"),
        ("qibixx", "p,ACK  acknowledged, nothing to report"),
        ("qibixx", "R,11,0003000000  ask reader 1: setup 00 03 00 00 00"),
        ("qibixx", "p,NACK  no answer"),
        ("qibixx", "d,busy"),
    ]
    assert texts(b"p,5308\n") == [("qibixx", "p,5308  an answer to nothing that was recorded")]


def test_xy() -> None:
    assert texts(XY) == [
        ("xy", "poll"),
        ("xy", "drive selection 11"),
        ("xy", "ack"),
        ("xy", "status of selection 11: delivered"),
        ("xy", "selected: 12"),
        ("xy", "command 77 01 02"),
        ("xy", "status of selection 11: status 55"),
    ]


def test_modbus() -> None:
    assert texts(MODBUS) == [
        ("modbus", "unit 1: read inputs 0000, 8 of them"),
        ("modbus", "unit 1: read inputs answered 81"),
        ("modbus", "unit 1: write coil pulse of output 3, tenths of a second := 0005"),
        ("modbus", "unit 1: write coil all := 0000"),
        ("modbus", "unit 1: write register 1003 := 0000"),
        ("modbus", "unit 1: write coil refused, exception 2"),
    ]


@pytest.mark.parametrize("recording", [QIBIXX, XY, MODBUS])
@pytest.mark.parametrize("digits", ["spaced", "plain", "lines"])
def test_hex_digits_in_lines_are_the_bytes(recording: bytes, digits: str) -> None:
    text = {
        "spaced": recording.hex(" ").upper(),
        "plain": recording.hex(),
        "lines": "".join(f"{byte:02x}  # {at}\n" for at, byte in enumerate(recording)) + "\n",
    }[digits]
    assert decode(text.encode()) == decode(recording)


@pytest.mark.parametrize(("recording", "frames"), [(QIBIXX, 11), (XY, 7), (MODBUS, 6)])
def test_frames_are_found_behind_garbage(recording: bytes, frames: int) -> None:
    garbage = b"\xfa\xfb\x04\xff half a frame\x01\x02\r\n"
    found = decode(garbage + recording + garbage)
    assert len([line for line in found if line.protocol]) == frames
    assert found[0].text.endswith("bytes that are no frame")


@given(st.binary(max_size=300))
def test_any_bytes_are_shown_and_none_is_left_out(recording: bytes) -> None:
    lines = decode(recording)
    assert [line.offset for line in lines] == sorted({line.offset for line in lines})
    if not lines or lines[0].raw in recording:  # not a text of hex digits
        left = bytearray(recording)
        for line in reversed(lines):
            assert recording[line.offset : line.offset + len(line.raw)] == line.raw
            del left[line.offset : line.offset + len(line.raw)]
        assert not left.strip(b"\r\n")


# --- MDB in words -----------------------------------------------------------------------------------------

CHANGER_SAYS = (
    "coin type 3 to the tube (10 in its tube), coin type 4 to the cashbox (0 in its tube), "
    "coin type 3 given back, 1 of coin type 3 paid out by hand (5 left), escrow lever, 5 slugs, unknown 1F"
)
VALIDATOR_SAYS = (
    "note type 1 escrowed, note type 1 stacked, validator disabled, 5 notes put in while disabled, unknown 7F"
)


@pytest.mark.parametrize(
    ("block", "reply", "asked", "answered"),
    [
        (
            "09",
            "0319780502000f0102040a1428",
            "changer: setup",
            "level 3, scale 5, 2 decimals, tubes for types 0 1 2 3, values 1 2 4 10 20 40",
        ),
        ("0A", "000800000009", "changer: tube status", "coins in tubes: type 3: 9; full: 3"),
        (
            "0B",
            "530A 44 00 7300 9305 01 25 1F",
            "changer: poll",
            CHANGER_SAYS,
        ),
        ("0D23", "", "changer: dispense 23", "no answer"),
        ("0F05", "0320", "changer: expansion diagnostic status", "2 bytes"),
        (
            "0F00",
            b"SIM000000000077SIMCHANGER  \x01\x02\0\0\0\x03".hex(),
            "changer: expansion identification",
            "SIM SIMCHANGER, serial 000000000077, software 0102; alternative payout, extended diagnostics",
        ),
        ("0F00", "00", "changer: expansion identification", "acknowledged, nothing to report"),
        (
            "31",
            "0119780064 02 01F4 FFFF FF 050A1432",
            "validator: setup",
            "level 1, scale 100, 2 decimals, with escrow, values 5 10 20 50",
        ),
        ("33", "91 81 09 45 7F", "validator: poll", VALIDATOR_SAYS),
        ("36", "802B", "validator: stacker", "43 notes in the stacker, which is full"),
        ("3500", "00", "validator: escrow 00", "acknowledged, nothing to report"),
        (
            "3705",
            "0000 0000 0002",
            "validator: expansion dispense status",
            "notes in the recycler: type 1: 2",
        ),
        ("12", "0500960A91", "reader 1: poll", "vend approved: 150, malfunction: communications failure 1"),
        ("62", "FEFE", "reader 2: poll", "2 bytes that are no message"),
        ("1302000C", "00", "reader 1: vend success 00 0C", "acknowledged, nothing to report"),
        ("0E", "", "changer: command 0E", "no answer"),
        ("70AA", "0102", "address 70: command 0 aa", "2 bytes"),
    ],
)
def test_blocks_and_replies_in_words(block: str, reply: str, asked: str, answered: str) -> None:
    sent, data = bytes.fromhex(block), bytes.fromhex(reply)
    told = Silence() if not data else Ack() if data == b"\0" else Data(data)
    question = Block(sent[0], sent[1:])
    assert block_words(question) == asked
    assert reply_words(question, told) == answered


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        ("11 00 01 10 02 01 25", "reader 1: setup 00 01 10 02 01"),
        ("13 05 00 96 80 0C 3A", "reader 1: vend cash sale 00 96 80 0C"),
        ("13 06 00 19 00 01 33", "reader 1: vend command 06 00 19 00 01"),
        ("17 FF 05 06 12 44 52 41 56 50 B0", "reader 1: expansion command FF 05 06 12 44 52 41 56 50"),
    ],
    ids=["level 1 with a display", "cash sale, free vend", "negative vend", "age verification"],
)
def test_what_other_controllers_send_and_ours_never_does(wire: str, words: str) -> None:
    block = block_from_wire(bytes.fromhex(wire))
    assert block_words(block) == words
    assert block_to_wire(block) == bytes.fromhex(wire)


@given(st.integers(0, 255), st.binary(max_size=4), st.binary(min_size=1, max_size=35))
def test_any_block_and_any_reply_has_words(head: int, data: bytes, reply: bytes) -> None:
    block = Block(head, data)
    assert block_words(block)
    assert reply_words(block, Data(reply))


def test_a_cards_number_is_not_shown() -> None:
    session = bytes.fromhex("03 FFFF 11223344 00 0000")
    assert reply_words(Block(0x12), Data(session)) == "begin session"
