"""The bill validator's and recycler's driver, levels 1 and 2 (MDB/ICP 4.2 §6; edge/mdb/peripheral.py).

Start, and after each loss: SETUP, BILL TYPE (none), POLL until nothing has moved for 3 s, RESET, POLL until
JUST RESET, SETUP, identity, features and recycler where there are such, SECURITY, STACKER, BILL TYPE, then
BillsReady and StackerChanged.

- A note in escrow when a process starts is not stacked, as nobody's decision on it is known: RESET gives it
  back. If a killed process had ordered it to be stacked, that is waited for and credited (start.py).
- A note counts (BillIn) once it is secure, STACKED or TO RECYCLER, whatever was decided on it. A BillEscrowed
  ends with one BillIn or BillReturned, or with BillsLost; a BillIn may then still come, before BillsReady.
- ESCROW is not repeated blindly when its answer was lost (escrow.py). Without an outcome after 31 s
  the validator is lost ("escrow_timeout") and started anew.
- A reset in the middle of stacking: the note is credited if the stacker, or the recycler's type, holds
  exactly one more than before. A unit that counts wrongly loses such a note; it leaves no other trace.
- PayOutBills: recycler.py. One that is cut short by a loss ends with the BillsReady that follows, without
  BillPayoutEnded. One that comes while the validator is lost is dropped for the same reason, one that
  comes while a payout runs is that same payout.
- A validator that is silent for 5 s is lost: RESET at once and every 10 s, full start, BillsReady again.
  One that reports JUST RESET unasked gives BillsLost("reset") and the start without RESET.
- Notes stay disabled until an AcceptBills, which holds through every later start. A full stacker disables
  them. The stacker is read after each stacked note and every 30 s.
- Faults after which the unit disables itself are cleared when it is enabled again; those that it tells once
  are told each time and cleared by the next reset.
- A note is told once, also when the validator repeats its reply (repeats.py).
"""

from collections import Counter
from collections.abc import Sequence
from math import inf

from edge.mdb.bill.codes import (
    POLL,
    STACKER,
    Activity,
    Command,
    Kind,
    Status,
    escrow_order,
    is_lasting,
    is_settled,
    parse_activity,
)
from edge.mdb.bill.notes import Notes, Told
from edge.mdb.bill.phases import (
    DISABLED_LIMIT_S,
    FRESH_S,
    NON_RESPONSE_S,
    REPEAT_WINDOW_S,
    REPOLL_S,
    STACKER_INTERVAL_S,
    WORKING,
    Phase,
)
from edge.mdb.bill.recycler_codes import Expansion, Identity
from edge.mdb.bill.start import Outcome, Start
from edge.mdb.frame import Ack, Address, Block, Data, Reply, Silence
from edge.mdb.peripheral import POLL_INTERVAL_S, RESET_RETRY_S
from edge.mdb.presence import Presence
from edge.mdb.repeats import Repeats
from edge.sale.effects import AcceptBills, Effect, PayOutBills, SettleBill
from edge.sale.events import BillsLost


class BillValidator:
    address = Address.VALIDATOR

    def __init__(self, minor_exponent: int = 2) -> None:
        self._presence = Presence(NON_RESPONSE_S)
        self._due_s = -inf
        self._asked_s = -inf
        self._polled_s = -inf  # when the last answered POLL was asked
        self._disabled_since_s = inf
        self._stacker_from_s = -inf
        # POLL before the next block: in turn with one without answer, or to hear a repetition.
        self._poll_next = False
        self._notes = Notes()
        self._start = Start(self._notes, minor_exponent)
        self._repeats = Repeats(REPEAT_WINDOW_S, is_lasting, self._notes.is_single)
        self._wanted: frozenset[int] = frozenset()
        self._applied: Block | None = None

    @property
    def counts(self) -> Counter[str]:
        return self._notes.counts

    @property
    def identity(self) -> Identity | None:
        return self._start.identity

    @property
    def next_wake_s(self) -> float:
        return self._due_s

    def next_request(self, now_s: float) -> Block | None:
        if now_s < self._due_s:
            return None
        self._asked_s = now_s
        if self._poll_next:
            return POLL
        return self._working_request(now_s) if self._start.phase in WORKING else self._start.request(now_s)

    def perform(self, effect: Effect, now_s: float) -> None:
        match effect:
            case AcceptBills(bills):
                self._wanted = bills
            case SettleBill(bill, stack):
                if not self._notes.escrow.settle(bill, stack=stack, now_s=now_s):
                    self.counts["settles_dropped"] += 1
            case PayOutBills(bills):
                if not self._presence.online or self._notes.recycler.paying:
                    self.counts["payouts_dropped"] += 1
                    return
                self._notes.recycler.pay(bills)
            case _:
                return
        if self._start.phase is Phase.READY:
            self._due_s = now_s

    def bus_lost(self, reason: str, now_s: float) -> Told:
        events = self._lose(reason, now_s)
        self._due_s = now_s
        return events

    def on_pushed(self, data: bytes, now_s: float) -> Told:
        self._asked_s = now_s
        return self.on_reply(POLL, Data(data), now_s)

    def on_reply(self, block: Block, reply: Reply, now_s: float) -> Told:
        if isinstance(reply, Silence):
            return self._on_silence(block, now_s)
        self._presence.heard()
        self._due_s = now_s
        if block == POLL:
            events = self._on_poll(reply.data if isinstance(reply, Data) else b"", now_s)
        elif self._start.phase in WORKING:
            events = self._on_working_reply(block, reply, now_s)
        else:
            events = self._on_start_reply(block, reply, now_s)
        return [*events, *self._too_late(now_s)]

    def _working_request(self, now_s: float) -> Block:
        escrow = self._notes.escrow
        if now_s >= escrow.order_from_s:
            if now_s - self._polled_s > FRESH_S:
                return POLL
            escrow.ordering()
            return escrow_order(stack=escrow.stack)
        wanted = self._notes.bill_type(self._wanted)
        if self._applied != wanted:
            return wanted
        if self._notes.stacker_stale or now_s >= self._stacker_from_s:
            return STACKER
        return self._notes.recycler.request(now_s, note_in_escrow=escrow.bill is not None) or POLL

    # Replies

    def _on_silence(self, block: Block, now_s: float) -> Told:
        self._due_s = now_s + POLL_INTERVAL_S
        if self._presence.silent_too_long(now_s):
            return self._lose("silent", now_s)
        match self._start.phase:
            case Phase.PROBE:
                if self._presence.online is False:
                    self._start.reset(now_s)
                    self._due_s = now_s
                return []
            case Phase.RESET:
                self._start.anew()
                if self._presence.online is False:
                    self._due_s = now_s + RESET_RETRY_S
                    self._presence.heard()
                return []
            case Phase.READY if block.head == Command.ESCROW:
                self._notes.escrow.ordered(taken=False, now_s=now_s)
            case Phase.READY if block.head == Command.EXPANSION:
                self._notes.recycler.on_silence(Expansion(block.data[0]), now_s)
            case _:
                pass
        self._poll_next = block != POLL or self._repeats.expected
        return []

    def _on_start_reply(self, block: Block, reply: Reply, now_s: float) -> Told:
        match self._start.on_reply(block, reply, now_s):
            case Outcome.AGAIN:
                self._wait(now_s)
            case Outcome.UNUSABLE:
                fault = self._notes.faults.replace("setup", ["scaling_not_whole"])
                return [*fault, *self._lose("scaling_not_whole", now_s)]
            case Outcome.TAKEN if block.head == Command.SETUP:
                return [*self._notes.faults.replace("setup", ())]
            case Outcome.TAKEN if block.head == Command.RESET:
                self._due_s = now_s + POLL_INTERVAL_S
            case Outcome.TAKEN:
                pass
        return []

    def _on_working_reply(self, block: Block, reply: Reply, now_s: float) -> Told:
        data = reply.data if isinstance(reply, Data) else b""
        match block.head:
            case Command.BILL_TYPE if isinstance(reply, Ack):
                return self._on_bill_type(block, now_s)
            case Command.STACKER if self._notes.read_stacker(data):
                self._stacker_from_s = now_s + STACKER_INTERVAL_S
                return self._notes.stacker_changed()
            case Command.ESCROW:
                self._notes.escrow.ordered(taken=isinstance(reply, Ack), now_s=now_s)
            case Command.EXPANSION:
                self._notes.recycler.on_reply(Expansion(block.data[0]), reply, now_s)
            case _:
                pass
        self._wait(now_s)
        return []

    def _on_bill_type(self, block: Block, now_s: float) -> Told:
        self._applied, self._disabled_since_s = block, inf
        if self._start.phase is Phase.READY:
            return []
        self._start.enter(Phase.READY, inf)
        self._presence.online, self._stacker_from_s = True, now_s + STACKER_INTERVAL_S
        return self._notes.ready()

    def _on_poll(self, data: bytes, now_s: float) -> Told:
        seen = parse_activity(data)
        # An adapter that polls by itself hands over what was not asked for.
        self._polled_s, self._asked_s = min(self._asked_s, now_s), inf
        news = self._repeats.news(seen, self._polled_s, now_s)
        in_between, self._poll_next = self._poll_next, not all(map(_is_idempotent, seen))
        self._due_s = now_s + (REPOLL_S if self._poll_next else POLL_INTERVAL_S)
        events = self._notes.standing(seen)
        for activity in news:
            events += self._notes.reported(activity, now_s, working=self._start.phase is Phase.READY)
        if any(isinstance(row, Status) and row.kind is Kind.RESET for row in news):
            return events + self._on_was_reset(now_s)
        if self._start.phase is Phase.READY:
            return events + self._working_polled(seen, now_s)
        self._start.polled(seen, now_s, in_between=in_between)
        if self._start.phase is Phase.RESET:
            self._due_s = now_s  # nothing may happen between the drain and the RESET
        return events

    def _working_polled(self, seen: Sequence[Activity], now_s: float) -> Told:
        kinds = {row.kind for row in seen if isinstance(row, Status)}
        if Kind.BUSY in kinds:
            self._notes.escrow.busy(now_s)
        self._watch_disabled(now_s, disabled=Kind.DISABLED in kinds)
        quiet = all(map(is_settled, seen))
        return [*self._notes.recycler.polled(busy=Kind.DISPENSER_BUSY in kinds, quiet=quiet)]

    def _watch_disabled(self, now_s: float, *, disabled: bool) -> None:
        """A unit whose JUST RESET got lost takes no notes, and says only that it is disabled."""
        enabled = self._applied is not None and any(self._applied.data)
        if not disabled or not enabled or self._notes.escrow.bill is not None:
            self._disabled_since_s = inf
            return
        self._disabled_since_s = min(self._disabled_since_s, now_s)
        if now_s - self._disabled_since_s > DISABLED_LIMIT_S:
            self._applied = None

    def _on_was_reset(self, now_s: float) -> Told:
        lost: Told = []
        if self._presence.online:
            lost, self._presence.online = [BillsLost("reset")], False
        self._start.unit_was_reset(now_s)
        self._applied = None
        return [*lost, *self._notes.was_reset()]

    # Steps that several replies share

    def _wait(self, now_s: float) -> None:
        """POLL before the next block: it shows what came of this one, or this one is sent again."""
        self._poll_next = self._start.phase is not Phase.PROBE  # no note has a value there yet
        self._due_s = now_s + POLL_INTERVAL_S

    def _too_late(self, now_s: float) -> Told:
        if self._start.too_late(now_s):
            return self._lose("start_timeout", now_s)
        if now_s > self._notes.escrow.deadline_s:
            return self._lose("escrow_timeout", now_s)
        if self._notes.recycler.too_late(now_s):
            return self._lose("payout_timeout", now_s)
        return []

    def _lose(self, reason: str, now_s: float) -> Told:
        news, self._due_s = self._presence.lose(now_s)
        self._start.anew()
        self._notes.lost()
        self._poll_next = False
        self._applied = None
        return [BillsLost(reason)] if news else []


def _is_idempotent(activity: Activity) -> bool:
    """To hear it twice changes nothing, so nobody has to ask whether it is a repetition."""
    return is_lasting(activity) or is_settled(activity)
