"""The bill validator's blocks as tables and parsed values (MDB/ICP 4.2 §6); the recycler's are beside it."""

from dataclasses import dataclass
from enum import Enum, IntEnum, auto

from edge.mdb.frame import Block
from edge.mdb.values import scaled_minor
from edge.sale.events import BillRoute

BILL_TYPES = 16
MIN_SETUP_BYTES = 11
STACKER_BYTES = 2
STACKER_FULL = 0x8000


class Command(IntEnum):
    """First byte of the validator's blocks."""

    RESET = 0x30
    SETUP = 0x31
    SECURITY = 0x32
    POLL = 0x33
    BILL_TYPE = 0x34
    ESCROW = 0x35
    STACKER = 0x36
    EXPANSION = 0x37


RESET = Block(Command.RESET)
SETUP = Block(Command.SETUP)
POLL = Block(Command.POLL)
STACKER = Block(Command.STACKER)


class Kind(Enum):
    """What a one-byte POLL status asks of the driver."""

    BUSY = auto()  # at every poll while true
    DISPENSER_BUSY = auto()  # the same, of the recycler
    DISABLED = auto()  # at every poll while true: by BILL TYPE, or by itself with a fault
    DISPENSER_DISABLED = auto()
    FAULT = auto()  # told once; DISABLED stays until it is mended
    DISPENSER_FAULT = auto()  # told once; DISPENSER_DISABLED stays until it is mended
    OCCURRENCE = auto()  # a fault, once each time it happens
    ESCROW_LEFT = auto()  # a fault, and no note is in escrow any more
    REJECTED = auto()  # once; what customers do, no fault
    LEVER = auto()
    FILLED = auto()
    RESET = auto()


@dataclass(frozen=True, slots=True)
class Status:
    code: int
    name: str
    kind: Kind


STATUSES = (
    Status(0x01, "defective_motor", Kind.FAULT),
    Status(0x02, "sensor_problem", Kind.FAULT),
    Status(0x03, "validator_busy", Kind.BUSY),
    Status(0x04, "rom_checksum_error", Kind.FAULT),
    Status(0x05, "validator_jammed", Kind.FAULT),
    Status(0x06, "was_reset", Kind.RESET),
    Status(0x07, "bill_removed", Kind.ESCROW_LEFT),
    Status(0x08, "cashbox_out_of_position", Kind.FAULT),
    Status(0x09, "validator_disabled", Kind.DISABLED),
    Status(0x0A, "invalid_escrow_request", Kind.OCCURRENCE),
    Status(0x0B, "bill_rejected", Kind.REJECTED),
    Status(0x0C, "credited_bill_removal", Kind.OCCURRENCE),
    Status(0x14, "bill_not_accepted", Kind.REJECTED),  # not in the standard, seen from real units
    Status(0x21, "escrow_request", Kind.LEVER),
    Status(0x22, "dispenser_payout_busy", Kind.DISPENSER_BUSY),
    Status(0x23, "dispenser_busy", Kind.DISPENSER_BUSY),
    Status(0x24, "defective_dispenser_sensor", Kind.DISPENSER_FAULT),
    Status(0x26, "dispenser_did_not_start", Kind.DISPENSER_FAULT),
    Status(0x27, "dispenser_jam", Kind.DISPENSER_FAULT),
    Status(0x28, "dispenser_rom_checksum_error", Kind.DISPENSER_FAULT),
    Status(0x29, "dispenser_disabled", Kind.DISPENSER_DISABLED),
    Status(0x2A, "bill_waiting_for_removal", Kind.DISPENSER_BUSY),
    Status(0x2F, "filled_key", Kind.FILLED),
)
_STATUS_OF = {row.code: row for row in STATUSES}
LASTING = {Kind.BUSY, Kind.DISPENSER_BUSY, Kind.DISABLED, Kind.DISPENSER_DISABLED}


class Routing(IntEnum):
    """What a note did: bits 6 to 4 of a byte with bit 7 set. The last three and RECYCLED need a recycler."""

    STACKED = 0b000
    ESCROWED = 0b001
    RETURNED = 0b010
    RECYCLED = 0b011
    REJECTED = 0b100  # of a type that is disabled
    FILLED = 0b101  # by hand into the recycler
    DISPENSED = 0b110  # by hand out of the recycler
    TRANSFERRED = 0b111  # from the recycler to the cashbox


# A note is secure, and credit, with these two only.
CREDIT_ROUTES = {Routing.STACKED: BillRoute.CASHBOX, Routing.RECYCLED: BillRoute.RECYCLER}
# By how much a routing changes the recycler without any customer.
RECYCLER_CHANGES = {Routing.FILLED: 1, Routing.DISPENSED: -1, Routing.TRANSFERRED: -1}


@dataclass(frozen=True, slots=True)
class Moved:
    bill: int
    routing: Routing


@dataclass(frozen=True, slots=True)
class Attempts:
    """Notes that were put in while the validator was disabled."""

    count: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A code that is not in the table."""

    code: int


Activity = Moved | Attempts | Status | Unknown


def parse_activity(data: bytes) -> list[Activity]:
    """The reply to POLL; each byte is an activity of its own (§6.3)."""
    return [_activity(byte) for byte in data]


def _activity(byte: int) -> Activity:
    if byte & 0x80:
        return Moved(byte & 0x0F, Routing(byte >> 4 & 0x07))
    if byte & 0xE0 == 0x40:
        return Attempts(byte & 0x1F)
    return _STATUS_OF.get(byte, Unknown(byte))


def is_lasting(activity: Activity) -> bool:
    return isinstance(activity, Status) and activity.kind in LASTING


def is_settled(activity: Activity) -> bool:
    """It may stand in a reply for long, and yet nothing moves."""
    if isinstance(activity, Status):
        return activity.kind in {Kind.DISABLED, Kind.DISPENSER_DISABLED}
    return isinstance(activity, Moved) and activity.routing is Routing.ESCROWED


@dataclass(frozen=True, slots=True)
class Setup:
    level: int
    scale: int
    decimals: int
    escrow: bool
    credits: tuple[int, ...]


def parse_setup(data: bytes) -> Setup | None:
    """Bill types that a validator leaves out at the end are unused, so replies are 11 to 27 bytes long."""
    if len(data) < MIN_SETUP_BYTES:
        return None
    return Setup(
        level=data[0],
        scale=int.from_bytes(data[3:5], "big"),
        decimals=data[5],
        escrow=data[10] != 0,
        credits=tuple(data[11 : 11 + BILL_TYPES].ljust(BILL_TYPES, b"\0")),
    )


def values_minor(setup: Setup, minor_exponent: int) -> tuple[int, ...] | None:
    return scaled_minor(setup.credits, setup.scale, setup.decimals, minor_exponent)


@dataclass(frozen=True, slots=True)
class Stacker:
    full: bool
    bills: int


def parse_stacker(data: bytes) -> Stacker | None:
    if len(data) < STACKER_BYTES:
        return None
    word = int.from_bytes(data[:STACKER_BYTES], "big")
    return Stacker(full=bool(word & STACKER_FULL), bills=word & ~STACKER_FULL)


def bill_type(enabled_mask: int, *, escrow: bool) -> Block:
    """Which notes to take; all of them wait in escrow where there is one."""
    mask = enabled_mask.to_bytes(2, "big")
    return Block(Command.BILL_TYPE, mask + (mask if escrow else bytes(2)))


def security(high_mask: int) -> Block:
    """Which types to examine at the high security level, at the price of more good notes refused."""
    return Block(Command.SECURITY, high_mask.to_bytes(2, "big"))


def escrow_order(*, stack: bool) -> Block:
    return Block(Command.ESCROW, bytes([stack]))
