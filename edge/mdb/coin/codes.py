"""The coin changer's blocks as tables and parsed values (MDB/ICP 4.2 §5)."""

from dataclasses import dataclass
from enum import Enum, IntEnum, auto

from edge.mdb.frame import Block
from edge.mdb.values import scaled_minor
from edge.sale.events import Route

COIN_TYPES = 16
MAX_DISPENSE = 15
MIN_SETUP_BYTES = 8
MIN_TUBE_STATUS_BYTES = 2


class Command(IntEnum):
    """First byte of the changer's blocks."""

    RESET = 0x08
    SETUP = 0x09
    TUBE_STATUS = 0x0A
    POLL = 0x0B
    COIN_TYPE = 0x0C
    DISPENSE = 0x0D
    EXPANSION = 0x0F  # level 3, edge/mdb/coin/expansion.py


RESET = Block(Command.RESET)
SETUP = Block(Command.SETUP)
TUBE_STATUS = Block(Command.TUBE_STATUS)
POLL = Block(Command.POLL)


class Kind(Enum):
    """What a one-byte POLL activity code asks of the driver."""

    LEVER = auto()
    BUSY = auto()  # at every poll while true
    STATE = auto()  # a fault, at every poll while true
    OCCURRENCE = auto()  # a fault, once each time it happens
    RESET = auto()


@dataclass(frozen=True, slots=True)
class Status:
    code: int
    name: str
    kind: Kind


STATUSES = (
    Status(0x01, "escrow_lever", Kind.LEVER),
    Status(0x02, "payout_busy", Kind.BUSY),
    Status(0x03, "no_credit", Kind.OCCURRENCE),
    Status(0x04, "defective_tube_sensor", Kind.OCCURRENCE),
    Status(0x05, "double_arrival", Kind.OCCURRENCE),
    Status(0x06, "acceptor_unplugged", Kind.STATE),
    Status(0x07, "tube_jam", Kind.OCCURRENCE),
    Status(0x08, "rom_checksum_error", Kind.OCCURRENCE),
    Status(0x09, "coin_routing_error", Kind.OCCURRENCE),
    Status(0x0A, "changer_busy", Kind.BUSY),
    Status(0x0B, "was_reset", Kind.RESET),
    Status(0x0C, "coin_jam", Kind.OCCURRENCE),
    Status(0x0D, "credited_coin_removal", Kind.OCCURRENCE),
)
_STATUS_OF = {row.code: row for row in STATUSES}

# Routing bits of a deposited coin. Only these two are credit: 11 is a coin given back, 10 is not in use.
CREDIT_ROUTES = {0b00: Route.CASHBOX, 0b01: Route.TUBE}
REJECTED = 0b11


@dataclass(frozen=True, slots=True)
class Deposited:
    coin: int
    routing: int
    in_tube: int


@dataclass(frozen=True, slots=True)
class Dispensed:
    """Coins taken by hand with the changer's own switches; never credit."""

    coin: int
    count: int
    in_tube: int


@dataclass(frozen=True, slots=True)
class Slugs:
    count: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A code that is not in the table, or a pair whose second byte is missing."""

    code: int


Activity = Deposited | Dispensed | Slugs | Status | Unknown


def parse_activity(data: bytes) -> list[Activity]:
    """The reply to POLL, left to right; a reply may hold several activities (§5.3)."""
    found: list[Activity] = []
    rest = data
    while rest:
        first = rest[0]
        if first >= 0x40 and len(rest) > 1:
            found.append(_pair(first, rest[1]))
            rest = rest[2:]
            continue
        if 0x20 <= first < 0x40:
            found.append(Slugs(first & 0x1F))
        else:
            found.append(_STATUS_OF.get(first, Unknown(first)))
        rest = rest[1:]
    return found


def _pair(first: int, second: int) -> Activity:
    if first & 0x80:
        return Dispensed(first & 0x0F, first >> 4 & 0x07, second)
    return Deposited(first & 0x0F, first >> 4 & 0x03, second)


@dataclass(frozen=True, slots=True)
class Setup:
    scale: int
    decimals: int
    tube_mask: int
    credits: tuple[int, ...]


def parse_setup(data: bytes) -> Setup | None:
    """Coin types that a changer leaves out at the end are unused, so replies are 8 to 23 bytes long."""
    if len(data) < MIN_SETUP_BYTES:
        return None
    return Setup(
        scale=data[3],
        decimals=data[4],
        tube_mask=int.from_bytes(data[5:7], "big"),
        credits=by_type(data[7:]),
    )


def values_minor(setup: Setup, minor_exponent: int) -> tuple[int, ...] | None:
    return scaled_minor(setup.credits, setup.scale, setup.decimals, minor_exponent)


@dataclass(frozen=True, slots=True)
class Tubes:
    counts: tuple[int, ...]
    full_mask: int


def parse_tubes(data: bytes) -> Tubes | None:
    if len(data) < MIN_TUBE_STATUS_BYTES:
        return None
    return Tubes(by_type(data[2:]), int.from_bytes(data[:2], "big"))


def with_tubes_only(tubes: Tubes, setup: Setup) -> Tubes:
    """Without what a changer says of coin types that have no tube."""
    counts = tuple(count if setup.tube_mask >> coin & 1 else 0 for coin, count in enumerate(tubes.counts))
    return Tubes(counts, tubes.full_mask & setup.tube_mask)


def defective_tubes(tubes: Tubes) -> list[int]:
    """A tube that is full and has no coins is jammed or defective (§5.3, TUBE STATUS)."""
    return [coin for coin in range(COIN_TYPES) if tubes.full_mask >> coin & 1 and not tubes.counts[coin]]


def by_mask(mask: int) -> list[int]:
    """The coin types whose bit is set."""
    return [coin for coin in range(COIN_TYPES) if mask >> coin & 1]


def coin_type(enabled_mask: int) -> Block:
    """Which coins to accept; the switches that dispense coins by hand are always off."""
    return Block(Command.COIN_TYPE, enabled_mask.to_bytes(2, "big") + bytes(2))


def dispense_commands(coins: tuple[int, ...]) -> list[Block]:
    """DISPENSE takes up to 15 coins of one type; higher types first, as among equal values (§5.3)."""
    commands = []
    for coin in reversed(range(len(coins))):
        left = coins[coin]
        while left > 0:
            count = min(left, MAX_DISPENSE)
            commands.append(Block(Command.DISPENSE, bytes([count << 4 | coin])))
            left -= count
    return commands


def by_type(counts: bytes) -> tuple[int, ...]:
    return tuple(counts[:COIN_TYPES].ljust(COIN_TYPES, b"\0"))
