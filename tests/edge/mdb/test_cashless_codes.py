"""The cashless reader's bytes: each worked frame both ways, lengths by layout, money each way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.mdb.cashless.blocks import Blocks
from edge.mdb.cashless.codes import (
    LENGTHS,
    MALFUNCTIONS,
    Code,
    Config,
    Kind,
    Layout,
    Message,
    malfunction,
    parse_amount,
    parse_config,
    parse_features,
    parse_funds,
    parse_messages,
)
from edge.mdb.cashless.money import Scaling, scaling_of
from edge.mdb.frame import (
    Address,
    Block,
    Data,
    block_from_wire,
    block_to_wire,
    reply_from_wire,
    reply_to_wire,
)

ONE = Blocks(Address.CASHLESS_1)
TWO = Blocks(Address.CASHLESS_2)
WIDE = Blocks(Address.CASHLESS_1, wide=True, currency=b"\x19\x78")
OVM = b"OVM" + b"000000000001" + b"OPENVMC     " + b"\x01\x00"
SIM = b"SIM" + b"000000000042" + b"SIMCARD1    " + b"\x01\x02"

# Blocks on the wire with their check bytes.
BLOCKS = {
    "reset": ("10 10", ONE.reset),
    "poll": ("12 12", ONE.poll),
    "setup, level 3, no display": ("11 00 03 00 00 00 14", ONE.setup),
    "prices 5.00 and 0.50": ("11 01 01 F4 00 32 39", ONE.prices((500, 50))),
    "prices unknown": ("11 01 FF FF 00 00 10", ONE.prices(None)),
    "prices, 32 bit": ("11 01 00 00 01 F4 00 00 00 32 19 78 CA", WIDE.prices((500, 50))),
    "identification": (f"17 00 {OVM.hex(' ')} 03", ONE.request_id(OVM)),
    "always idle": ("17 04 00 00 00 20 3B", ONE.enable_options(0x20)),
    "32 bit and always idle": ("17 04 00 00 00 22 3D", ONE.enable_options(0x22)),
    "enable": ("14 01 15", ONE.reader_enable),
    "disable": ("14 00 14", ONE.reader_disable),
    "reader cancel": ("14 02 16", ONE.reader_cancel),
    "vend request": ("13 00 00 96 00 0C B5", ONE.vend_request(150, 12)),
    "vend request, 32 bit": ("13 00 00 00 00 96 00 0C B5", WIDE.vend_request(150, 12)),
    "vend success": ("13 02 00 0C 21", ONE.vend_success(12)),
    "vend failure": ("13 03 16", ONE.vend_failure),
    "vend cancel": ("13 01 14", ONE.vend_cancel),
    "session complete": ("13 04 17", ONE.session_complete),
    "cash sale": ("13 05 00 96 00 0C BA", ONE.cash_sale(150, 12)),
    "revalue limit": ("15 01 16", ONE.revalue_limit),
    "revalue": ("15 00 01 F4 0A", ONE.revalue(500)),
    "reset #2": ("60 60", TWO.reset),
    "poll #2": ("62 62", TWO.poll),
    "vend request #2": ("63 00 00 96 00 0C 05", TWO.vend_request(150, 12)),
    "enable #2": ("64 01 65", TWO.reader_enable),
}

L1, L2, L3, W = Layout.LEVEL_1, Layout.LEVEL_2, Layout.LEVEL_3, Layout.WIDE
MEDIA = "FF FF FF FF 00 00 00"
# Replies on the wire with their check bytes, in the layout of the reader that sends them.
REPLIES: dict[str, tuple[str, Layout, list[tuple[Code, str]]]] = {
    "just reset": ("00 00", L1, [(Code.JUST_RESET, "")]),
    "config, level 3 EUR": ("01 03 19 78 01 02 1E 09 BF", L3, [(Code.READER_CONFIG, "03197801021e09")]),
    "config, level 1 USD": ("01 01 18 40 05 02 05 00 66", L1, [(Code.READER_CONFIG, "01184005020500")]),
    "id, level 1": (f"09 {SIM.hex(' ')} EF", L1, [(Code.PERIPHERAL_ID, SIM.hex())]),
    "id, level 3": (f"09 {SIM.hex(' ')} 00 00 00 20 0F", L3, [(Code.PERIPHERAL_ID, SIM.hex() + "00000020")]),
    "cancelled": ("08 08", L1, [(Code.CANCELLED, "")]),
    "begin, level 1": ("03 01 F4 F8", L1, [(Code.BEGIN_SESSION, "01f4")]),
    "begin, level 2": (f"03 01 F4 {MEDIA} F4", L2, [(Code.BEGIN_SESSION, "01f4ffffffff000000")]),
    "begin, funds unknown": ("03 FF FF 01", L1, [(Code.BEGIN_SESSION, "ffff")]),
    "begin, 32 bit": (
        f"03 00 00 01 F4 {MEDIA} 65 6E 19 78 02 5A",
        W,
        [(Code.BEGIN_SESSION, "000001f4ffffffff000000656e197802")],
    ),
    "approved": ("05 00 96 9B", L3, [(Code.VEND_APPROVED, "0096")]),
    "approved, 32 bit": ("05 00 00 00 96 9B", W, [(Code.VEND_APPROVED, "00000096")]),
    "denied": ("06 06", L1, [(Code.VEND_DENIED, "")]),
    "end": ("07 07", L1, [(Code.END_SESSION, "")]),
    "revalue limit": ("0F 13 88 AA", L2, [(Code.REVALUE_LIMIT, "1388")]),
    "revalue approved": ("0D 0D", L2, [(Code.REVALUE_APPROVED, "")]),
    "revalue denied": ("0E 0E", L2, [(Code.REVALUE_DENIED, "")]),
    "denied, media error, session cancel": (
        "06 0A 07 04 1B",
        L1,
        [(Code.VEND_DENIED, ""), (Code.MALFUNCTION, "07"), (Code.SESSION_CANCEL_REQUEST, "")],
    ),
    "out of sequence in Vend": ("0B 05 10", L2, [(Code.OUT_OF_SEQUENCE, "05")]),
    "refund failed": ("0A C0 CA", L1, [(Code.MALFUNCTION, "c0")]),
}


@pytest.mark.parametrize(("wire", "block"), BLOCKS.values(), ids=BLOCKS)
def test_worked_blocks_both_ways(wire: str, block: Block) -> None:
    assert block_to_wire(block) == bytes.fromhex(wire)
    assert block_from_wire(bytes.fromhex(wire)) == block


@pytest.mark.parametrize(("wire", "layout", "messages"), REPLIES.values(), ids=REPLIES)
def test_worked_replies_both_ways(wire: str, layout: Layout, messages: list[tuple[Code, str]]) -> None:
    reply = reply_from_wire(bytes.fromhex(wire))
    assert isinstance(reply, Data)
    assert parse_messages(reply.data, layout) == [
        Message(code, bytes.fromhex(body)) for code, body in messages
    ]
    built = b"".join(bytes([code]) + bytes.fromhex(body) for code, body in messages)
    assert reply_to_wire(Data(built)) == bytes.fromhex(wire)


def test_time_is_declined_and_a_wide_cash_sale_carries_the_currency() -> None:
    assert ONE.decline_time == Block(0x17, b"\x03" + b"\xff" * 10)
    assert WIDE.cash_sale(150, 12) == Block(0x13, bytes.fromhex("0500000096000c1978"))


def test_table_has_each_code_once_in_order() -> None:
    assert list(LENGTHS) == sorted(Code)
    assert [row.number for row in MALFUNCTIONS] == list(range(0xD))
    assert len({row.name for row in MALFUNCTIONS}) == len(MALFUNCTIONS)
    assert {row.number for row in MALFUNCTIONS if row.kind is Kind.STOPS} == {0x8, 0x9, 0xA, 0xB}
    assert {row.number for row in MALFUNCTIONS if row.kind is Kind.LASTS} == {0x4, 0x5, 0x6, 0x7}
    assert all(bool(row.reason) == (row.kind is Kind.STOPS) for row in MALFUNCTIONS)


def test_malfunctions() -> None:
    assert malfunction(b"\x90").reason == "network"
    assert malfunction(b"\x93").code == "communications_failure_3"
    assert malfunction(b"\xc0").kind is Kind.REFUND
    assert malfunction(b"\xd2").code == "unassigned_2"


def codes(data: str, layout: Layout) -> list[tuple[Code | None, str]]:
    return [(m.code, m.body.hex()) for m in parse_messages(bytes.fromhex(data), layout)]


def test_lengths_follow_the_layout() -> None:
    assert codes("0b06", L1) == [(Code.OUT_OF_SEQUENCE, ""), (Code.VEND_DENIED, "")]
    assert codes("0b06", L2) == [(Code.OUT_OF_SEQUENCE, "06")]
    assert codes("0500960706", L3) == [
        (Code.VEND_APPROVED, "0096"),
        (Code.END_SESSION, ""),
        (Code.VEND_DENIED, ""),
    ]
    assert codes("0500960706", W) == [(Code.VEND_APPROVED, "00960706")]


def test_another_layout_is_taken_where_only_it_comes_out_even() -> None:
    assert codes("0301f4", L3) == [(Code.BEGIN_SESSION, "01f4")]
    assert codes("0301f4ffffffff000000", L1) == [(Code.BEGIN_SESSION, "01f4ffffffff000000")]
    assert codes("050096", W) == [(Code.VEND_APPROVED, "0096")]
    assert codes("05009604", W) == [(Code.VEND_APPROVED, "0096"), (Code.SESSION_CANCEL_REQUEST, "")]
    assert codes("0b05", L1) == [(Code.OUT_OF_SEQUENCE, "05")]
    assert codes(f"09{SIM.hex()}00000020", L2) == [(Code.PERIPHERAL_ID, SIM.hex() + "00000020")]


def test_a_display_request_may_have_text_that_nobody_wanted() -> None:
    assert codes("020a", L3) == [(Code.DISPLAY_REQUEST, "0a")]
    assert codes("020a06", L3) == [(Code.DISPLAY_REQUEST, "0a"), (Code.VEND_DENIED, "")]
    text = b"PRESENT CARD    ".hex()
    assert reply_to_wire(Data(bytes.fromhex(f"020a{text}")))[-1] == 0xE7
    assert codes(f"020a{text}", L3) == [(Code.DISPLAY_REQUEST, f"0a{text}")]


def test_what_stands_before_garbage_is_read() -> None:
    assert codes("0500962a2a", L3) == [(Code.VEND_APPROVED, "0096"), (None, "2a2a")]
    assert codes("0600", L3) == [(Code.VEND_DENIED, ""), (Code.JUST_RESET, "")]
    assert codes("05", L3) == [(None, "05")]
    assert codes("2a050096", L3) == [(None, "2a050096")]


def test_what_belongs_to_other_layers_is_split_off() -> None:
    assert codes("1b000000000006", L3) == [
        (Code.FTL_REQUEST_TO_RECEIVE, "0000000000"),
        (Code.VEND_DENIED, ""),
    ]
    assert codes("110612820713", L3) == [
        (Code.TIME_REQUEST, ""),
        (Code.VEND_DENIED, ""),
        (Code.DATA_ENTRY_REQUEST, "82"),
        (Code.END_SESSION, ""),
        (Code.DATA_ENTRY_CANCEL, ""),
    ]
    assert codes("ff0506", L3) == [(Code.DIAGNOSTICS, "0506")]
    assert codes("1005060708", L3) == [(Code.USER_FILE, "05060708")]


@given(st.binary(max_size=35), st.sampled_from(Layout))
def test_any_reply_is_split_to_its_end(data: bytes, layout: Layout) -> None:
    messages = parse_messages(data, layout)
    assert b"".join((b"" if m.code is None else bytes([m.code])) + m.body for m in messages) == data
    assert all(message.code is not None for message in messages[:-1])


@given(st.lists(st.sampled_from([code for code, row in LENGTHS.items() if all(row)]), max_size=6), st.data())
def test_a_reply_of_whole_messages_is_split_as_it_was_built(wanted: list[Code], data: st.DataObject) -> None:
    layout = data.draw(st.sampled_from(Layout))
    bodies = [data.draw(st.binary(min_size=n, max_size=n)) for n in (LENGTHS[c][layout] - 1 for c in wanted)]
    built = [Message(code, body) for code, body in zip(wanted, bodies, strict=True)]
    reply = b"".join(bytes([code]) + body for code, body in zip(wanted, bodies, strict=True))
    assert parse_messages(reply, layout) == built


def test_values() -> None:
    assert parse_config(bytes.fromhex("03197801021e09")) == Config(3, b"\x19\x78", 1, 2, 30, 9)
    assert parse_features(SIM + bytes.fromhex("00000022")) == 0x22
    assert parse_features(SIM) == 0
    assert parse_amount(b"\x00\x96") == 150
    assert parse_amount(b"\xff\xff") is None
    assert parse_amount(b"\xff\xff\xff\xff") is None
    assert parse_amount(b"\x00\x00\xff\xff") == 0xFFFF
    assert parse_funds(bytes.fromhex("01f4")) == parse_funds(bytes.fromhex("01f4ffffffff000000")) == 500
    assert parse_funds(bytes.fromhex("000001f4ffffffff000000656e197802")) == 500
    assert parse_funds(bytes.fromhex("ffffffffffffffff000000656e197802")) is None


# Money


def scaling(scale: int, decimals: int, max_raw: int = 0xFFFE) -> Scaling:
    found = scaling_of(Config(1, b"\x19\x78", scale, decimals, 5, 0), 2, max_raw)
    assert found is not None
    return found


def test_prices_become_whole_units_or_nothing() -> None:
    assert scaling(1, 2).raw(150) == 150
    assert scaling(5, 2).raw(150) == 30
    assert scaling(5, 2).raw(152) is None
    assert scaling(1, 1).raw(150) == 15
    assert scaling(1, 1).raw(155) is None
    assert scaling(5, 3).raw(150) == 300
    assert scaling(1, 2).raw(0xFFFE) == 0xFFFE
    assert scaling(1, 2).raw(0xFFFF) is None
    assert scaling(1, 2, 0xFFFFFFFE).raw(0xFFFF) == 0xFFFF
    assert scaling(1, 2).raw(-1) is None


def test_amounts_become_whole_minor_units_or_nothing() -> None:
    assert scaling(5, 2).minor(30) == 150
    assert scaling(1, 0).minor(3) == 300
    assert scaling(5, 3).minor(300) == 150
    assert scaling(5, 3).minor(301) is None
    assert scaling(5, 3).minor_down(301) == 150


def test_a_price_range_gets_wider_never_narrower() -> None:
    assert scaling(5, 2).raw_range(152, 52) == (31, 10)
    assert scaling(1, 2).raw_range(70000, 50) == (0xFFFE, 50)


def test_a_scale_of_zero_is_refused() -> None:
    assert scaling_of(Config(1, b"\x19\x78", 0, 2, 5, 0), 2, 0xFFFE) is None


@given(st.integers(1, 255), st.integers(0, 5), st.integers(0, 10**7))
def test_what_is_asked_is_what_is_charged(scale: int, decimals: int, minor: int) -> None:
    money = scaling(scale, decimals, 0xFFFFFFFE)
    raw = money.raw(minor)
    if raw is not None:
        assert money.minor(raw) == minor
