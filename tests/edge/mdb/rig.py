"""Changer driver and changer simulator joined by the adapter's real bytes, in virtual time."""

from collections.abc import Callable

from edge.mdb.adapters.known import ADAPTERS
from edge.mdb.coin.codes import COIN_TYPES
from edge.mdb.coin.driver import CoinChanger
from edge.mdb.dialogue import Dialogue
from edge.mdb.frame import Block, Reply
from edge.sale.effects import AcceptCoins, Effect, PayOut
from edge.sale.events import (
    ChangerLost,
    ChangerReady,
    CoinIn,
    CoinsLoaded,
    CoinsTaken,
    DriverEvent,
    PayoutEnded,
)
from edge.sim.bus import VirtualBus
from edge.sim.changer import SimChanger
from edge.sim.qibixx import SimQibixx
from edge.sim.wafer import SimWafer

STEP_S = 0.005
SIM_ADAPTERS: dict[str, type[SimQibixx | SimWafer]] = {"qibixx": SimQibixx, "wafer": SimWafer}


class Rig:
    def __init__(self, changer: SimChanger | None = None, adapter: str = "qibixx") -> None:
        self.sim = changer or SimChanger()
        self.bus = VirtualBus([self.sim])
        self._adapter_name = adapter
        self.adapter = SIM_ADAPTERS[adapter](self.bus)
        self.events: list[DriverEvent] = []
        self.now_s = 0.0
        self.sent: list[bytes] = []
        self.answers_held = False  # answers stay in the line while true
        self._held = b""
        self.restart()

    def restart(self) -> None:
        """A new process on the machine; adapter and changer carry on."""
        self.driver = CoinChanger()
        self.dialogue = Dialogue(ADAPTERS[self._adapter_name](), [self.driver])
        self._held = b""
        self.dialogue.opened(self.now_s)

    def step(self, mangle: Callable[[bytes], bytes] = lambda data: data) -> None:
        self.now_s += STEP_S
        data = b"" if self.answers_held else self._held
        send, events = self.dialogue.turn(mangle(data), self.now_s)
        self._held = (self._held if self.answers_held else b"") + self.adapter.turn(send, self.now_s)
        if send:
            self.sent.append(send.strip())
        self.events += events

    def run(self, duration_s: float) -> list[DriverEvent]:
        """What happens within this time."""
        before = len(self.events)
        until_s = self.now_s + duration_s
        while self.now_s < until_s:
            self.step()
        return self.events[before:]

    def until(self, kind: type[DriverEvent], limit_s: float = 30.0) -> list[DriverEvent]:
        """What happens until an event of this kind has come."""
        before = len(self.events)
        until_s = self.now_s + limit_s
        while not any(isinstance(event, kind) for event in self.events[before:]):
            assert self.now_s < until_s, f"no {kind.__name__} within {limit_s} s: {self.events[before:]}"
            self.step()
        return self.events[before:]

    def do(self, effect: Effect) -> None:
        self.events += self.dialogue.perform(effect, self.now_s)

    def ready(self, *, accept: bool = False) -> ChangerReady:
        """Started, and the sale has read it."""
        self.do(AcceptCoins(enabled=accept))
        ready = self.until(ChangerReady)[-1]
        assert isinstance(ready, ChangerReady)
        self.do(AcceptCoins(enabled=accept))
        return ready

    def told_tubes(self) -> tuple[int, ...]:
        """What a sale that has read every event takes the tubes to hold."""
        tubes = [0] * COIN_TYPES
        for event in self.events:
            match event:
                case CoinIn():
                    tubes[event.coin] = event.in_tube
                case ChangerReady() | PayoutEnded() | CoinsLoaded() | CoinsTaken():
                    tubes = list(event.tubes)
        return tuple(tubes)

    def order(self, *coins: int) -> None:
        self.do(PayOut(coins, self.told_tubes()))

    def pay(self, *coins: int) -> PayoutEnded:
        self.order(*coins)
        ended = self.until(PayoutEnded)[-1]
        assert isinstance(ended, PayoutEnded)
        return ended

    def credited_minor(self) -> int:
        return sum(event.value_minor for event in self.events if isinstance(event, CoinIn))

    def dispensed(self) -> int:
        """How many DISPENSE commands the driver sent through the Qibixx adapter."""
        return sum(line.startswith(b"R,0D") for line in self.sent)


class Asker:
    """A peripheral that always asks the same and keeps what it heard."""

    def __init__(self, head: int) -> None:
        self.block = Block(head)
        self.address = self.block.address
        self.heard: list[Reply] = []
        self.next_wake_s = 0.0

    def next_request(self, now_s: float) -> Block | None:
        return self.block if now_s >= self.next_wake_s else None

    def on_reply(self, block: Block, reply: Reply, now_s: float) -> list[DriverEvent]:
        assert block == self.block
        self.heard.append(reply)
        return []

    def on_pushed(self, data: bytes, now_s: float) -> list[DriverEvent]:
        raise NotImplementedError

    def perform(self, effect: Effect, now_s: float) -> None:
        raise NotImplementedError

    def bus_lost(self, reason: str, now_s: float) -> list[DriverEvent]:
        return [ChangerLost(reason)]
