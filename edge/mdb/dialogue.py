"""The bus dialogue: one adapter, its peripherals, one question at a time; time and bytes are arguments.

- The peripherals are asked in turn for what they have to send; each keeps its own poll rhythm, and a command
  that is due goes out at the next free moment.
- An answer that does not come in time is not given up yet: its data would be lost, as the adapter has already
  acknowledged them. The start steps are sent again, and the first of them is a barrier: an answer that comes
  before the barrier's belongs to the block asked before it (adapters/adapter.py). An adapter without start
  steps is given up on at once, as its answers are never later than that.
- What an adapter pushes goes to its peripheral at once, also between a block and its answer.
- An adapter that answers no start step is lost: each peripheral is told, and the start is repeated.
- An adapter that lost its own power on a port that stays open may answer every block with silence. After 10 s
  without a word from any peripheral the start steps are sent again.
"""

from collections import Counter
from collections.abc import Sequence
from enum import Enum, auto
from math import inf

from edge.mdb.adapters.adapter import Adapter, AdapterValue, BlockAnswer, Noise, Pushed, StartAnswer
from edge.mdb.frame import Block, Reply, Silence
from edge.mdb.peripheral import Peripheral
from edge.mdb.recording import Exchange, remembered
from edge.sale.effects import Effect
from edge.sale.events import DriverEvent

START_TIMEOUT_S = 1.0
RESTART_S = 2.0
DEAF_S = 10.0


class State(Enum):
    CLOSED = auto()
    STARTING = auto()
    AWAITING_START = auto()
    FREE = auto()
    AWAITING_ANSWER = auto()


class Dialogue:
    def __init__(self, adapter: Adapter, peripherals: Sequence[Peripheral]) -> None:
        self._adapter = adapter
        self._peripherals = list(peripherals)
        self._state = State.CLOSED
        self._step = 0
        self._wait_until_s = inf  # STARTING: when to send; AWAITING_*: when to stop waiting
        self._asked: tuple[Peripheral, Block] | None = None
        self._heard_s = -inf
        self.counts: Counter[str] = Counter()
        self.recent: tuple[Exchange, ...] = ()  # other threads may read it

    @property
    def baudrate(self) -> int:
        return self._adapter.baudrate

    @property
    def next_wake_s(self) -> float:
        if self._state is State.FREE:
            return min((peripheral.next_wake_s for peripheral in self._peripherals), default=inf)
        return self._wait_until_s

    @property
    def at_rest(self) -> bool:
        return self._asked is None

    def opened(self, now_s: float) -> None:
        self._adapter.forget()
        self._asked = None
        self._start(now_s)

    def closed(self, reason: str, now_s: float) -> list[DriverEvent]:
        self._state, self._wait_until_s, self._asked = State.CLOSED, inf, None
        return self._tell_lost(reason, now_s)

    def perform(self, effect: Effect, now_s: float) -> list[DriverEvent]:
        for peripheral in self._peripherals:
            peripheral.perform(effect, now_s)
        return []

    def turn(self, data: bytes, now_s: float) -> tuple[bytes, list[DriverEvent]]:
        """Take the bytes that came until now, say what to send and what happened.

        Bytes that came before `now_s` must be handed over in the same call or an earlier one, or an answer
        that only waited in a buffer counts as missing.
        """
        events: list[DriverEvent] = []
        for value in self._adapter.feed(data):
            events += self._take(value, now_s)
        events += self._expire(now_s)
        return self._next_send(now_s), events

    def _take(self, value: AdapterValue, now_s: float) -> Sequence[DriverEvent]:
        match value:
            case BlockAnswer(reply):
                if self._asked is None:
                    self.counts["answers_stray"] += 1
                    return []
                if self._state is State.AWAITING_ANSWER:
                    self._state = State.FREE
                else:
                    self.counts["answers_late"] += 1
                if not isinstance(reply, Silence):
                    self._heard_s = now_s
                return self._answered(reply, now_s)
            case StartAnswer():
                return self._take_start(value, now_s)
            case Pushed():
                return self._take_pushed(value, now_s)
            case Noise():
                self.counts["noise"] += 1
                return []

    def _take_start(self, answer: StartAnswer, now_s: float) -> Sequence[DriverEvent]:
        steps = self._adapter.start_steps
        if self._state is not State.AWAITING_START or answer.key != steps[self._step].key:
            self.counts["answers_stray"] += 1
            return []
        events = self._past_barrier(now_s)
        if not answer.ok:
            self._start(now_s + RESTART_S)
            return [*events, *self._tell_lost("adapter_refused", now_s)]
        self._step += 1
        self._state, self._wait_until_s = State.STARTING, now_s
        return events

    def _take_pushed(self, pushed: Pushed, now_s: float) -> Sequence[DriverEvent]:
        for peripheral in self._peripherals:
            if peripheral.address == pushed.address:
                self._heard_s = now_s
                return peripheral.on_pushed(pushed.data, now_s)
        self.counts["pushed_stray"] += 1
        return []

    def _past_barrier(self, now_s: float) -> Sequence[DriverEvent]:
        """The answer to what was asked will not come any more."""
        return [] if self._asked is None else self._answered(Silence(), now_s)

    def _answered(self, reply: Reply, now_s: float) -> Sequence[DriverEvent]:
        assert self._asked is not None
        peripheral, block = self._asked
        self._asked = None
        self.recent = remembered(self.recent, Exchange(now_s, block, reply))
        return peripheral.on_reply(block, reply, now_s)

    def _expire(self, now_s: float) -> Sequence[DriverEvent]:
        if self._state is State.FREE and now_s - self._heard_s > DEAF_S:
            self.counts["bus_deaf"] += 1
            self._start(now_s)
        if now_s <= self._wait_until_s:
            return []
        if self._state is State.AWAITING_ANSWER:
            self.counts["answers_missing"] += 1
            self._start(now_s)
            return [] if self._adapter.start_steps else self._past_barrier(now_s)
        if self._state is State.AWAITING_START:
            self.counts["starts_failed"] += 1
            self._start(now_s + RESTART_S)
            return self._tell_lost("adapter_silent", now_s)
        return []

    def _next_send(self, now_s: float) -> bytes:
        if self._state is State.STARTING and now_s >= self._wait_until_s:
            if self._step < len(self._adapter.start_steps):
                self._state, self._wait_until_s = State.AWAITING_START, now_s + START_TIMEOUT_S
                return self._adapter.start_steps[self._step].send
            self._state, self._heard_s = State.FREE, now_s
        if self._state is not State.FREE:
            return b""
        for index, peripheral in enumerate(self._peripherals):
            block = peripheral.next_request(now_s)
            if block is not None:
                # The one that was served goes to the end of the queue.
                self._peripherals.append(self._peripherals.pop(index))
                self._asked = (peripheral, block)
                self._state = State.AWAITING_ANSWER
                self._wait_until_s = now_s + self._adapter.answer_timeout_s
                return self._adapter.encode(block)
        return b""

    def _start(self, at_s: float) -> None:
        self._state, self._step, self._wait_until_s = State.STARTING, 0, at_s

    def _tell_lost(self, reason: str, now_s: float) -> list[DriverEvent]:
        events: list[DriverEvent] = []
        for peripheral in self._peripherals:
            events += peripheral.bus_lost(reason, now_s)
        return events
