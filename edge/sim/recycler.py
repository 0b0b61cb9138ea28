"""The recycler of the simulated bill validator: EXPANSION commands of level 2 (edge/sim/validator.py)."""

from collections import Counter, deque
from collections.abc import Callable, Sequence

from edge.mdb.bill.codes import BILL_TYPES
from edge.mdb.bill.recycler_codes import RECYCLING, Expansion
from edge.mdb.frame import Ack, Data, Reply, Silence

IDENTITY = b"SIM" + b"000000000077" + b"SIMVALIDATOR" + b"\x01\x02"
ROUTING_MASK = 0x0003  # 5 and 10 EUR
CAPACITY = 30
NOTE_PAYOUT_S = 1.5


class SimRecycler:
    def __init__(self, notes: Sequence[int], credits_raw: Sequence[int]) -> None:
        self.notes = [*notes, *[0] * (BILL_TYPES - len(notes))]
        self.paid: Counter[int] = Counter()
        self.dead = False  # acknowledges orders, and pays nothing
        self.stuck = False  # a note in its way: it stays busy
        self._credits = credits_raw
        self._features = 0
        self._enabled_mask = 0
        self._leaving: deque[tuple[float, int]] = deque()  # when each note comes out, and its type
        self._out: Counter[int] = Counter()  # of this payout
        self.on_ack: Callable[[], None] | None = None

    @property
    def busy(self) -> bool:
        return bool(self._leaving)

    def restart(self) -> None:
        self._features = self._enabled_mask = 0
        self._leaving.clear()
        self._out.clear()

    def has_room(self, bill: int) -> bool:
        return bool(self._enabled_mask >> bill & 1) and self.notes[bill] < CAPACITY

    def advance(self, now_s: float) -> None:
        while self._leaving and self._leaving[0][0] <= now_s and not self.stuck:
            _, bill = self._leaving.popleft()
            self.notes[bill] -= 1
            self.paid[bill] += 1
            self._out[bill] += 1

    def command(self, sub: int, data: bytes, now_s: float, *, note_in_escrow: bool) -> Reply:
        recycling = bool(self._features & RECYCLING)
        match sub, len(data):
            case Expansion.IDENTITY_WITH_OPTIONS, 0:
                return Data(IDENTITY + RECYCLING.to_bytes(4, "big"))
            case Expansion.FEATURES, 4:
                self._features = int.from_bytes(data, "big")
                return Ack()
            case Expansion.RECYCLER_SETUP, 0:
                return Data(ROUTING_MASK.to_bytes(2, "big"))
            case Expansion.RECYCLER_ENABLE, 18 if recycling:
                self._enabled_mask = sum(1 << bill for bill, mode in enumerate(data[2:]) if mode)
                return Ack()
            case Expansion.DISPENSE_STATUS, 0:
                return Data(bytes(2) + _two_bytes_each(self.notes))
            case _:
                return self._payout_command(sub, data, now_s, ready=recycling and not note_in_escrow)

    def _payout_command(self, sub: int, data: bytes, now_s: float, *, ready: bool) -> Reply:
        reply: Reply = Silence()
        match sub, len(data):
            case Expansion.DISPENSE_BILL, 3:
                if ready:
                    self._pay(data[0], int.from_bytes(data[1:], "big"), now_s)
                reply = Ack()
            case Expansion.DISPENSE_VALUE, 2:
                if ready:
                    self._pay_value(int.from_bytes(data, "big"), now_s)
                reply = Ack()
            case Expansion.PAYOUT_STATUS, 0:
                reply = self._status()
            case Expansion.PAYOUT_VALUE_POLL, 0:
                value = sum(self._credits[bill] * count for bill, count in self._out.items())
                reply = Data(value.to_bytes(2, "big")) if self.busy else Ack()
            case Expansion.PAYOUT_CANCEL, 0:
                self._leaving.clear()
                reply = Ack()
        return reply

    def _pay(self, bill: int, count: int, now_s: float) -> None:
        if self.dead:
            return
        start_s = max([now_s, *(at_s for at_s, _ in self._leaving)])
        count = min(count, self.notes[bill] - sum(other == bill for _, other in self._leaving))
        self._leaving.extend((start_s + NOTE_PAYOUT_S * (index + 1), bill) for index in range(count))

    def _pay_value(self, value_scaled: int, now_s: float) -> None:
        for bill in reversed(range(len(self._credits))):
            count = min(self.notes[bill], value_scaled // self._credits[bill])
            value_scaled -= count * self._credits[bill]
            self._pay(bill, count, now_s)

    def _status(self) -> Reply:
        if self.busy:
            return Ack()
        self.on_ack = self._out.clear
        return Data(_two_bytes_each([self._out[bill] for bill in range(BILL_TYPES)]))


def _two_bytes_each(counts: Sequence[int]) -> bytes:
    return b"".join(count.to_bytes(2, "big") for count in counts)
