"""The cashless reader simulator's rules as tables, its plan and its ground truth (MDB/ICP 4.2 §7)."""

from dataclasses import dataclass, field
from enum import Enum, auto

from edge.mdb.cashless.blocks import Command, Expansion, Reader, Vend
from edge.mdb.cashless.codes import Code, State

CURRENCY_EUR = b"\x19\x78"
IDENTITY = b"SIM" + b"000000000042" + b"SIMCARD1".ljust(12) + b"\x01\x02"
NO_MEDIA_DATA = b"\xff\xff\xff\xff\0\0\0"  # media id, payment type and its data
CARD_OPTIONS = b"en" + CURRENCY_EUR + b"\x02"
NETWORK_DOWN = bytes([Code.MALFUNCTION, 0x90])
REFUND_FAILED = bytes([Code.MALFUNCTION, 0xC0])
RESET_BUSY_S = 0.2
CARD_WAIT_S = 10.0  # always idle: how long a customer may look for a card
SELF_RESET_LIMITS = 10  # times the longest response time, without any traffic

Key = tuple[int, int]
SETUP_CONFIG: Key = (Command.SETUP, 0)
SETUP_PRICES: Key = (Command.SETUP, 1)
ID: Key = (Command.EXPANSION, Expansion.REQUEST_ID)
TIME: Key = (Command.EXPANSION, Expansion.WRITE_TIME)
OPTIONS: Key = (Command.EXPANSION, Expansion.ENABLE_OPTIONS)
ENABLE: Key = (Command.READER, Reader.ENABLE)
DISABLE: Key = (Command.READER, Reader.DISABLE)
READER_CANCEL: Key = (Command.READER, Reader.CANCEL)
REVALUE: Key = (Command.REVALUE, 0)
REVALUE_LIMIT: Key = (Command.REVALUE, 1)
REQUEST: Key = (Command.VEND, Vend.REQUEST)
CANCEL: Key = (Command.VEND, Vend.CANCEL)
SUCCESS: Key = (Command.VEND, Vend.SUCCESS)
FAILURE: Key = (Command.VEND, Vend.FAILURE)
COMPLETE: Key = (Command.VEND, Vend.SESSION_COMPLETE)
CASH_SALE: Key = (Command.VEND, Vend.CASH_SALE)

# What may be asked in each state; in Vend it depends on the result. A repeated ENABLE is no violation.
ALLOWED: dict[State, set[Key]] = {
    State.INACTIVE: {SETUP_CONFIG, ID, OPTIONS},
    State.DISABLED: {SETUP_PRICES, ID, OPTIONS, TIME, ENABLE, DISABLE},
    State.ENABLED: {TIME, ENABLE, DISABLE, READER_CANCEL, CASH_SALE},
    State.SESSION_IDLE: {TIME, REQUEST, REVALUE, REVALUE_LIMIT, COMPLETE},
    State.REVALUE: set(),
}
STATE_AFTER: dict[Key, State] = {
    SETUP_PRICES: State.DISABLED,
    ENABLE: State.ENABLED,
    DISABLE: State.DISABLED,
    REVALUE: State.REVALUE,
}


def lengths(level: int, *, wide: bool) -> dict[Key, int]:
    """Bytes behind the sub-command; what is not in here the reader does not know."""
    money = 4 if wide else 2
    known = {
        SETUP_CONFIG: 4,
        SETUP_PRICES: 2 * money + (2 if wide else 0),
        REQUEST: money + 2,
        CANCEL: 0,
        SUCCESS: 2,
        FAILURE: 0,
        COMPLETE: 0,
        CASH_SALE: money + (4 if wide else 2),
        ENABLE: 0,
        DISABLE: 0,
        READER_CANCEL: 0,
        ID: 29,
        TIME: 10,
    }
    if level > 1:
        known |= {REVALUE: money, REVALUE_LIMIT: 0}
    if level > 2:
        known |= {OPTIONS: 4}
    return known


class Refund(Enum):
    DONE = auto()
    FAILED = auto()
    SILENT = auto()  # no word any more until the power is cut


@dataclass(slots=True)
class Plan:
    """How this reader decides, and how fast; may be changed at any time."""

    approve: bool = True
    amount: int | None = None  # instead of the price
    verdict_s: float = 0.3
    cancel_wins: bool = True  # over an approval that the VMC has not heard yet
    at_once: bool = False  # data as the answer to the command; otherwise ACK, and data at a POLL
    bundle: bool = True  # all messages in one reply; otherwise one a POLL
    refund: Refund = Refund.DONE
    refund_s: float = 0.4
    limit: int = 5000
    revalue: bool = True


@dataclass(slots=True)
class Books:
    """Amounts in the reader's own units."""

    charged: list[int] = field(default_factory=list)
    refunded: list[int] = field(default_factory=list)
    confirmed: list[int] = field(default_factory=list)  # items of VEND SUCCESS
    sold_by_reset: int = 0
    revalued: list[int] = field(default_factory=list)
    cash_sales: list[bytes] = field(default_factory=list)
    violations: list[Key] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReaderTruth:
    state: State
    prices: bytes
    features: int
    time_written: bytes
    books: Books

    @property
    def paid(self) -> int:
        """What the customers' cards have lost."""
        return sum(self.books.charged) - sum(self.books.refunded)
