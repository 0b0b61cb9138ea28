import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.mdb.bill.codes import (
    BILL_TYPES,
    POLL,
    RESET,
    SETUP,
    STACKER,
    STATUSES,
    Activity,
    Attempts,
    Kind,
    Moved,
    Routing,
    Setup,
    Stacker,
    Status,
    Unknown,
    bill_type,
    escrow_order,
    is_lasting,
    is_settled,
    parse_activity,
    parse_setup,
    parse_stacker,
    security,
    values_minor,
)
from edge.mdb.bill.recycler_codes import (
    PAYOUT_CANCEL,
    PAYOUT_STATUS,
    PAYOUT_VALUE_POLL,
    RECYCLER_SETUP,
    RECYCLING,
    Identity,
    dispense_bill,
    dispense_commands,
    enable_features,
    enable_recycler,
    identify,
    parse_counts,
    parse_dispense_status,
    parse_identity,
    parse_routing,
    parse_value,
)
from edge.mdb.frame import (
    Ack,
    Address,
    Block,
    Data,
    Reply,
    block_from_wire,
    block_to_wire,
    reply_from_wire,
    reply_to_wire,
)

# Wire bytes with check byte, as worked out for an EUR validator (5 10 20 50 EUR, with escrow).
BLOCKS = {
    "RESET": ("30 30", RESET),
    "SETUP": ("31 31", SETUP),
    "SECURITY": ("32 00 00 32", security(0)),
    "POLL": ("33 33", POLL),
    "all four with escrow": ("34 00 0F 00 0F 52", bill_type(0x000F, escrow=True)),
    "disable": ("34 00 00 00 00 34", bill_type(0, escrow=True)),
    "all without escrow": ("34 FF FF 00 00 32", bill_type(0xFFFF, escrow=False)),
    "all with escrow": ("34 FF FF FF FF 30", bill_type(0xFFFF, escrow=True)),
    "stack": ("35 01 36", escrow_order(stack=True)),
    "return": ("35 00 35", escrow_order(stack=False)),
    "STACKER": ("36 36", STACKER),
    "identity, level 1": ("37 00 37", identify(1)),
    "identity, level 2": ("37 02 39", identify(2)),
    "no features": ("37 01 00 00 00 00 38", enable_features(0)),
    "recycling on": ("37 01 00 00 00 02 3A", enable_features(RECYCLING)),
    "RECYCLER SETUP": ("37 03 3A", RECYCLER_SETUP),
    "two of type 0": ("37 06 00 00 02 3F", dispense_bill(0, 2)),
    "15 units": ("37 07 00 0F 4D", Block(0x37, b"\x07\0\x0f")),
    "PAYOUT STATUS": ("37 08 3F", PAYOUT_STATUS),
    "PAYOUT VALUE POLL": ("37 09 40", PAYOUT_VALUE_POLL),
    "PAYOUT CANCEL": ("37 0A 41", PAYOUT_CANCEL),
}
EUR = bytes.fromhex("0119780064 0201F4 FFFF FF 050A1432".replace(" ", ""))
REPLIES: dict[str, tuple[str, Reply]] = {
    "ack": ("00", Ack()),
    "setup": ("01 19 78 00 64 02 01 F4 FF FF FF 05 0A 14 32 3F", Data(EUR)),
    "after reset": ("06 09 0F", Data(b"\x06\x09")),
    "10 EUR in escrow": ("91 91", Data(b"\x91")),
    "stacked": ("81 81", Data(b"\x81")),
    "returned": ("A1 A1", Data(b"\xa1")),
    "disabled 10 EUR": ("C1 C1", Data(b"\xc1")),
    "rejected": ("0B 0B", Data(b"\x0b")),
    "three attempts": ("43 43", Data(b"\x43")),
    "43 notes": ("00 2B 2B", Data(b"\0\x2b")),
    "full": ("81 F4 75", Data(b"\x81\xf4")),
}


def padded(*values: int) -> tuple[int, ...]:
    return values + (0,) * (BILL_TYPES - len(values))


def setup(data: str) -> Setup:
    parsed = parse_setup(bytes.fromhex(data))
    assert parsed is not None
    return parsed


def status(code: int) -> Status:
    return next(row for row in STATUSES if row.code == code)


@pytest.mark.parametrize(("wire", "block"), BLOCKS.values(), ids=BLOCKS)
def test_worked_blocks_both_ways(wire: str, block: Block) -> None:
    assert block_to_wire(block) == bytes.fromhex(wire)
    assert block_from_wire(bytes.fromhex(wire)) == block
    assert block.address == Address.VALIDATOR


@pytest.mark.parametrize(("wire", "reply"), REPLIES.values(), ids=REPLIES)
def test_worked_replies_both_ways(wire: str, reply: Reply) -> None:
    assert reply_to_wire(reply) == bytes.fromhex(wire)
    assert reply_from_wire(bytes.fromhex(wire)) == reply


def test_status_codes_are_the_specified_ones() -> None:
    standard = [row.code for row in STATUSES if row.code != 0x14]
    assert standard == [*range(0x01, 0x0D), *range(0x21, 0x25), *range(0x26, 0x2B), 0x2F]
    assert len({row.name for row in STATUSES}) == len(STATUSES)


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (Kind.FAULT, {0x01, 0x02, 0x04, 0x05, 0x08}),
        (Kind.DISPENSER_FAULT, {0x24, 0x26, 0x27, 0x28}),
        (Kind.BUSY, {0x03}),
        (Kind.DISPENSER_BUSY, {0x22, 0x23, 0x2A}),
        (Kind.DISABLED, {0x09}),
        (Kind.DISPENSER_DISABLED, {0x29}),
        (Kind.OCCURRENCE, {0x0A, 0x0C}),
    ],
)
def test_how_often_a_status_is_told_is_its_kind(kind: Kind, codes: set[int]) -> None:
    assert {row.code for row in STATUSES if row.kind is kind} == codes


def test_setup() -> None:
    assert parse_setup(EUR) == Setup(
        level=1, scale=100, decimals=2, escrow=True, credits=padded(5, 10, 20, 50)
    )
    assert values_minor(setup(EUR.hex()), 2) == padded(500, 1000, 2000, 5000)
    assert setup(EUR.hex()) == setup(EUR.hex().ljust(54, "0"))
    assert not setup("0119780064 0201F4 FFFF 00".replace(" ", "")).escrow
    assert parse_setup(EUR[:10]) is None


def test_setup_of_a_real_unit() -> None:
    real = setup("011810000A0000C8001FFF01050A3264" + "00" * 11)
    assert (real.level, real.scale, real.decimals, real.escrow) == (1, 10, 0, True)
    assert values_minor(real, 2) == padded(1000, 5000, 10000, 50000, 100000)


@pytest.mark.parametrize("scaling", ["000A 00", "0064 01", "03E8 02"])
def test_equal_ways_to_say_ten(scaling: str) -> None:
    head = "01 1978 " + scaling + " 01F4 FFFF FF 01"
    assert values_minor(setup(head.replace(" ", "")), 2) == padded(1000)


def test_a_token_is_worth_nothing_and_half_a_cent_is_refused() -> None:
    assert values_minor(setup("0119780064 0201F4 FFFF FF 05FF".replace(" ", "")), 2) == padded(500)
    assert values_minor(setup("0119780005 0301F4 FFFF FF 01".replace(" ", "")), 2) is None


def test_stacker() -> None:
    assert parse_stacker(bytes.fromhex("002B")) == Stacker(full=False, bills=43)
    assert parse_stacker(bytes.fromhex("81F4")) == Stacker(full=True, bills=500)
    assert parse_stacker(b"\x81") is None


def test_worked_activity() -> None:
    def parse(text: str) -> list[Activity]:
        return parse_activity(bytes.fromhex(text))

    assert parse("0609") == [status(0x06), status(0x09)]
    assert parse("9009") == [Moved(0, Routing.ESCROWED), status(0x09)]
    assert parse("9209") == [Moved(2, Routing.ESCROWED), status(0x09)]
    assert parse("81A1B1") == [
        Moved(1, Routing.STACKED),
        Moved(1, Routing.RETURNED),
        Moved(1, Routing.RECYCLED),
    ]
    assert parse("C1D0E0F0") == [
        Moved(1, Routing.REJECTED),
        Moved(0, Routing.FILLED),
        Moved(0, Routing.DISPENSED),
        Moved(0, Routing.TRANSFERRED),
    ]
    assert parse("430B") == [Attempts(3), status(0x0B)]
    assert parse("001B2560") == [Unknown(0x00), Unknown(0x1B), Unknown(0x25), Unknown(0x60)]


@given(st.binary(max_size=16))
def test_any_activity_is_parsed_to_its_end_and_at_any_cut(data: bytes) -> None:
    whole = parse_activity(data)
    assert len(whole) == len(data)
    assert [row for byte in data for row in parse_activity(bytes([byte]))] == whole


def test_what_stands_in_a_reply_though_nothing_moves() -> None:
    settled = {byte for byte in range(256) if is_settled(parse_activity(bytes([byte]))[0])}
    assert settled == {0x09, 0x29, *range(0x90, 0xA0)}
    lasting = {byte for byte in range(256) if is_lasting(parse_activity(bytes([byte]))[0])}
    assert lasting == {0x03, 0x09, 0x22, 0x23, 0x29, 0x2A}


# The recycler


def test_identity() -> None:
    plain = b"ABC" + b"123456789012" + b"MODEL 7     " + b"\x01\x23"
    assert parse_identity(plain) == Identity("ABC", "123456789012", "MODEL 7", "0123", options=0)
    with_options = parse_identity(plain + b"\0\0\0\x03")
    assert with_options is not None
    assert with_options.options & RECYCLING
    assert parse_identity(plain[:-1]) is None
    assert parse_identity(b"\xff" * 33) is not None


def test_recycler_enable_recycles_what_can_be_routed_and_nothing_by_hand() -> None:
    block = enable_recycler(0x8003)
    assert block == Block(0x37, b"\x04" + bytes(2) + b"\x03\x03" + bytes(13) + b"\x03")
    assert len(block_to_wire(block)) <= 36


def test_counts() -> None:
    assert parse_dispense_status(b"\0\x01" + b"\0\x05\x01\0") == padded(5, 256)
    assert parse_dispense_status(b"\0") is None
    assert parse_dispense_status(bytes(3)) is None
    assert parse_counts(b"") == padded(0)
    assert parse_counts(bytes(33)) is None
    assert parse_routing(b"\0\x03\xff") == 3
    assert parse_routing(b"\x03") is None
    assert parse_value(b"\0\x0f") == 15
    assert parse_value(b"\x0f") is None


@given(st.lists(st.integers(0, 300), max_size=BILL_TYPES))
def test_dispense_commands_pay_exactly_the_notes_wanted(bills: list[int]) -> None:
    orders = [
        (block.data[1], int.from_bytes(block.data[2:], "big")) for block in dispense_commands(tuple(bills))
    ]
    assert dict(orders) == {bill: count for bill, count in enumerate(bills) if count}
    assert [bill for bill, _ in orders] == sorted((bill for bill, _ in orders), reverse=True)
