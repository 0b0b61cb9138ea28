"""The coin changer's level 3: EXPANSION blocks as tables and parsed values (MDB/ICP 4.2 §5.3).

What the changer can do beyond level 2 is in its identification, and stays off until it is enabled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from edge.mdb.coin.codes import Command, by_type
from edge.mdb.frame import Block

IDENTIFICATION_BYTES = 33
MAX_PAYOUT_VALUE = 255


class Sub(IntEnum):
    """Second byte of an EXPANSION block."""

    IDENTIFICATION = 0x00
    FEATURE_ENABLE = 0x01
    PAYOUT = 0x02
    PAYOUT_STATUS = 0x03
    PAYOUT_VALUE_POLL = 0x04
    DIAGNOSTIC_STATUS = 0x05
    MANUAL_FILL_REPORT = 0x06
    MANUAL_PAYOUT_REPORT = 0x07


def expansion(sub: Sub, data: bytes = b"") -> Block:
    return Block(Command.EXPANSION, bytes([sub]) + data)


IDENTIFICATION = expansion(Sub.IDENTIFICATION)
PAYOUT_STATUS = expansion(Sub.PAYOUT_STATUS)
PAYOUT_VALUE_POLL = expansion(Sub.PAYOUT_VALUE_POLL)
DIAGNOSTIC_STATUS = expansion(Sub.DIAGNOSTIC_STATUS)
MANUAL_FILL_REPORT = expansion(Sub.MANUAL_FILL_REPORT)
MANUAL_PAYOUT_REPORT = expansion(Sub.MANUAL_PAYOUT_REPORT)


class Feature(IntFlag):
    """Optional features. File transfer, bit 3, is none of ours and stays off."""

    ALTERNATIVE_PAYOUT = 1 << 0
    EXTENDED_DIAGNOSTICS = 1 << 1
    MANUAL_FILL = 1 << 2


NO_FEATURES = Feature(0)
ALL_FEATURES = Feature.ALTERNATIVE_PAYOUT | Feature.EXTENDED_DIAGNOSTICS | Feature.MANUAL_FILL


@dataclass(frozen=True, slots=True)
class Identification:
    manufacturer: str
    serial: str
    model: str
    software: str
    features: Feature


def parse_identification(data: bytes) -> Identification | None:
    if len(data) < IDENTIFICATION_BYTES:
        return None
    text = data[:27].decode("ascii", errors="replace")
    return Identification(
        manufacturer=text[:3],
        serial=text[3:15].strip(),
        model=text[15:27].strip(),
        software=data[27:29].hex(),
        features=Feature(int.from_bytes(data[29:33], "big") & ALL_FEATURES),
    )


def feature_enable(features: Feature) -> Block:
    return expansion(Sub.FEATURE_ENABLE, features.to_bytes(4, "big"))


def payout_commands(coins: tuple[int, ...], credits_raw: tuple[int, ...]) -> list[Block]:
    """PAYOUT takes a value of up to 255 units; each of these is the sum of some of the coins."""
    values: list[int] = [0]
    for coin in sorted(range(len(coins)), key=lambda coin: credits_raw[coin], reverse=True):
        for _ in range(coins[coin]):
            if values[-1] + credits_raw[coin] > MAX_PAYOUT_VALUE:
                values.append(0)
            values[-1] += credits_raw[coin]
    return [expansion(Sub.PAYOUT, bytes([value])) for value in values if value]


def pays_greedily(values: Sequence[int], credits_raw: Sequence[int], tubes: Sequence[int]) -> bool:
    """Whether the highest coins first pay each value: for 60 a 50 and no 10 do not, three 20 do."""
    left = list(tubes)
    for value in values:
        rest = value
        for coin in sorted(range(len(left)), key=lambda coin: credits_raw[coin], reverse=True):
            count = min(rest // credits_raw[coin], left[coin]) if credits_raw[coin] else 0
            left[coin] -= count
            rest -= count * credits_raw[coin]
        if rest:
            return False
    return True


def parse_counts(data: bytes) -> tuple[int, ...]:
    """Coins by type, of PAYOUT STATUS and the reports: from type 0, the last ones may be left out."""
    return by_type(data)


# Extended diagnostics: pairs of main and sub code, all that hold now

NEW_INVENTORY = (0x05, 0x20)  # coins were loaded or taken by hand, and the reports tell which
FAULTS_FROM = 0x10  # the main codes below tell a condition, not a fault
UNITS = {
    0x10: "general",
    0x11: "discriminator",
    0x12: "gate",
    0x13: "separator",
    0x14: "dispenser",
    0x15: "cassette",
}
FAULTS = {
    (0x10, 0x01): "checksum_error_1",
    (0x10, 0x02): "checksum_error_2",
    (0x10, 0x03): "low_voltage",
    (0x11, 0x10): "flight_deck_open",
    (0x11, 0x11): "return_stuck",
    (0x11, 0x30): "coin_jam",
    (0x11, 0x41): "below_standard",
    (0x11, 0x50): "sensor_a",
    (0x11, 0x51): "sensor_b",
    (0x11, 0x52): "sensor_c",
    (0x11, 0x53): "temperature",
    (0x11, 0x54): "optics",
    (0x12, 0x30): "no_exit",
    (0x12, 0x31): "alarm",
    (0x12, 0x40): "open_no_coin",
    (0x12, 0x50): "covered",
    (0x13, 0x10): "sort_sensor",
    (0x15, 0x02): "removed",
    (0x15, 0x03): "cashbox_sensor",
    (0x15, 0x04): "sunlight",
}


def parse_diagnostics(data: bytes) -> list[tuple[int, int]]:
    """A main code whose sub code is missing at the end tells nothing."""
    return list(zip(data[::2], data[1::2], strict=False))


def fault_codes(pairs: list[tuple[int, int]]) -> list[str]:
    """What to call the faults among them, such as `cassette_removed`; unknown ones by number."""
    return [
        f"{UNITS.get(main, f'unit_{main:02x}')}_{FAULTS.get((main, sub), f'{sub:02x}')}"
        for main, sub in pairs
        if main >= FAULTS_FROM
    ]
