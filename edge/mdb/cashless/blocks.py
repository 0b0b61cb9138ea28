"""The cashless reader's commands as blocks (MDB/ICP 4.2 §7.4). Amounts are in the reader's own units."""

from dataclasses import dataclass
from enum import IntEnum

from edge.mdb.frame import COMMAND_BITS, Address, Block

VMC_LEVEL = 3
NO_DISPLAY = bytes(3)  # columns, rows, kind of characters
ADDRESSES = {1: Address.CASHLESS_1, 2: Address.CASHLESS_2}
UNKNOWN_TIME = b"\xff" * 10

# Who asks: manufacturer code 3, serial number 12, model 12, software version 2 BCD.
VMC_ID = b"VDL" + b"0" * 12 + b"VENDLINK".ljust(12) + b"\x01\x00"


class Command(IntEnum):
    """Low bits of a block's first byte."""

    RESET = 0
    SETUP = 1
    POLL = 2
    VEND = 3
    READER = 4
    REVALUE = 5
    EXPANSION = 7


class Vend(IntEnum):
    REQUEST = 0
    CANCEL = 1
    SUCCESS = 2
    FAILURE = 3
    SESSION_COMPLETE = 4
    CASH_SALE = 5


class Reader(IntEnum):
    DISABLE = 0
    ENABLE = 1
    CANCEL = 2


class Expansion(IntEnum):
    REQUEST_ID = 0
    WRITE_TIME = 3
    ENABLE_OPTIONS = 4


CONFIG_DATA = 0
PRICES = 1
REVALUE_REQUEST = 0
REVALUE_LIMIT = 1


def command_of(block: Block) -> Command:
    return Command(block.head & COMMAND_BITS)


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks for one reader. `wide`: expanded currency mode, in which prices carry the currency."""

    address: Address
    wide: bool = False
    currency: bytes = b""

    @property
    def max_amount(self) -> int:
        """All bits set means unknown, or a token."""
        return (1 << 8 * self._amount_bytes) - 2

    @property
    def reset(self) -> Block:
        return self._block(Command.RESET)

    @property
    def poll(self) -> Block:
        return self._block(Command.POLL)

    @property
    def setup(self) -> Block:
        return self._block(Command.SETUP, CONFIG_DATA, bytes([VMC_LEVEL]) + NO_DISPLAY)

    def prices(self, range_: tuple[int, int] | None) -> Block:
        """Highest and lowest price; None where they are not known."""
        highest, lowest = range_ or (self.max_amount + 1, 0)
        data = self._amount(highest) + self._amount(lowest)
        return self._block(Command.SETUP, PRICES, data + self._wide_currency)

    def request_id(self, own: bytes = VMC_ID) -> Block:
        return self._block(Command.EXPANSION, Expansion.REQUEST_ID, own)

    def enable_options(self, features: int) -> Block:
        return self._block(Command.EXPANSION, Expansion.ENABLE_OPTIONS, features.to_bytes(4, "big"))

    @property
    def decline_time(self) -> Block:
        return self._block(Command.EXPANSION, Expansion.WRITE_TIME, UNKNOWN_TIME)

    @property
    def reader_disable(self) -> Block:
        return self._block(Command.READER, Reader.DISABLE)

    @property
    def reader_enable(self) -> Block:
        return self._block(Command.READER, Reader.ENABLE)

    @property
    def reader_cancel(self) -> Block:
        return self._block(Command.READER, Reader.CANCEL)

    def vend_request(self, price: int, item: int) -> Block:
        return self._block(Command.VEND, Vend.REQUEST, self._amount(price) + _item(item))

    @property
    def vend_cancel(self) -> Block:
        return self._block(Command.VEND, Vend.CANCEL)

    def vend_success(self, item: int) -> Block:
        return self._block(Command.VEND, Vend.SUCCESS, _item(item))

    @property
    def vend_failure(self) -> Block:
        return self._block(Command.VEND, Vend.FAILURE)

    @property
    def session_complete(self) -> Block:
        return self._block(Command.VEND, Vend.SESSION_COMPLETE)

    def cash_sale(self, price: int, item: int) -> Block:
        data = self._amount(price) + _item(item) + self._wide_currency
        return self._block(Command.VEND, Vend.CASH_SALE, data)

    def revalue(self, amount: int) -> Block:
        return self._block(Command.REVALUE, REVALUE_REQUEST, self._amount(amount))

    @property
    def revalue_limit(self) -> Block:
        return self._block(Command.REVALUE, REVALUE_LIMIT)

    @property
    def _amount_bytes(self) -> int:
        return 4 if self.wide else 2

    @property
    def _wide_currency(self) -> bytes:
        return self.currency if self.wide else b""

    def _amount(self, amount: int) -> bytes:
        return amount.to_bytes(self._amount_bytes, "big")

    def _block(self, command: Command, sub: int | None = None, data: bytes = b"") -> Block:
        return Block(self.address | command, data if sub is None else bytes([sub]) + data)


def _item(item: int) -> bytes:
    return item.to_bytes(2, "big")
