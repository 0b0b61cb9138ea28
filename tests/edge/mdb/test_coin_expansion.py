import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.mdb.coin.codes import COIN_TYPES
from edge.mdb.coin.expansion import (
    ALL_FEATURES,
    DIAGNOSTIC_STATUS,
    FAULTS,
    IDENTIFICATION,
    MANUAL_FILL_REPORT,
    MANUAL_PAYOUT_REPORT,
    MAX_PAYOUT_VALUE,
    PAYOUT_STATUS,
    PAYOUT_VALUE_POLL,
    UNITS,
    Feature,
    Sub,
    expansion,
    fault_codes,
    feature_enable,
    parse_counts,
    parse_diagnostics,
    parse_identification,
    payout_commands,
    pays_greedily,
)
from edge.mdb.frame import Block, Data, Reply, block_from_wire, block_to_wire, reply_from_wire, reply_to_wire

CREDITS = (1, 2, 4, 10, 20, 40, *[0] * 10)
COG = b"COG" + b"0" * 12 + b"F0012001    " + bytes.fromhex("029000000003")
BLOCKS = {
    "EXP ID": ("0F 00 0F", IDENTIFICATION),
    "FEATURE EN": ("0F 01 00 00 00 03 13", feature_enable(Feature(3))),
    "DIAG": ("0F 05 14", DIAGNOSTIC_STATUS),
    "ALT PAYOUT": ("0F 02 0F 20", expansion(Sub.PAYOUT, b"\x0f")),
    "VALUE POLL": ("0F 04 13", PAYOUT_VALUE_POLL),
    "PAYOUT STAT": ("0F 03 12", PAYOUT_STATUS),
    "MAN FILL": ("0F 06 15", MANUAL_FILL_REPORT),
    "MAN PAYOUT": ("0F 07 16", MANUAL_PAYOUT_REPORT),
}
REPLIES: dict[str, tuple[str, Reply]] = {
    "diagnostics: OK": ("03 00 03", Data(b"\x03\0")),
    "0.50 paid so far": ("0A 0A", Data(b"\x0a")),
    "1 x 5c, 1 x 20c, 1 x 50c": ("01 00 01 01 03", Data(b"\1\0\1\1")),
}


def padded(*counts: int) -> tuple[int, ...]:
    return counts + (0,) * (COIN_TYPES - len(counts))


@pytest.mark.parametrize(("wire", "block"), BLOCKS.values(), ids=BLOCKS)
def test_worked_blocks_both_ways(wire: str, block: Block) -> None:
    assert block_to_wire(block) == bytes.fromhex(wire)
    assert block_from_wire(bytes.fromhex(wire)) == block


@pytest.mark.parametrize(("wire", "reply"), REPLIES.values(), ids=REPLIES)
def test_worked_replies_both_ways(wire: str, reply: Reply) -> None:
    assert reply_to_wire(reply) == bytes.fromhex(wire)
    assert reply_from_wire(bytes.fromhex(wire)) == reply


def test_the_identification_of_a_real_changer() -> None:
    assert reply_to_wire(Data(COG))[-1] == 0xC8
    found = parse_identification(COG)
    assert found is not None
    assert (found.manufacturer, found.serial, found.model) == ("COG", "0" * 12, "F0012001")
    assert found.software == "0290"
    assert found.features == Feature.ALTERNATIVE_PAYOUT | Feature.EXTENDED_DIAGNOSTICS


def test_features_that_are_none_of_ours_stay_off() -> None:
    found = parse_identification(COG[:29] + b"\xff\xff\xff\xff")
    assert found is not None
    assert feature_enable(found.features) == Block(0x0F, bytes.fromhex("0100000007"))


@pytest.mark.parametrize("size", [0, 1, 32])
def test_too_short_an_identification_is_none(size: int) -> None:
    assert parse_identification(COG[:size]) is None


@given(st.binary(max_size=35))
def test_any_identification_is_parsed(data: bytes) -> None:
    found = parse_identification(data)
    assert found is None or found.features in ALL_FEATURES


def test_payout_status_starts_with_type_0() -> None:
    assert parse_counts(b"\7\0\0\0") == padded(7)
    assert parse_counts(b"\1\0\1\1") == padded(1, 0, 1, 1)
    assert parse_counts(b"\0") == padded()


def test_worked_diagnostics() -> None:
    assert parse_diagnostics(b"\3\0") == [(3, 0)]
    assert fault_codes([(3, 0), (5, 0x20), (6, 0)]) == []
    assert fault_codes(parse_diagnostics(bytes.fromhex("15021130 1203 03"))) == [
        "cassette_removed",
        "discriminator_coin_jam",
        "gate_03",
    ]
    assert fault_codes([(0x14, 0x00), (0x77, 0x12)]) == ["dispenser_00", "unit_77_12"]


def test_each_fault_of_the_table_has_a_unit_and_a_name_of_its_own() -> None:
    assert {main for main, _ in FAULTS} <= set(UNITS)
    names = fault_codes(list(FAULTS))
    assert len(set(names)) == len(FAULTS)


@given(st.lists(st.integers(0, 60), max_size=6))
def test_payout_commands_pay_exactly_the_value_of_the_coins(coins: list[int]) -> None:
    commands = payout_commands(tuple(coins), CREDITS)
    values = [block.data[1] for block in commands]
    assert sum(values) == sum(count * CREDITS[coin] for coin, count in enumerate(coins))
    assert all(0 < value <= MAX_PAYOUT_VALUE for value in values)
    assert all(block.head == 0x0F and block.data[0] == Sub.PAYOUT for block in commands)
    if coins and not any(coins[:-1]):
        assert all(value % CREDITS[len(coins) - 1] == 0 for value in values)  # made of these coins alone


@pytest.mark.parametrize(
    ("tubes", "found"),
    [((0, 0, 3, 1), False), ((0, 1, 3, 1), True), ((0, 0, 3, 0), True), ((12, 0, 0, 0), True)],
)
def test_a_changer_that_takes_the_highest_coins_first_may_not_find_the_others(
    tubes: tuple[int, ...],
    found: bool,
) -> None:
    assert pays_greedily([12], CREDITS, tubes) is found
