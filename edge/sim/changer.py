"""A coin changer that behaves: MDB/ICP 4.2 §5, feature level 2, EUR with tubes for the four small coins.

What really happened is in `truth()`: an acknowledgement that is lost, a reset or a silent bus changes what is
told, never what the coins did. The hands (`insert`, `press_lever`, `report`) may come from another thread;
they take effect at the next exchange, coins one after the other as through a real acceptor.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from threading import Lock

from edge.mdb.coin.codes import COIN_TYPES, Command
from edge.mdb.frame import Ack, Address, Block, Data, Reply, Silence
from edge.mdb.values import TOKEN

SCALE = 5
DECIMALS = 2
CREDITS = (1, 2, 4, 10, 20, 40)  # 5c 10c 20c 50c 1 EUR 2 EUR
TUBE_MASK = 0x000F
CURRENCY_EUR = b"\x19\x78"
TUBE_CAPACITY = 80
MAX_POLL_BYTES = 16
RESET_BUSY_S = 0.2
COIN_SPACING_S = 0.15
COIN_PAYOUT_S = 0.2
SELF_RESET_S = 20.0  # ten times the longest response time without any traffic

LEVER = b"\x01"
PAYOUT_BUSY = b"\x02"
JUST_RESET = b"\x0b"
ROUTE_CASHBOX = 0x40
ROUTE_TUBE = 0x50
ROUTE_REJECTED = 0x70
ROUTE_SWITCH = 0x80


@dataclass(frozen=True, slots=True)
class ChangerTruth:
    """What the coins did, each by coin type."""

    inserted: dict[int, int]
    returned: dict[int, int]  # inserted and given back at once, as not enabled
    cashbox: dict[int, int]
    paid: dict[int, int]
    tubes: tuple[int, ...]
    enabled_mask: int
    loaded: dict[int, int]  # by hand
    taken: dict[int, int]  # by hand
    quiet_polls: int  # since there was something to tell; after two of them the program has all of it

    def taken_minor(self) -> int:
        return value_minor(self.inserted) - value_minor(self.returned)

    def paid_minor(self) -> int:
        return value_minor(self.paid)


def value_minor(coins: dict[int, int]) -> int:
    worth = [0 if raw == TOKEN else raw * SCALE for raw in CREDITS]
    return sum(worth[coin] * count for coin, count in coins.items())


@dataclass(slots=True)
class _Counts:
    inserted: Counter[int] = field(default_factory=Counter)
    returned: Counter[int] = field(default_factory=Counter)
    cashbox: Counter[int] = field(default_factory=Counter)
    paid: Counter[int] = field(default_factory=Counter)
    loaded: Counter[int] = field(default_factory=Counter)
    taken: Counter[int] = field(default_factory=Counter)


class SimChanger:
    address: int = Address.CHANGER
    level = 2

    def __init__(self, tubes: Sequence[int] = (12, 34, 50, 9)) -> None:
        self._lock = Lock()
        self._tubes = [*tubes, *[0] * (COIN_TYPES - len(tubes))]
        self._counts = _Counts()
        self._hands: deque[int | bytes] = deque()
        self._events: deque[bytes] = deque([JUST_RESET])  # it has just been switched on
        self._quiet_polls = 0
        self._told = 0  # how many events the last POLL reply held
        self._enabled_mask = 0
        self._switches_mask = 0xFFFF
        self._busy_until_s = -inf  # silent until then, then JUST RESET
        self._heard_s = inf
        self._coin_free_s = -inf
        self._leaving: deque[tuple[float, int]] = deque()  # payout: when each coin falls, and its type
        self._defective: set[int] = set()
        self._stuck: set[int] = set()
        self._lasting = b""

    # The hands

    def insert(self, coin: int) -> None:
        with self._lock:
            self._hands.append(coin)
            self._quiet_polls = 0

    def press_lever(self) -> None:
        self.report(LEVER)

    def report(self, activity: bytes) -> None:
        """Queue any activity bytes: faults, or garbage."""
        with self._lock:
            self._hands.append(activity)

    def report_lasting(self, activity: bytes) -> None:
        """Tell this at every POLL from now on; empty ends it."""
        with self._lock:
            self._lasting = activity

    def press_switch(self, coin: int, count: int = 1) -> None:
        """Dispense coins with the changer's own switches, where they are not off."""
        with self._lock:
            if self._switches_mask >> coin & 1:
                out = min(count, self._tubes[coin])
                self._tubes[coin] -= out
                self._counts.taken[coin] += out
                self._hands.append(bytes([ROUTE_SWITCH | out << 4 | coin, self._tubes[coin]]))

    def break_tube_sensor(self, coin: int) -> None:
        """The tube says full and zero from now on."""
        with self._lock:
            self._defective.add(coin)

    def jam_tube(self, coin: int) -> None:
        """The tube pays nothing out from now on, and counts what it has."""
        with self._lock:
            self._stuck.add(coin)

    def reset(self) -> None:
        """A brown-out: all that is not in a tube is forgotten."""
        with self._lock:
            self._forget()
            self._events.append(JUST_RESET)

    def truth(self) -> ChangerTruth:
        with self._lock:
            counts = self._counts
            return ChangerTruth(
                inserted=dict(counts.inserted),
                returned=dict(counts.returned),
                cashbox=dict(counts.cashbox),
                paid=dict(counts.paid),
                tubes=tuple(self._tubes),
                enabled_mask=self._enabled_mask,
                loaded=dict(counts.loaded),
                taken=dict(counts.taken),
                quiet_polls=self._quiet_polls,
            )

    # The bus

    def answer(self, block: Block, now_s: float) -> Reply:
        with self._lock:
            self._advance(now_s)
            self._told = 0
            if now_s < self._busy_until_s:
                return Silence()
            return self._command(block, now_s)

    def acknowledged(self) -> None:
        with self._lock:
            for _ in range(self._told):
                self._events.popleft()
            self._told = 0

    def _command(self, block: Block, now_s: float) -> Reply:
        reply: Reply = Silence()  # to what this changer does not know
        match block.head, len(block.data):
            case Command.RESET, 0:
                reply = self._on_reset(now_s)
            case Command.SETUP, 0:
                reply = Data(self._setup())
            case Command.TUBE_STATUS, 0:
                reply = Data(self._tube_status())
            case Command.POLL, 0:
                reply = self._on_poll()
            case Command.COIN_TYPE, 4:
                self._enabled_mask = int.from_bytes(block.data[:2], "big")
                self._switches_mask = int.from_bytes(block.data[2:], "big")
                reply = Ack()
            case Command.DISPENSE, 1:
                reply = self._on_dispense(block.data[0], now_s)
        return reply

    def _on_reset(self, now_s: float) -> Reply:
        self._forget()
        self._busy_until_s = now_s + RESET_BUSY_S
        self._events.append(JUST_RESET)
        return Ack()

    def _on_poll(self) -> Reply:
        data = bytearray()
        for event in self._events:
            if len(data) + len(event) + len(self._lasting) >= MAX_POLL_BYTES:
                break
            data += event
            self._told += 1
        data += self._lasting
        if self._leaving:
            data += PAYOUT_BUSY
        self._quiet_polls = 0 if data or self._hands else self._quiet_polls + 1
        return Data(bytes(data)) if data else Ack()

    def _on_dispense(self, order: int, now_s: float) -> Reply:
        coin, count = order & 0x0F, order >> 4
        start_s = max([now_s, *(at_s for at_s, _ in self._leaving)])
        self._leaving.extend((start_s + COIN_PAYOUT_S * (index + 1), coin) for index in range(count))
        return Ack()

    def _tube_status(self) -> bytes:
        full = 0
        counts = list(self._tubes)
        for coin in range(COIN_TYPES):
            if coin in self._defective:
                counts[coin] = 0
            if coin in self._defective or counts[coin] >= TUBE_CAPACITY:
                full |= 1 << coin
        return full.to_bytes(2, "big") + bytes(min(count, 255) for count in counts)

    # What happens in the machine as time passes

    def _advance(self, now_s: float) -> None:
        while self._leaving and self._leaving[0][0] <= now_s:
            _, coin = self._leaving.popleft()
            if self._tubes[coin] and coin not in self._stuck:
                self._pay(coin)
        if now_s - self._heard_s > SELF_RESET_S:
            self._forget()
            self._events.append(JUST_RESET)
        self._heard_s = now_s
        while self._hands and now_s >= max(self._coin_free_s, self._busy_until_s):
            hand = self._hands.popleft()
            if isinstance(hand, bytes):
                self._events.append(hand)
            else:
                self._coin_free_s = now_s + COIN_SPACING_S
                self._take(hand)

    def _pay(self, coin: int) -> None:
        self._tubes[coin] -= 1
        self._counts.paid[coin] += 1

    def _take(self, coin: int) -> None:
        self._counts.inserted[coin] += 1
        if not self._enabled_mask >> coin & 1:
            self._counts.returned[coin] += 1
            self._events.append(bytes([ROUTE_REJECTED | coin, self._tubes[coin]]))
        elif TUBE_MASK >> coin & 1 and self._tubes[coin] < TUBE_CAPACITY:
            self._tubes[coin] += 1
            self._events.append(bytes([ROUTE_TUBE | coin, self._tubes[coin]]))
        else:
            self._counts.cashbox[coin] += 1
            self._events.append(bytes([ROUTE_CASHBOX | coin, self._tubes[coin]]))

    def _forget(self) -> None:
        self._events.clear()
        self._told = 0
        self._leaving.clear()
        self._enabled_mask = 0
        self._switches_mask = 0xFFFF

    def _setup(self) -> bytes:
        scaling = bytes([SCALE, DECIMALS])
        return bytes([self.level]) + CURRENCY_EUR + scaling + TUBE_MASK.to_bytes(2, "big") + bytes(CREDITS)
