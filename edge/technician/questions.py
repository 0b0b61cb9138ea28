"""A few questions on the MDB bus of a stopped machine, each asked once unless it may be repeated.

The port thread, the dialogue and the adapter are the machine's own; only the peripherals are replaced, by a
script each: it yields blocks and is sent the replies. Nothing is polled unless a script does, and then what
the reply tells (coins, notes, cards) is in the report only: nobody credits it.
"""

import queue
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

from edge.mdb.adapters.adapter import Adapter, AdapterValue, StartStep
from edge.mdb.bus import bus_thread
from edge.mdb.dialogue import Dialogue
from edge.mdb.frame import Block, Reply
from edge.sale.effects import Effect
from edge.sale.events import DriverEvent

PACE_S: Final = 0.1  # between two questions to one peripheral
LIMIT_S: Final = 20.0
_JOIN_LIMIT_S: Final = 5.0

Script = Generator[Block, Reply, Sequence[str]]  # returns what it found, in words
_End = tuple[int, Sequence[str]] | str | Exception  # of a script, of the bus, of the thread
_Ends = queue.SimpleQueue[_End]


@dataclass(slots=True)
class Heard:
    """`found`: what each script returned, by address. `lost`: why the bus was lost, before a script ended.

    `version`: the adapter's own word on its firmware, empty where it has none. `told`: what peripherals told
    the adapter's own polls meanwhile.
    """

    found: dict[int, Sequence[str]] = field(default_factory=dict)
    lost: str = ""
    version: str = ""
    told: list[tuple[int, bytes]] = field(default_factory=list)


def ask(path: str, adapter: Adapter, scripts: Mapping[int, Script]) -> Heard:
    """Run all scripts, each against the peripheral at its address. Raises what a script raises."""
    heard = Heard()
    ended = _Ends()
    listening = _Listening(adapter)
    asking = [_Asking(address, script, ended, heard.told) for address, script in scripts.items()]
    thread = bus_thread(path, Dialogue(listening, asking), lambda _event: None, ended.put)
    thread.start()
    try:
        while len(heard.found) < len(scripts) and not heard.lost:
            match _next(ended):
                case Exception() as error:
                    raise error
                case str(reason):
                    heard.lost = reason
                case (address, words):
                    heard.found[address] = words
    finally:
        thread.stop()
        thread.join(_JOIN_LIMIT_S)
    heard.version = listening.version
    return heard


def _next(ended: _Ends) -> _End:
    try:
        return ended.get(timeout=LIMIT_S)
    except queue.Empty:
        return "silent"


class _Asking:
    """A script in a peripheral's place (edge/mdb/peripheral.py)."""

    def __init__(
        self,
        address: int,
        script: Script,
        ended: _Ends,
        told: list[tuple[int, bytes]],
    ) -> None:
        self.address = address
        self.next_wake_s = -inf
        self._script = script
        self._ended = ended
        self._told = told
        self._block: Block | None = next(script)

    def next_request(self, now_s: float) -> Block | None:
        return self._block if now_s >= self.next_wake_s else None

    def on_reply(self, block: Block, reply: Reply, now_s: float) -> Sequence[DriverEvent]:
        if block is self._block:
            self.next_wake_s = now_s + PACE_S
            try:
                self._block = self._script.send(reply)
            except StopIteration as stop:
                self._block, self.next_wake_s = None, inf
                self._ended.put((self.address, stop.value))
        return ()

    def on_pushed(self, data: bytes, now_s: float) -> Sequence[DriverEvent]:
        del now_s
        self._told.append((self.address, data))
        return ()

    def perform(self, effect: Effect, now_s: float) -> None:
        """There is no sale."""

    def bus_lost(self, reason: str, now_s: float) -> Sequence[DriverEvent]:
        del now_s
        self._ended.put(reason)
        return ()


_VERSION: Final = re.compile(rb"\bv,([\w.]+)", re.IGNORECASE)
_KEPT_BYTES: Final = 256


class _Listening:
    """An adapter whose word on its version is kept on the way."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._start = b""

    @property
    def version(self) -> str:
        match = _VERSION.search(self._start)
        return match[1].decode("ascii") if match else ""

    @property
    def baudrate(self) -> int:
        return self._adapter.baudrate

    @property
    def start_steps(self) -> Sequence[StartStep]:
        return self._adapter.start_steps

    @property
    def answer_timeout_s(self) -> float:
        return self._adapter.answer_timeout_s

    def encode(self, block: Block) -> bytes:
        return self._adapter.encode(block)

    def feed(self, data: bytes) -> list[AdapterValue]:
        self._start = (self._start + data)[:_KEPT_BYTES]
        return self._adapter.feed(data)

    def forget(self) -> None:
        self._adapter.forget()
