"""What a sale costs at the edge before anything else may happen: journal, fsync included."""

import random
import time
from pathlib import Path

from edge.core import Core
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale.state import SlotSetting
from edge.sale.step import Machine
from edge.store.journal import Journal
from shared.clock import SystemClock
from shared.messages import PriceList
from tests.bench.figures import Figure, percentile

SALES = 2_000
SLOTS = [SlotSetting("A1", "cola", SALES, SALES)]
SETTING = Machine({"A1": "cola"}, "bench", items={"A1": 1})
PRICES = PriceList(version=0, currency="EUR", prices={"A1": 150})


def measure(folder: Path) -> list[Figure]:
    """Coin, selection and drop of one sale after the other: the drop's step is timed."""
    clock = SystemClock()
    taken_ms: list[float] = []
    with Journal(folder / "journal.db", "m1") as journal:
        core = Core(journal, SETTING, SLOTS, PRICES, random.Random(1))
        core.handle(ev.Booted(), clock.now())
        core.handle(ev.BoardReady(), clock.now())
        core.handle(ev.ChangerReady((50, 100), (50, 50)), clock.now())
        for _ in range(SALES):
            for coin, value_minor in ((0, 50), (1, 100)):
                core.handle(ev.CoinIn(coin, value_minor, ev.Route.CASHBOX, 50), clock.now())
            commands = core.handle(ev.SlotSelected("A1"), clock.now())
            assert act.RunMotor("A1") in commands
            start_s = time.perf_counter()
            core.handle(ev.VendEnded("A1", ev.VendResult.DELIVERED), clock.now())
            taken_ms.append((time.perf_counter() - start_s) * 1_000)
        assert core.state.totals.sales == SALES
    how = f"step, commit and fsync of {SALES:,} sales, one by one, in the temporary folder's file system"
    return [
        Figure("sale committed at the edge, p50", (percentile(taken_ms, 0.5),), "ms", how, digits=2),
        Figure("sale committed at the edge, p99", (percentile(taken_ms, 0.99),), "ms", how, digits=2),
    ]
