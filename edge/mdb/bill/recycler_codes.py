"""The bill validator's EXPANSION blocks: identity, features, recycler (MDB/ICP 4.2 §6.3, level 2)."""

from dataclasses import dataclass
from enum import IntEnum

from edge.mdb.bill.codes import BILL_TYPES, Command
from edge.mdb.frame import Block

RECYCLER_LEVEL = 2  # of SETUP: from here on there are features
IDENTITY_BYTES = 29
OPTIONS_BYTES = 4
RECYCLING = 0x00000002  # feature bit; file transfer (bit 0) stays off
COUNT_BYTES = 2
ALL_QUALITIES = 3  # recycle notes of high, medium and low quality


class Expansion(IntEnum):
    """Second byte of an EXPANSION block."""

    IDENTITY = 0x00
    FEATURES = 0x01
    IDENTITY_WITH_OPTIONS = 0x02
    RECYCLER_SETUP = 0x03
    RECYCLER_ENABLE = 0x04
    DISPENSE_STATUS = 0x05
    DISPENSE_BILL = 0x06
    DISPENSE_VALUE = 0x07
    PAYOUT_STATUS = 0x08
    PAYOUT_VALUE_POLL = 0x09
    PAYOUT_CANCEL = 0x0A


def expansion(command: Expansion, data: bytes = b"") -> Block:
    return Block(Command.EXPANSION, bytes([command]) + data)


RECYCLER_SETUP = expansion(Expansion.RECYCLER_SETUP)
DISPENSE_STATUS = expansion(Expansion.DISPENSE_STATUS)
PAYOUT_STATUS = expansion(Expansion.PAYOUT_STATUS)
PAYOUT_VALUE_POLL = expansion(Expansion.PAYOUT_VALUE_POLL)
PAYOUT_CANCEL = expansion(Expansion.PAYOUT_CANCEL)


@dataclass(frozen=True, slots=True)
class Identity:
    manufacturer: str
    serial: str
    model: str
    software: str
    options: int  # feature bits that the unit offers; 0 where it was not asked for them


def identify(level: int) -> Block:
    return expansion(Expansion.IDENTITY if level < RECYCLER_LEVEL else Expansion.IDENTITY_WITH_OPTIONS)


def parse_identity(data: bytes) -> Identity | None:
    if len(data) < IDENTITY_BYTES:
        return None
    return Identity(
        manufacturer=_text(data[:3]),
        serial=_text(data[3:15]),
        model=_text(data[15:27]),
        software=data[27:29].hex(),
        options=int.from_bytes(data[IDENTITY_BYTES : IDENTITY_BYTES + OPTIONS_BYTES], "big"),
    )


def _text(field: bytes) -> str:
    return field.decode("ascii", errors="replace").strip(" \0")


def enable_features(options: int) -> Block:
    return expansion(Expansion.FEATURES, options.to_bytes(OPTIONS_BYTES, "big"))


def parse_routing(data: bytes) -> int | None:
    """Mask of the bill types that the recycler can hold."""
    return int.from_bytes(data[:2], "big") if len(data) >= 2 else None


def enable_recycler(routing_mask: int) -> Block:
    """Recycle these types; the keys that pay notes out by hand are always off."""
    modes = bytes(ALL_QUALITIES if routing_mask >> bill & 1 else 0 for bill in range(BILL_TYPES))
    return expansion(Expansion.RECYCLER_ENABLE, bytes(2) + modes)


def parse_dispense_status(data: bytes) -> tuple[int, ...] | None:
    """Notes in the recycler by type; the mask of full types in front tells the sale nothing."""
    return parse_counts(data[2:]) if len(data) >= 2 else None


def parse_counts(data: bytes) -> tuple[int, ...] | None:
    """Two bytes a type; types left out at the end have none."""
    if len(data) % COUNT_BYTES:
        return None
    counts = [int.from_bytes(data[at : at + COUNT_BYTES], "big") for at in range(0, len(data), COUNT_BYTES)]
    return tuple(counts[:BILL_TYPES] + [0] * (BILL_TYPES - len(counts)))


def parse_value(data: bytes) -> int | None:
    """What PAYOUT VALUE POLL tells as paid so far, in scaled units."""
    return int.from_bytes(data[:2], "big") if len(data) >= 2 else None


def dispense_bill(bill: int, count: int) -> Block:
    return expansion(Expansion.DISPENSE_BILL, bytes([bill]) + count.to_bytes(COUNT_BYTES, "big"))


def dispense_commands(bills: tuple[int, ...]) -> list[Block]:
    """DISPENSE BILL pays notes of one type; higher types first, as with coins."""
    return [dispense_bill(bill, bills[bill]) for bill in reversed(range(len(bills))) if bills[bill] > 0]
