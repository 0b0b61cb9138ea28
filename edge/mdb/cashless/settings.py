"""What the cashless reader is told between customers: enabled or not, prices, cash sales, the time.

`Wishes` is what the sale wants and outlives every initialisation; `Settings` is what this reader has taken.
Prices may change only while it is disabled (MDB/ICP 4.2 §7.2). A cash sale is reported once: when the answer
does not come it counts as reported, as one too many would falsify the reader's books. The time is declined
with all bits set: drivers have no clock, and a reader keeps its own.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

from edge.mdb.cashless.blocks import Blocks, Command, Vend, command_of
from edge.mdb.cashless.money import Scaling
from edge.mdb.cashless.phases import MAX_CASH_SALES
from edge.mdb.frame import Block
from edge.sale.effects import ReportCashSale


@dataclass(slots=True)
class Wishes:
    counts: Counter[str]
    accept: bool = False
    prices_minor: tuple[int, int] | None = None  # highest and lowest
    cash_sales: deque[ReportCashSale] = field(default_factory=deque)

    def report(self, sale: ReportCashSale) -> None:
        if len(self.cash_sales) == MAX_CASH_SALES:
            self.counts["cash_sales_not_reported"] += 1
        else:
            self.cash_sales.append(sale)


class Settings:
    def __init__(self, blocks: Blocks, scaling: Scaling, wishes: Wishes, *, reports_cash: bool) -> None:
        self.enabled = False
        self.time_asked = False
        self._blocks = blocks
        self._scaling = scaling
        self._wishes = wishes
        self._reports_cash = reports_cash
        self._prices = blocks.prices(None)  # as the initialisation left them

    @property
    def accepting(self) -> bool:
        return self._wishes.accept

    def command(self) -> Block | None:
        prices = self._prices_wanted()
        if prices != self._prices:
            return self._blocks.reader_disable if self.enabled else prices
        if self._wishes.accept != self.enabled:
            return self._blocks.reader_enable if self._wishes.accept else self._blocks.reader_disable
        if self.time_asked:
            return self._blocks.decline_time
        return self._cash_sale() if self.enabled else None

    def on_answer(self, block: Block) -> None:
        if block == self._blocks.reader_enable:
            self.enabled = True
        elif block == self._blocks.reader_disable:
            self.enabled = False
        elif block == self._blocks.decline_time:
            self.time_asked = False
        elif command_of(block) is Command.SETUP:
            self._prices = block
        elif _is_cash_sale(block):
            self._wishes.cash_sales.popleft()

    def on_silence(self, block: Block) -> None:
        if _is_cash_sale(block):
            self._wishes.cash_sales.popleft()
            self._wishes.counts["cash_sales_in_doubt"] += 1

    def _prices_wanted(self) -> Block:
        wanted = self._wishes.prices_minor
        return self._blocks.prices(self._scaling.raw_range(*wanted) if wanted else None)

    def _cash_sale(self) -> Block | None:
        waiting = self._wishes.cash_sales
        while waiting:
            price = self._scaling.raw(waiting[0].price_minor) if self._reports_cash else None
            if price is not None:
                return self._blocks.cash_sale(price, waiting[0].item)
            waiting.popleft()
            self._wishes.counts["cash_sales_not_reported"] += 1
        return None


def _is_cash_sale(block: Block) -> bool:
    return command_of(block) is Command.VEND and block.data[0] == Vend.CASH_SALE
