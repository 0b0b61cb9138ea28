"""The last exchanges on the bus, for whoever helps from afar: lines for `vend-edge bench decode`. Pure.

Polls with nothing to tell are left out, and so is what is said again and again. What tells one card from
another is written as zeros.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge.mdb.adapters.qibixx import QibixxAdapter
from edge.mdb.cashless.blocks import ADDRESSES
from edge.mdb.cashless.codes import Code
from edge.mdb.frame import Ack, Block, Data, Reply, Silence

KEPT: Final = 100
_FUNDS: Final = 3  # bytes of BEGIN SESSION up to the card's own
_LONGEST_ANSWER: Final = 8  # of a reader, that cannot have a card's bytes in it


@dataclass(frozen=True, slots=True)
class Exchange:
    at_s: float
    block: Block
    reply: Reply


def remembered(known: tuple[Exchange, ...], new: Exchange) -> tuple[Exchange, ...]:
    """With a new one, if it says anything. Replaced whole, so that another thread may read it."""
    if isinstance(new.reply, Ack) and not new.block.data:
        return known
    if known and (known[-1].block, known[-1].reply) == (new.block, new.reply):
        return known
    return (*known[1 - KEPT :], new)


def lines(exchanges: Sequence[Exchange], now_s: float) -> tuple[str, ...]:
    """How long ago, what was asked, what was answered."""
    return tuple(
        line
        for exchange in exchanges
        for line in (
            f"# {max(0.0, now_s - exchange.at_s):.1f} s ago",
            QibixxAdapter().encode(exchange.block).decode().strip(),
            f"p,{_answer(exchange)}",
        )
    )


def _answer(exchange: Exchange) -> str:
    match exchange.reply:
        case Ack():
            return "ack"
        case Silence():
            return "nack"
        case Data(data):
            begin = data.find(Code.BEGIN_SESSION)
            if exchange.block.address in ADDRESSES.values() and len(data) > _LONGEST_ANSWER and begin >= 0:
                data = data[: begin + _FUNDS] + bytes(len(data) - begin - _FUNDS)
            return data.hex()
