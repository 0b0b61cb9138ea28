"""The note in escrow: what was decided, what was ordered, and whether the order may be given again.

ESCROW names no note, so an order that is repeated blindly may act on the next one. An order whose answer was
lost is therefore given again only after 5 s without an outcome (a note is stacked in 2 s), while the unit is
not busy, and straight after an answered POLL that told no outcome: no other note can be in escrow then.
"""

from math import inf

ORDER_AGAIN_S = 5.0
OUTCOME_LIMIT_S = 31.0  # §6.3: STACKED or RETURNED within 30 s


class Escrow:
    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.bill: int | None = None
        self.stack = False
        self.order_from_s = inf
        self.deadline_s = inf
        self._decided = False
        self._ordered = False

    @property
    def may_be_stacking(self) -> bool:
        return self._ordered and self.stack

    def hold(self, bill: int) -> None:
        self.clear()
        self.bill = bill

    def settle(self, bill: int, *, stack: bool, now_s: float) -> bool:
        """Take the decision on a note of this type; False if there is none to decide on."""
        if self.bill != bill or self._decided:
            return False
        self._decided, self.stack, self.order_from_s = True, stack, now_s
        return True

    def ordering(self) -> None:
        """The order leaves now; from here on it may have been carried out."""
        self._ordered = True

    def ordered(self, *, taken: bool, now_s: float) -> None:
        """The order was acknowledged, or nobody knows."""
        if self.bill is None:
            return
        self.order_from_s = inf if taken else now_s + ORDER_AGAIN_S
        self.deadline_s = min(self.deadline_s, now_s + OUTCOME_LIMIT_S)

    def busy(self, now_s: float) -> None:
        """The unit is at work: an order whose answer was lost was probably heard."""
        if self._ordered and self.order_from_s < inf:
            self.order_from_s = now_s + ORDER_AGAIN_S
