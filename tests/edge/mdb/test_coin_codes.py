from hypothesis import given
from hypothesis import strategies as st

from edge.mdb.coin.codes import (
    COIN_TYPES,
    STATUSES,
    Activity,
    Deposited,
    Dispensed,
    Setup,
    Slugs,
    Status,
    Tubes,
    Unknown,
    coin_type,
    defective_tubes,
    dispense_commands,
    parse_activity,
    parse_setup,
    parse_tubes,
    values_minor,
    with_tubes_only,
)
from edge.mdb.frame import Block

EUR = bytes.fromhex("0319780502000f0102040a1428")
EUR_MINOR = (5, 10, 20, 50, 100, 200)


def setup(data: str) -> Setup:
    parsed = parse_setup(bytes.fromhex(data))
    assert parsed is not None
    return parsed


def padded(*values: int) -> tuple[int, ...]:
    return values + (0,) * (COIN_TYPES - len(values))


def test_status_codes_are_the_specified_ones_in_order() -> None:
    assert [row.code for row in STATUSES] == list(range(0x01, 0x0E))
    assert len({row.name for row in STATUSES}) == len(STATUSES)


def test_setup_short_and_full_form() -> None:
    short = setup(EUR.hex())
    assert short == setup(EUR.hex().ljust(46, "0"))
    assert (short.scale, short.decimals, short.tube_mask) == (5, 2, 0x000F)
    assert values_minor(short, 2) == padded(*EUR_MINOR)


def test_setups_of_real_devices() -> None:
    rub = setup("021643640200170102050A0A19" + "00" * 10)
    assert values_minor(rub, 2) == padded(100, 200, 500, 1000, 1000, 2500)
    cny = setup("0311560501000301 02".replace(" ", "") + "00" * 14)
    assert values_minor(cny, 2) == padded(50, 100)
    assert values_minor(cny, 1) == padded(5, 10)


def test_a_token_is_worth_nothing() -> None:
    assert values_minor(setup("020001050200070102 0514FF".replace(" ", "")), 2) == padded(5, 10, 25, 100)


def test_scaling_that_gives_no_whole_minor_units_is_refused() -> None:
    assert values_minor(setup("02197805030001 01".replace(" ", "")), 2) is None  # 0.005
    assert values_minor(setup("02197805030001 02".replace(" ", "")), 2) == padded(1)  # 0.010


def test_too_short_replies_are_none() -> None:
    assert parse_setup(EUR[:7]) is None
    assert parse_setup(EUR[:8]) is not None
    assert parse_tubes(b"\0") is None


def test_tube_status() -> None:
    assert parse_tubes(bytes.fromhex("00040c225009")) == Tubes(padded(12, 34, 80, 9), 0x0004)


def test_a_full_tube_without_coins_is_defective_where_there_is_a_tube() -> None:
    changer = setup(EUR.hex())
    tubes = parse_tubes(bytes.fromhex("00020c005009"))
    assert tubes is not None
    assert defective_tubes(with_tubes_only(tubes, changer)) == [1]
    assert with_tubes_only(Tubes(padded(1, 1, 1, 1, 7), 0xFFF0), changer) == Tubes(padded(1, 1, 1, 1), 0)


def test_worked_activity() -> None:
    def parse(text: str) -> list[Activity]:
        return parse_activity(bytes.fromhex(text))

    lever = next(row for row in STATUSES if row.name == "escrow_lever")
    assert parse("530a") == [Deposited(3, 0b01, 10)]
    assert parse("4400") == [Deposited(4, 0b00, 0)]
    assert parse("7122") == [Deposited(1, 0b11, 34)]
    assert parse("520d530b") == [Deposited(2, 0b01, 13), Deposited(3, 0b01, 11)]
    assert parse("a014") == [Dispensed(0, 2, 20)]
    assert parse("01530a") == [lever, Deposited(3, 0b01, 10)]
    assert parse("22") == [Slugs(2)]
    assert parse("0b")[0] == next(row for row in STATUSES if row.name == "was_reset")
    assert parse("0e1553") == [Unknown(0x0E), Unknown(0x15), Unknown(0x53)]


@given(st.binary(max_size=16))
def test_any_activity_is_parsed_to_its_end(data: bytes) -> None:
    size = {Deposited: 2, Dispensed: 2, Slugs: 1, Status: 1, Unknown: 1}
    assert sum(size[type(activity)] for activity in parse_activity(data)) == len(data)


@given(st.lists(st.integers(0, 60), max_size=COIN_TYPES))
def test_dispense_commands_pay_exactly_the_coins_wanted(coins: list[int]) -> None:
    paid = [0] * COIN_TYPES
    types = []
    for block in dispense_commands(tuple(coins)):
        (order,) = block.data
        assert 1 <= order >> 4 <= 15
        paid[order & 0x0F] += order >> 4
        types.append(order & 0x0F)
    assert paid == [*coins, *[0] * (COIN_TYPES - len(coins))]
    assert types == sorted(types, reverse=True)


def test_worked_commands() -> None:
    assert coin_type(0x003F) == Block(0x0C, bytes.fromhex("003f0000"))
    assert dispense_commands((0, 0, 0, 2)) == [Block(0x0D, b"\x23")]
