"""MDB blocks and replies as values, and as the bytes on the wire (MDB/ICP 4.2 §2).

The mode bit belongs to the electrical layer and is the adapter's business: what is told apart by it on the
wire (a lone ACK from a block) is told apart by length here.
"""

from dataclasses import dataclass
from enum import IntEnum


class Address(IntEnum):
    """Peripheral addresses: the top five bits of a block's first byte."""

    CHANGER = 0x08
    CASHLESS_1 = 0x10
    VALIDATOR = 0x30
    CASHLESS_2 = 0x60


ADDRESS_BITS = 0xF8
COMMAND_BITS = 0x07
MAX_BLOCK_BYTES = 36  # both directions, check byte included
ACK = 0x00
NAK = 0xFF


class BadBlockError(ValueError):
    """Bytes that are no MDB block: too long, too short or a wrong check byte."""


@dataclass(frozen=True, slots=True)
class Block:
    """What the master sends: address and command in one byte, then the data."""

    head: int
    data: bytes = b""

    @property
    def address(self) -> int:
        return self.head & ADDRESS_BITS


@dataclass(frozen=True, slots=True)
class Ack:
    """The peripheral took the command, or has nothing to report."""


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer within the response time, or a NAK, which means the same (§2.2)."""


@dataclass(frozen=True, slots=True)
class Data:
    """The peripheral's answer, without its check byte; never empty."""

    data: bytes


Reply = Ack | Silence | Data


def checksum(data: bytes) -> int:
    return sum(data) & 0xFF


def block_to_wire(block: Block) -> bytes:
    return _with_check(bytes([block.head]) + block.data)


def block_from_wire(wire: bytes) -> Block:
    body = _without_check(wire)
    return Block(body[0], body[1:])


def reply_to_wire(reply: Reply) -> bytes:
    match reply:
        case Ack():
            return bytes([ACK])
        case Silence():
            return b""
        case Data(data):
            return _with_check(data)


def reply_from_wire(wire: bytes) -> Reply:
    """One byte is an ACK or a NAK, two and more are a block: `00 00` is data (§7.4.4)."""
    if wire in {b"", bytes([NAK])}:
        return Silence()
    if wire == bytes([ACK]):
        return Ack()
    return Data(_without_check(wire))


def _with_check(body: bytes) -> bytes:
    if not 0 < len(body) < MAX_BLOCK_BYTES:
        raise BadBlockError(f"{len(body)} bytes do not fit a block")
    return body + bytes([checksum(body)])


def _without_check(wire: bytes) -> bytes:
    if not 1 < len(wire) <= MAX_BLOCK_BYTES:
        raise BadBlockError(f"{len(wire)} bytes are no block")
    if checksum(wire[:-1]) != wire[-1]:
        raise BadBlockError(f"check byte {wire[-1]:02X}, expected {checksum(wire[:-1]):02X}")
    return wire[:-1]
