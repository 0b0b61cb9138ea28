"""One payout of the coin changer: its orders one after another, each until the changer is done with it.

- DISPENSE orders coins, and is done when POLL has nothing to report any more. PAYOUT of level 3 orders a
  value; it is done when after that PAYOUT VALUE POLL is only acknowledged, and PAYOUT STATUS tells the coins.
- An order whose answer was lost may have been carried out. It is never sent again and no other follows; what
  it started is waited for all the same.
- The time limit starts anew with each order, and while a value poll tells of coins that fell.
"""

from collections import deque
from collections.abc import Sequence
from enum import Enum, auto

from edge.mdb.coin.codes import POLL, Command
from edge.mdb.coin.expansion import PAYOUT_STATUS, PAYOUT_VALUE_POLL, parse_counts
from edge.mdb.coin.ledger import Ledger
from edge.mdb.coin.phases import PAYOUT_LIMIT_S
from edge.mdb.frame import Ack, Block, Data, Reply, Silence


class Step(Enum):
    ORDER = auto()
    WAIT = auto()
    VALUE = auto()
    STATUS = auto()
    DONE = auto()


class Payout:
    def __init__(self, orders: Sequence[Block], ledger: Ledger, now_s: float) -> None:
        self._orders = deque(orders)
        self._by_value = any(order.head == Command.EXPANSION for order in orders)
        self._ledger = ledger
        self._step = Step.ORDER if orders else Step.DONE
        self.deadline_s = now_s + PAYOUT_LIMIT_S
        ledger.payout_began()

    @property
    def ordering(self) -> bool:
        return self._step is Step.ORDER

    @property
    def waiting(self) -> bool:
        return self._step is Step.WAIT

    @property
    def done(self) -> bool:
        return self._step is Step.DONE

    @property
    def request(self) -> Block:
        if self._step is Step.ORDER:
            return self._orders[0]
        return {Step.VALUE: PAYOUT_VALUE_POLL, Step.STATUS: PAYOUT_STATUS}.get(self._step, POLL)

    def on_reply(self, block: Block, reply: Reply, now_s: float) -> None:
        """The answer to one of its own blocks. Without one, VALUE POLL and STATUS are simply asked again."""
        if block != self.request:
            return
        match self._step, reply:
            case Step.ORDER, Ack():
                self._orders.popleft()
                self._wait(now_s)
            case Step.ORDER, _:
                self._orders.clear()
                self._wait(now_s)
            case Step.VALUE, Ack():
                self._step = Step.STATUS
            case Step.VALUE, Data(value):
                self._step = Step.WAIT
                if any(value):
                    self._wait(now_s)
            case Step.STATUS, Ack():
                self._step = Step.WAIT
            case Step.STATUS, Data(counts):
                self._ledger.payout_reported(parse_counts(counts))
                self._next_order()
            case _, Silence():
                pass

    def on_quiet(self) -> None:
        """A POLL had nothing to report."""
        if self._step is Step.WAIT and self._by_value:
            self._step = Step.VALUE
        elif self._step is Step.WAIT:
            self._next_order()

    def _next_order(self) -> None:
        self._step = Step.ORDER if self._orders else Step.DONE

    def _wait(self, now_s: float) -> None:
        self._step = Step.WAIT
        self.deadline_s = now_s + PAYOUT_LIMIT_S
