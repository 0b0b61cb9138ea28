"""What becomes of notes: from the validator's reports to what the sale is told. No phases, no blocks.

A note counts when it is secure, STACKED or TO RECYCLER. A report that comes twice is kept out before this
file (edge/mdb/repeats.py); ESCROWED alone may be repeated at will, and is news only for another note.
"""

from collections import Counter
from collections.abc import Sequence

from edge.mdb.bill.codes import (
    BILL_TYPES,
    CREDIT_ROUTES,
    RECYCLER_CHANGES,
    Activity,
    Attempts,
    Kind,
    Moved,
    Routing,
    Stacker,
    Status,
    Unknown,
    bill_type,
    parse_stacker,
)
from edge.mdb.bill.escrow import Escrow
from edge.mdb.bill.recycler import Recycler
from edge.mdb.frame import Block
from edge.mdb.peripheral import Faults
from edge.sale.events import (
    BillEscrowed,
    BillEvent,
    BillIn,
    BillReturned,
    BillRoute,
    BillsReady,
    DriverEvent,
    Lever,
    StackerChanged,
)

Told = list[DriverEvent | BillEvent]


class Notes:
    def __init__(self) -> None:
        self.values = (0,) * BILL_TYPES
        self.has_escrow = False
        self.escrow = Escrow()
        self.counts: Counter[str] = Counter()
        self.recycler = Recycler(self.counts)
        self.stacker = Stacker(full=False, bills=0)
        self.stacker_stale = True
        self._stacker_told: Stacker | None = None
        self._cut_off: int | None = None  # a note that may have been stacked while nobody could tell
        self.faults = Faults("validator")

    def is_single(self, activity: Activity) -> bool:
        """Twice in a row is a repetition: each note is first reported as being in escrow."""
        routings = {*CREDIT_ROUTES, Routing.ESCROWED, Routing.RETURNED}
        return self.has_escrow and isinstance(activity, Moved) and activity.routing in routings

    def bill_type(self, takes: frozenset[int]) -> Block:
        """Types of no value are never taken, and with a full stacker none."""
        takes = frozenset() if self.stacker.full else takes
        mask = sum(1 << bill for bill, value in enumerate(self.values) if value and bill in takes)
        return bill_type(mask, escrow=self.has_escrow)

    def lost(self) -> None:
        """The unit starts anew, or is out of reach."""
        if self.escrow.may_be_stacking:
            self._cut_off = self.escrow.bill
        self.escrow.clear()
        self.recycler.forget()

    def was_reset(self) -> Told:
        self.lost()
        ended = [self.faults.replace(seen_in, ()) for seen_in in ("validator", "dispenser", "reported")]
        return [event for events in ended for event in events]

    def standing(self, seen: Sequence[Activity]) -> Told:
        """A fault for which a unit disables itself is over when a reply tells neither fault nor disabled."""
        kinds = {row.kind for row in seen if isinstance(row, Status)}
        ended: Told = []
        if not kinds & {Kind.FAULT, Kind.DISABLED}:
            ended += self.faults.replace("validator", ())
        if not kinds & {Kind.DISPENSER_FAULT, Kind.DISPENSER_DISABLED}:
            ended += self.faults.replace("dispenser", ())
        return ended

    def ready(self) -> Told:
        """All has been read anew."""
        found = self._found_after_all()
        recycled, changed = self.recycler.take_count()
        self._stacker_told = self.stacker
        return [
            *found,
            BillsReady(self.values, recycled, self.has_escrow, self.recycler.routing_mask != 0),
            *changed,
            StackerChanged(self.stacker.full, self.stacker.bills),
        ]

    def read_stacker(self, data: bytes) -> bool:
        """The answer to STACKER; False if it makes no sense."""
        stacker = parse_stacker(data)
        if stacker is None:
            return False
        self.stacker, self.stacker_stale = stacker, False
        return True

    def stacker_changed(self) -> Told:
        if self.stacker == self._stacker_told:
            return []
        self._stacker_told = self.stacker
        return [StackerChanged(self.stacker.full, self.stacker.bills)]

    def reported(self, activity: Activity, now_s: float, *, working: bool) -> Told:
        match activity:
            case Moved(bill, Routing.ESCROWED):
                return self._escrowed(bill, now_s, working=working)
            case Moved(bill, routing) if routing in CREDIT_ROUTES:
                return self._secure(bill, CREDIT_ROUTES[routing])
            case Moved(bill, Routing.RETURNED):
                return self._left_escrow()
            case Moved(bill, routing) if routing in RECYCLER_CHANGES:
                self.recycler.moved_by_hand(bill, routing)
            case Moved():
                self.counts["bills_rejected"] += 1
            case Attempts(count):
                self.counts["attempts_while_disabled"] += count
            case Unknown():
                self.counts["activities_unknown"] += 1
            case Status():
                return self._status(activity)
        return []

    def _status(self, status: Status) -> Told:
        match status.kind:
            case Kind.LEVER:
                return [Lever()]
            case Kind.FILLED:
                self.recycler.filled()
            case Kind.REJECTED:
                self.counts["bills_rejected"] += 1
            case Kind.FAULT:
                return [*self.faults.began("validator", status.name)]
            case Kind.DISPENSER_FAULT:
                return [*self.faults.began("dispenser", status.name)]
            case Kind.OCCURRENCE:
                return [*self.faults.occurred("reported", status.name)]
            case Kind.ESCROW_LEFT:
                return [*self.faults.occurred("reported", status.name), *self._left_escrow()]
            case _:
                pass  # busy, disabled and reset are the whole reply's business
        return []

    def _escrowed(self, bill: int, now_s: float, *, working: bool) -> Told:
        if not working:
            self.counts["bills_escrowed_at_start"] += 1  # the coming RESET gives it back
            return []
        if bill == self.escrow.bill:
            return []
        told = self._left_escrow()  # what became of the one before was not told; it was not credited
        self.escrow.hold(bill)
        if not self.values[bill]:
            self.escrow.settle(bill, stack=False, now_s=now_s)
            return [*told, *self.faults.occurred("reported", "bill_without_value")]
        return [*told, BillEscrowed(bill, self.values[bill])]

    def _left_escrow(self) -> Told:
        bill, self._cut_off = self.escrow.bill, None
        self.escrow.clear()
        return [] if bill is None or not self.values[bill] else [BillReturned(bill, self.values[bill])]

    def _secure(self, bill: int, route: BillRoute) -> Told:
        self.escrow.clear()
        self._cut_off = None
        if route is BillRoute.RECYCLER:
            self.recycler.note_in(bill)
        else:
            self.stacker_stale = True
        if not self.values[bill]:
            return [*self.faults.occurred("reported", "bill_without_value")]
        return [BillIn(bill, self.values[bill], route)]

    def _found_after_all(self) -> Told:
        """A note whose stacking was cut off by a reset and that the counts show to be inside."""
        bill, self._cut_off = self._cut_off, None
        if bill is None:
            return []
        if self._stacker_told and self.stacker.bills == self._stacker_told.bills + 1:
            return self._secure(bill, BillRoute.CASHBOX)
        if self.recycler.counted[bill] == self.recycler.told[bill] + 1:
            return self._secure(bill, BillRoute.RECYCLER)
        return []
