"""A bill validator that behaves: MDB/ICP 4.2 §6, EUR, level 1, or level 2 with a recycler (recycler.py).

What really happened is in `truth()`: an acknowledgement that is lost, a reset or a silent bus changes what is
told, never what the notes did. The hands (`insert`, `report`, `pull_from_escrow` ...) may come from another
thread; they take effect at the next exchange, notes one after the other.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from struct import pack
from threading import Lock

from edge.mdb.bill.codes import BILL_TYPES, Command, Routing
from edge.mdb.bill.recycler_codes import Expansion
from edge.mdb.frame import Ack, Address, Block, Data, Reply, Silence
from edge.sim.recycler import IDENTITY, SimRecycler

SCALE = 100
DECIMALS = 2
CREDITS = (5, 10, 20, 50)  # EUR
EUR = b"\x19\x78"
STACKER_CAPACITY = 500
SINGLE_SECURITY = b"\xff\xff"
MAX_POLL_BYTES = 16
RESET_BUSY_S = 0.2
TRANSPORT_S = 0.3
STACK_S = 0.8
RETURN_S = 0.4
ESCROW_HOLD_S = 30.0
SELF_RESET_S = 50.0  # ten times the longest response time without any traffic

JUST_RESET = b"\x06"
BUSY = b"\x03"
JAMMED = b"\x05"
REMOVED = b"\x07"
DISABLED = b"\x09"
INVALID_ESCROW = b"\x0a"
ATTEMPT = b"\x41"
PAYOUT_BUSY = b"\x22"
FILLED_KEY = b"\x2f"


@dataclass(frozen=True, slots=True)
class ValidatorTruth:
    """What the notes did, each by bill type."""

    inserted: dict[int, int]
    returned: dict[int, int]
    stacked: dict[int, int]  # from customers to the cashbox
    recycled: dict[int, int]  # from customers to the recycler
    paid: dict[int, int]
    recycler: tuple[int, ...]
    stacker: int
    enabled_mask: int
    escrow_orders: tuple[tuple[int, bool], ...]  # carried out: of which note, and whether to stack it

    def taken_minor(self) -> int:
        return value_minor(self.stacked) + value_minor(self.recycled)


def value_minor(bills: dict[int, int]) -> int:
    return sum(CREDITS[bill] * SCALE * count for bill, count in bills.items())


class SimValidator:
    address: int = Address.VALIDATOR

    def __init__(
        self, recycler: tuple[int, ...] | None = None, *, escrow: bool = True, stacker: int = 43
    ) -> None:
        """recycler: the notes in it at the start; None is a level 1 validator without one."""
        self._lock = Lock()
        self._recycler = None if recycler is None else SimRecycler(recycler, CREDITS)
        self._has_escrow = escrow
        self._stacker = stacker
        self._inserted: Counter[int] = Counter()
        self._returned: Counter[int] = Counter()
        self._stacked: Counter[int] = Counter()
        self._recycled: Counter[int] = Counter()
        self._orders: list[tuple[int, bool]] = []
        self._hands: deque[int | Callable[[], None]] = deque()
        self._events: deque[bytes] = deque([JUST_RESET])  # it has just been switched on
        self._told = 0  # how many events the last POLL reply held
        self._enabled_mask = self._escrow_mask = 0
        self._busy_until_s = -inf  # silent until then, then JUST RESET
        self._heard_s = inf
        self._note: int | None = None  # on its way or in escrow
        self._moving: tuple[float, Callable[[], None]] | None = None  # until when, and what comes of it
        self._held_until_s = inf
        self._jams = self._broken = False
        self._lasting = b""

    # The hands

    def insert(self, bill: int) -> None:
        with self._lock:
            self._hands.append(bill)

    def report(self, activity: bytes) -> None:
        """Queue any activity bytes: faults, or garbage."""
        with self._lock:
            self._hands.append(lambda: self._events.append(activity))

    def report_lasting(self, activity: bytes) -> None:
        """Tell this at every POLL from now on; empty ends it."""
        with self._lock:
            self._lasting = activity

    def jam_next(self) -> None:
        """The next note to be stacked jams, is given back, and the unit disables itself until `repair`."""
        with self._lock:
            self._jams = True

    def repair(self) -> None:
        with self._lock:
            self._broken = False

    def pull_from_escrow(self) -> None:
        """By unknown means."""
        with self._lock:
            self._hands.append(self._pulled)

    def fill(self, bill: int, count: int) -> None:
        """An operator puts notes into the recycler and presses the key."""
        with self._lock:
            self._hands.append(lambda: self._filled(bill, count))

    def transfer(self, bill: int) -> None:
        """The unit moves a note from the recycler to the cashbox."""
        with self._lock:
            self._hands.append(lambda: self._transferred(bill))

    def break_dispenser(self, *, dead: bool = False, stuck: bool = False) -> None:
        """dead: it acknowledges orders and pays nothing; stuck: it stays busy with the next note."""
        assert self._recycler
        with self._lock:
            self._recycler.dead, self._recycler.stuck = dead, stuck

    def empty_cashbox(self) -> None:
        with self._lock:
            self._stacker = 0

    def reset(self) -> None:
        """A brown-out: what is told and set is forgotten. A note on its way to box or recycler gets there."""
        with self._lock:
            if self._moving and self._moving[1] == self._put_away:
                self._put_away()
            self._restart()

    def truth(self) -> ValidatorTruth:
        with self._lock:
            recycler = self._recycler
            return ValidatorTruth(
                inserted=dict(self._inserted),
                returned=dict(self._returned),
                stacked=dict(self._stacked),
                recycled=dict(self._recycled),
                paid=dict(recycler.paid) if recycler else {},
                recycler=tuple(recycler.notes) if recycler else (0,) * BILL_TYPES,
                stacker=self._stacker,
                enabled_mask=self._enabled_mask,
                escrow_orders=tuple(self._orders),
            )

    # The bus

    def answer(self, block: Block, now_s: float) -> Reply:
        with self._lock:
            self._advance(now_s)
            self._told = 0
            if self._recycler:
                self._recycler.on_ack = None
            if now_s < self._busy_until_s:
                return Silence()
            return self._command(block, now_s)

    def acknowledged(self) -> None:
        with self._lock:
            for _ in range(self._told):
                self._events.popleft()
            self._told = 0
            if self._recycler and self._recycler.on_ack:
                self._recycler.on_ack()

    def _command(self, block: Block, now_s: float) -> Reply:
        reply: Reply = Silence()  # to what this validator does not know
        match block.head, len(block.data):
            case Command.RESET, 0:
                self._restart()
                self._busy_until_s = now_s + RESET_BUSY_S
                reply = Ack()
            case Command.SETUP, 0:
                reply = Data(self._setup())
            case Command.SECURITY, 2:
                reply = Ack()
            case Command.POLL, 0:
                reply = self._on_poll()
            case Command.BILL_TYPE, 4:
                self._enabled_mask = int.from_bytes(block.data[:2], "big")
                self._escrow_mask = int.from_bytes(block.data[2:], "big")
                reply = Ack()
            case Command.ESCROW, 1:
                self._on_escrow(now_s, stack=bool(block.data[0] & 1))
                reply = Ack()
            case Command.STACKER, 0:
                full = 0x8000 if self._stacker >= STACKER_CAPACITY else 0
                reply = Data((full | self._stacker).to_bytes(2, "big"))
            case Command.EXPANSION, size if size:
                reply = self._on_expansion(block.data[0], block.data[1:], now_s)
        return reply

    def _on_poll(self) -> Reply:
        lasting = self._lasting
        if self._moving:
            lasting += BUSY
        if self._broken or not self._enabled_mask:
            lasting += DISABLED
        if self._recycler and self._recycler.busy:
            lasting += PAYOUT_BUSY
        data = bytearray()
        for event in self._events:
            if len(data) + len(event) + len(lasting) > MAX_POLL_BYTES:
                break
            data += event
            self._told += 1
        data += lasting
        return Data(bytes(data)) if data else Ack()

    def _on_escrow(self, now_s: float, *, stack: bool) -> None:
        if self._note is None or self._moving:
            self._events.append(INVALID_ESCROW)
            return
        self._orders.append((self._note, stack))
        if stack and self._jams:
            self._jams, self._broken = False, True
            self._events.append(JAMMED)
            stack = False
        if stack:
            self._move(now_s + STACK_S, self._put_away)
        else:
            self._move(now_s + RETURN_S, self._give_back)

    def _on_expansion(self, sub: int, data: bytes, now_s: float) -> Reply:
        if sub == Expansion.IDENTITY:
            return Data(IDENTITY)
        if self._recycler is None:
            return Silence()
        return self._recycler.command(sub, data, now_s, note_in_escrow=self._note is not None)

    # What happens in the machine as time passes

    def _advance(self, now_s: float) -> None:
        if self._recycler:
            self._recycler.advance(now_s)
        if now_s - self._heard_s > SELF_RESET_S:
            self._restart()
        self._heard_s = now_s
        if self._moving and self._moving[0] <= now_s:
            (_, end), self._moving = self._moving, None
            self._held_until_s = now_s + ESCROW_HOLD_S
            end()
        elif self._note is not None and not self._moving and now_s >= self._held_until_s:
            self._move(now_s + RETURN_S, self._give_back)
        while self._hands and now_s >= self._busy_until_s:
            hand = self._hands[0]
            if isinstance(hand, int) and self._note is not None:
                return  # no room for another note
            self._hands.popleft()
            if isinstance(hand, int):
                self._take(hand, now_s)
            else:
                hand()

    def _take(self, bill: int, now_s: float) -> None:
        self._inserted[bill] += 1
        if self._broken or not self._enabled_mask:
            self._returned[bill] += 1
            self._events.append(ATTEMPT)
        elif not self._enabled_mask >> bill & 1:
            self._returned[bill] += 1
            self._tell(bill, Routing.REJECTED)
        else:
            self._note = bill
            if self._has_escrow and self._escrow_mask >> bill & 1:
                self._move(now_s + TRANSPORT_S, self._hold)
            else:
                self._move(now_s + TRANSPORT_S + STACK_S, self._put_away)

    def _move(self, end_s: float, end: Callable[[], None]) -> None:
        self._moving = end_s, end

    def _hold(self) -> None:
        assert self._note is not None
        self._tell(self._note, Routing.ESCROWED)

    def _put_away(self) -> None:
        bill, self._note = self._note, None
        assert bill is not None
        if self._recycler and self._recycler.has_room(bill):
            self._recycler.notes[bill] += 1
            self._recycled[bill] += 1
            self._tell(bill, Routing.RECYCLED)
        else:
            self._stacker += 1
            self._stacked[bill] += 1
            self._tell(bill, Routing.STACKED)

    def _give_back(self) -> None:
        bill, self._note = self._note, None
        assert bill is not None
        self._returned[bill] += 1
        self._tell(bill, Routing.RETURNED)

    def _pulled(self) -> None:
        self._moving = None
        self._events.append(REMOVED)
        self._give_back()

    def _filled(self, bill: int, count: int) -> None:
        assert self._recycler
        self._recycler.notes[bill] += count
        self._events.append(FILLED_KEY)

    def _transferred(self, bill: int) -> None:
        assert self._recycler
        self._recycler.notes[bill] -= 1
        self._stacker += 1
        self._tell(bill, Routing.TRANSFERRED)

    def _tell(self, bill: int, routing: Routing) -> None:
        self._events.append(bytes([0x80 | routing << 4 | bill]))

    def _restart(self) -> None:
        """A note that is not put away yet goes back to the customer; all that is told is JUST RESET."""
        if self._note is not None:
            self._give_back()
        if self._recycler:
            self._recycler.restart()
        self._moving = None
        self._enabled_mask = self._escrow_mask = 0
        self._told = 0
        self._events.clear()
        self._events.append(JUST_RESET)

    def _setup(self) -> bytes:
        level, escrow = 2 if self._recycler else 1, 0xFF if self._has_escrow else 0
        head = pack(">B2sHBH2sB", level, EUR, SCALE, DECIMALS, STACKER_CAPACITY, SINGLE_SECURITY, escrow)
        return head + bytes(CREDITS)
