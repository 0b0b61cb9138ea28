"""The recycler behind a bill validator that is ready: payouts and counts (MDB/ICP 4.2 §6.3, level 2).

A part of the validator's driver, which POLLs after each of its blocks and tells it what that showed.

- Payouts are measured by counts before and after, as with coins: PAYOUT STATUS is told once, and may be lost.
- A count is told after a POLL behind it that showed nothing new, so that it contains exactly the notes whose
  BillIn came before it.
- Notes that went to the cashbox or through an operator's hands are not the customer's: the counts that end a
  payout leave such moves out, and RecyclerChanged at once tells the counts in force. After a filled key in a
  payout only PAYOUT STATUS tells what was paid.
- DISPENSE BILL is never sent again when its answer was lost: the rest of the payout is dropped.
- A payout waits while a note is in escrow. One that takes too long is cancelled, and given up if that does
  not end it either.
"""

from collections import Counter, deque
from enum import Enum, auto
from math import inf

from edge.mdb.bill.codes import BILL_TYPES, RECYCLER_CHANGES, Routing
from edge.mdb.bill.recycler_codes import (
    DISPENSE_STATUS,
    PAYOUT_CANCEL,
    PAYOUT_STATUS,
    PAYOUT_VALUE_POLL,
    Expansion,
    dispense_commands,
    parse_counts,
    parse_dispense_status,
    parse_value,
)
from edge.mdb.frame import Ack, Block, Data, Reply
from edge.sale.events import BillEvent, BillPayoutEnded, RecyclerChanged

PAYOUT_LIMIT_S = 60.0  # for each note: 30 s and more are allowed
PAYOUT_START_S = 5.0  # a dispenser that tells nothing of a payout for so long does not pay
NONE = (0,) * BILL_TYPES


class Step(Enum):
    REST = auto()
    DISPENSE = auto()
    PAYING = auto()
    PAID = auto()
    CANCEL = auto()
    COUNT = auto()
    CONFIRM = auto()


REQUESTS = {
    Step.PAYING: PAYOUT_VALUE_POLL,
    Step.PAID: PAYOUT_STATUS,
    Step.CANCEL: PAYOUT_CANCEL,
    Step.COUNT: DISPENSE_STATUS,
}


class Recycler:
    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self.told = NONE
        self._by_hand = list(NONE)
        self.forget()

    def forget(self) -> None:
        """The unit starts anew: what it is and what it was asked to do is over, what it holds is not."""
        self.routing_mask = 0
        self.counted = NONE
        self.paying = False  # a payout is wanted or under way
        self._begun = False
        self._stale = self._filled = False
        self._commands: deque[Block] = deque()
        self._busy = False  # as of the last POLL
        self._started = False
        self._ordered_s = inf
        self._progress: int | None = None
        self._paid = list(NONE)
        self._step, self._deadline_s = Step.REST, inf

    # What the validator's driver does with it

    def pay(self, bills: tuple[int, ...]) -> None:
        self.paying = True
        self._paid = list(NONE)
        if self.routing_mask:
            self._commands.extend(dispense_commands(bills))

    def request(self, now_s: float, *, note_in_escrow: bool) -> Block | None:
        """The next block, or None for POLL."""
        if self._step is Step.REST and (self.paying or self._stale):
            self._leave_rest(now_s)
        if self._step is Step.DISPENSE:
            return None if note_in_escrow else self._commands[0]
        return REQUESTS.get(self._step)

    def on_silence(self, command: Expansion, now_s: float) -> None:
        if self._step is Step.DISPENSE and command is Expansion.DISPENSE_BILL:
            self._ordered(taken=False, now_s=now_s)

    def on_reply(self, command: Expansion, reply: Reply, now_s: float) -> None:
        """A reply that makes no sense leaves the step as it is, so that its block is sent again."""
        data = reply.data if isinstance(reply, Data) else None
        match self._step, command:
            case Step.DISPENSE, Expansion.DISPENSE_BILL:
                self._ordered(taken=isinstance(reply, Ack), now_s=now_s)
            case Step.PAYING, Expansion.PAYOUT_VALUE_POLL:
                self._on_value(data, now_s)
            case Step.PAID, Expansion.PAYOUT_STATUS:
                self._on_paid(parse_counts(data) if data is not None else NONE, now_s)
            case Step.CANCEL, Expansion.PAYOUT_CANCEL:
                self._step = Step.COUNT
            case Step.COUNT, Expansion.DISPENSE_STATUS:
                counts = parse_dispense_status(data) if data is not None else None
                if counts is not None:
                    self.count(counts)
                    self._step = Step.CONFIRM
            case _:
                pass  # late: for a payout that is over

    def polled(self, *, busy: bool, quiet: bool) -> list[BillEvent]:
        """What a POLL showed: whether the dispenser is busy, and whether nothing is new or moves."""
        self._busy = busy
        self._started |= busy
        if self._step is not Step.CONFIRM:
            return []
        if not quiet:
            self._step = Step.COUNT if self.routing_mask else Step.CONFIRM
            return []
        return self._ended() if self._begun else self._recounted()

    def too_late(self, now_s: float) -> bool:
        """True when cancelling did not help either."""
        if now_s <= self._deadline_s:
            return False
        if self._step not in {Step.DISPENSE, Step.PAYING, Step.PAID}:
            return True
        self._commands.clear()
        self._step, self._deadline_s = Step.CANCEL, now_s + PAYOUT_LIMIT_S
        return False

    # Notes

    def count(self, counts: tuple[int, ...]) -> None:
        """What the unit counts, without what it says of types that it cannot hold."""
        self.counted = tuple(n if self.routing_mask >> bill & 1 else 0 for bill, n in enumerate(counts))

    def note_in(self, bill: int) -> None:
        """Its BillIn tells the sale."""
        self.told = (*self.told[:bill], self.told[bill] + 1, *self.told[bill + 1 :])

    def moved_by_hand(self, bill: int, routing: Routing) -> None:
        self._by_hand[bill] += RECYCLER_CHANGES[routing]
        self._stale = self.routing_mask != 0

    def filled(self) -> None:
        """By hand, and nobody tells with what."""
        self._stale = self._filled = self.routing_mask != 0

    def take_count(self) -> tuple[tuple[int, ...], list[BillEvent]]:
        """The counts without moves by hand, and what then tells these."""
        counted = self.counted
        first = tuple(max(0, n - by_hand) for n, by_hand in zip(counted, self._by_hand, strict=True))
        self.told, self._by_hand = counted, list(NONE)
        self._stale = self._filled = False
        return first, [] if first == counted else [RecyclerChanged(counted)]

    # Steps of a payout

    def _leave_rest(self, now_s: float) -> None:
        """Notes moved by hand are counted and told before a payout begins."""
        self._deadline_s = now_s + PAYOUT_LIMIT_S
        self._begun = not self._stale
        if not self.routing_mask:
            self._step = Step.CONFIRM  # there is nothing to count
        else:
            self._step = Step.DISPENSE if self._begun and self._commands else Step.COUNT

    def _ordered(self, *, taken: bool, now_s: float) -> None:
        self._commands.popleft()
        if not taken:
            self._commands.clear()
        self._started, self._ordered_s, self._progress = False, now_s, None
        self._step, self._deadline_s = Step.PAYING, now_s + PAYOUT_LIMIT_S

    def _on_value(self, data: bytes | None, now_s: float) -> None:
        if data is None:
            # Nothing is under way: over, unless it has not begun yet.
            if not self._busy and (self._started or now_s - self._ordered_s >= PAYOUT_START_S):
                self._step = Step.PAID
            return
        value, before = parse_value(data), self._progress
        self._started, self._progress = True, value
        if value and value != before:
            self._deadline_s = now_s + PAYOUT_LIMIT_S

    def _on_paid(self, counts: tuple[int, ...] | None, now_s: float) -> None:
        if counts is None:
            return
        self._paid = [before + count for before, count in zip(self._paid, counts, strict=True)]
        self._step = Step.DISPENSE if self._commands else Step.COUNT
        self._deadline_s = now_s + PAYOUT_LIMIT_S

    def _ended(self) -> list[BillEvent]:
        left = tuple(was - paid for was, paid in zip(self.told, self._paid, strict=True))
        filled = self._filled
        first, changed = self.take_count()
        if filled:
            first, changed = left, [RecyclerChanged(self.told)]
        elif first != left:
            self._counts["payouts_differing"] += 1  # PAYOUT STATUS may be lost: the counts are believed
        self.paying = self._begun = False
        self._rest()
        return [BillPayoutEnded(first), *changed]

    def _recounted(self) -> list[BillEvent]:
        before = self.told
        self.take_count()
        self._rest()
        return [] if self.told == before else [RecyclerChanged(self.told)]

    def _rest(self) -> None:
        self._step, self._deadline_s = Step.REST, inf
