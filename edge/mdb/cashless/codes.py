"""The cashless reader's messages as tables and parsed values (MDB/ICP 4.2 §7).

A reply holds one message or several, without anything between them, so that each message's length has to be
known. It depends on the level that both sides speak and on the width of money.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum, auto


class Code(IntEnum):
    """First byte of a message."""

    JUST_RESET = 0x00
    READER_CONFIG = 0x01
    DISPLAY_REQUEST = 0x02
    BEGIN_SESSION = 0x03
    SESSION_CANCEL_REQUEST = 0x04
    VEND_APPROVED = 0x05
    VEND_DENIED = 0x06
    END_SESSION = 0x07
    CANCELLED = 0x08
    PERIPHERAL_ID = 0x09
    MALFUNCTION = 0x0A
    OUT_OF_SEQUENCE = 0x0B
    REVALUE_APPROVED = 0x0D
    REVALUE_DENIED = 0x0E
    REVALUE_LIMIT = 0x0F
    USER_FILE = 0x10
    TIME_REQUEST = 0x11
    DATA_ENTRY_REQUEST = 0x12
    DATA_ENTRY_CANCEL = 0x13
    FTL_REQUEST_TO_RECEIVE = 0x1B
    FTL_RETRY_DENY = 0x1C
    FTL_SEND_BLOCK = 0x1D
    FTL_OK_TO_SEND = 0x1E
    FTL_REQUEST_TO_SEND = 0x1F
    DIAGNOSTICS = 0xFF


class Layout(IntEnum):
    """Which column of the table holds: the lower of both sides' levels, or level 3 with 32-bit money."""

    LEVEL_1 = 0
    LEVEL_2 = 1
    LEVEL_3 = 2
    WIDE = 3


REST = 0  # to the end of the reply
AMOUNTS = {Code.VEND_APPROVED, Code.REVALUE_LIMIT}

# Bytes of a whole message in each layout. Only a display request's text has a length of its own: none, as the
# driver declares no display.
LENGTHS: dict[Code, tuple[int, int, int, int]] = {
    Code.JUST_RESET: (1, 1, 1, 1),
    Code.READER_CONFIG: (8, 8, 8, 8),
    Code.DISPLAY_REQUEST: (2, 2, 2, 2),
    Code.BEGIN_SESSION: (3, 10, 10, 17),
    Code.SESSION_CANCEL_REQUEST: (1, 1, 1, 1),
    Code.VEND_APPROVED: (3, 3, 3, 5),
    Code.VEND_DENIED: (1, 1, 1, 1),
    Code.END_SESSION: (1, 1, 1, 1),
    Code.CANCELLED: (1, 1, 1, 1),
    Code.PERIPHERAL_ID: (30, 30, 34, 34),
    Code.MALFUNCTION: (2, 2, 2, 2),
    Code.OUT_OF_SEQUENCE: (1, 2, 2, 2),
    Code.REVALUE_APPROVED: (1, 1, 1, 1),
    Code.REVALUE_DENIED: (1, 1, 1, 1),
    Code.REVALUE_LIMIT: (3, 3, 3, 5),
    Code.USER_FILE: (REST, REST, REST, REST),
    Code.TIME_REQUEST: (1, 1, 1, 1),
    Code.DATA_ENTRY_REQUEST: (2, 2, 2, 2),
    Code.DATA_ENTRY_CANCEL: (1, 1, 1, 1),
    Code.FTL_REQUEST_TO_RECEIVE: (6, 6, 6, 6),
    Code.FTL_RETRY_DENY: (4, 4, 4, 4),
    Code.FTL_SEND_BLOCK: (REST, REST, REST, REST),
    Code.FTL_OK_TO_SEND: (3, 3, 3, 3),
    Code.FTL_REQUEST_TO_SEND: (6, 6, 6, 6),
    Code.DIAGNOSTICS: (REST, REST, REST, REST),
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `body` is what follows its code. No code: bytes that are none, to the reply's end."""

    code: Code | None
    body: bytes = b""


def parse_messages(data: bytes, layout: Layout) -> list[Message]:
    """The reply split into its messages, left to right.

    Readers differ in which layout they keep to, so another one's length is taken where only that makes the
    reply come out even. An amount is read narrower than the layout says only where the reply ends too soon,
    and never wider: bytes behind it are garbage, not money. What stands before garbage is read all the same.
    """
    even = _even_lengths(data, layout)
    found: list[Message] = []
    at = 0
    while at < len(data):
        length = even[at] or _usual_length(data, at, layout)
        if not 0 < length <= len(data) - at:
            found.append(Message(None, data[at:]))
            break
        found.append(Message(Code(data[at]), data[at + 1 : at + length]))
        at += length
    return found


def _even_lengths(data: bytes, layout: Layout) -> list[int]:
    """For each place, the length of a message with which the reply comes out even; 0 where there is none."""
    end = len(data)
    even = [0] * end
    for at in reversed(range(end)):
        for length in _possible_lengths(data, at, layout):
            after = at + length
            if after == end or (after < end and even[after]):
                even[at] = length
                break
    return even


def _possible_lengths(data: bytes, at: int, layout: Layout) -> list[int]:
    if data[at] not in LENGTHS:
        return []
    code, left = Code(data[at]), len(data) - at
    row = LENGTHS[code]
    if code in AMOUNTS and row[layout] <= left:
        return [row[layout]]
    if code is Code.DISPLAY_REQUEST:
        return [row[layout], left]
    return [length for length in (row[layout], *row) if length != REST]


def _usual_length(data: bytes, at: int, layout: Layout) -> int:
    if data[at] not in LENGTHS:
        return 0
    return LENGTHS[Code(data[at])][layout] or len(data) - at


class State(IntEnum):
    """What a reader of level 2 or 3 says behind OUT OF SEQUENCE: where it was."""

    INACTIVE = 1
    DISABLED = 2
    ENABLED = 3
    SESSION_IDLE = 4
    VEND = 5
    REVALUE = 6
    NEGATIVE_VEND = 7


# Bits of the configuration's last byte.
REFUNDS = 0x01
MULTIVEND = 0x02
REPORTS_CASH = 0x08

# Optional features of level 3, as offered in the identification and enabled one by one.
WIDE_MONEY = 0x02
ALWAYS_IDLE = 0x20

ID_BYTES = 29


@dataclass(frozen=True, slots=True)
class Config:
    level: int
    currency: bytes
    scale: int
    decimals: int
    response_s: int
    options: int


def parse_config(body: bytes) -> Config:
    return Config(body[0], body[1:3], body[3], body[4], body[5], body[6])


def parse_features(body: bytes) -> int:
    """The optional features at the end of a level 3 identification; none in a shorter one."""
    return int.from_bytes(body[ID_BYTES:], "big")


def parse_amount(body: bytes) -> int | None:
    """None: all bits set, which is unknown funds or an electronic token."""
    return None if body == b"\xff" * len(body) else int.from_bytes(body, "big")


def parse_funds(body: bytes) -> int | None:
    """Of BEGIN SESSION, whose length tells the width of its money."""
    wide = len(body) + 1 == LENGTHS[Code.BEGIN_SESSION][Layout.WIDE]
    return parse_amount(body[: 4 if wide else 2])


class Kind(Enum):
    """What a class of malfunctions means for the reader."""

    ONCE = auto()
    LASTS = auto()  # told at every POLL while true; the reader works all the same
    STOPS = auto()  # told at every POLL while true; the reader cannot sell
    REFUND = auto()  # once: the refund that was asked for is lost


@dataclass(frozen=True, slots=True)
class MalfunctionClass:
    """High nibble of the malfunction's byte; the low one is the maker's own. `reason` is what stopped it."""

    number: int
    name: str
    kind: Kind
    reason: str = ""


MALFUNCTIONS = (
    MalfunctionClass(0x0, "media_error", Kind.ONCE),
    MalfunctionClass(0x1, "invalid_media", Kind.ONCE),
    MalfunctionClass(0x2, "tamper", Kind.ONCE),
    MalfunctionClass(0x3, "maker_once", Kind.ONCE),
    MalfunctionClass(0x4, "communications_disturbed", Kind.LASTS),
    MalfunctionClass(0x5, "needs_service", Kind.LASTS),
    MalfunctionClass(0x6, "unassigned_6", Kind.LASTS),
    MalfunctionClass(0x7, "maker_lasting", Kind.LASTS),
    MalfunctionClass(0x8, "reader_failure", Kind.STOPS, "failure"),
    MalfunctionClass(0x9, "communications_failure", Kind.STOPS, "network"),
    MalfunctionClass(0xA, "reader_jammed", Kind.STOPS, "jammed"),
    MalfunctionClass(0xB, "maker_failure", Kind.STOPS, "maker_failure"),
    MalfunctionClass(0xC, "refund_error", Kind.REFUND),
)
_UNASSIGNED = MalfunctionClass(0xF, "unassigned", Kind.ONCE)


@dataclass(frozen=True, slots=True)
class Malfunction:
    kind: Kind
    code: str
    reason: str


def malfunction(body: bytes) -> Malfunction:
    number, maker = body[0] >> 4, body[0] & 0x0F
    row = next((row for row in MALFUNCTIONS if row.number == number), _UNASSIGNED)
    return Malfunction(row.kind, f"{row.name}_{maker}", row.reason)


def malfunctions(messages: Sequence[Message]) -> list[Malfunction]:
    return [malfunction(message.body) for message in messages if message.code is Code.MALFUNCTION]
