"""What a ready changer of level 3 is asked: extended diagnostics, and reports of coins that moved by hand.

- Diagnostics tell all that holds now, so a fault is told when it appears and cleared when it is gone.
- While diagnostics show new inventory, the reports are asked after each. A question is not repeated by itself
  when its answer is lost: the changer shows the inventory until its reports were taken. A report that comes
  again because the changer missed the acknowledgement is the same as before and told once.
"""

from collections import deque
from math import inf

from edge.mdb.coin.expansion import (
    DIAGNOSTIC_STATUS,
    MANUAL_FILL_REPORT,
    MANUAL_PAYOUT_REPORT,
    NEW_INVENTORY,
    Feature,
    fault_codes,
    parse_counts,
    parse_diagnostics,
)
from edge.mdb.coin.ledger import Ledger
from edge.mdb.frame import Block, Data, Reply
from edge.mdb.peripheral import Faults
from edge.sale.events import DriverEvent

DIAGNOSTICS_INTERVAL_S = 5.0  # specified 1 to 10 s


class Diagnostics:
    def __init__(self, ledger: Ledger, faults: Faults) -> None:
        self._ledger = ledger
        self._faults = faults
        self._due_s = inf
        self._reports_enabled = False
        self._reports: deque[Block] = deque()  # to be asked
        self._told: dict[Block, tuple[int, ...]] = {}  # by report, since the inventory is shown

    def start(self, features: Feature, now_s: float) -> None:
        self._due_s = now_s if Feature.EXTENDED_DIAGNOSTICS in features else inf
        self._reports_enabled = Feature.MANUAL_FILL in features
        self._reports.clear()
        self._told.clear()

    def next_request(self, now_s: float) -> Block | None:
        if self._reports:
            return self._reports.popleft()
        if now_s < self._due_s:
            return None
        self._due_s = now_s + DIAGNOSTICS_INTERVAL_S
        return DIAGNOSTIC_STATUS

    def on_reply(self, block: Block, reply: Reply) -> list[DriverEvent]:
        if not isinstance(reply, Data):
            return []
        if block == DIAGNOSTIC_STATUS:
            return self._on_diagnostics(reply.data)
        coins = parse_counts(reply.data)
        if self._told.get(block) == coins:
            return []
        self._told[block] = coins
        return self._ledger.loaded(coins) if block == MANUAL_FILL_REPORT else self._ledger.taken(coins)

    def _on_diagnostics(self, data: bytes) -> list[DriverEvent]:
        pairs = parse_diagnostics(data)
        if NEW_INVENTORY not in pairs:
            self._told.clear()
        elif self._reports_enabled:
            self._reports.extend((MANUAL_FILL_REPORT, MANUAL_PAYOUT_REPORT))
        return [*self._faults.replace("diagnostics", fault_codes(pairs))]
