"""The contract between the bus dialogue and a peripheral's driver, and what the drivers share.

A driver does no I/O and keeps no clock. The dialogue calls `next_request` when the bus is free; the block it
returns is always answered by exactly one `on_reply` before the next is asked for, with Silence when nobody
answered, unless `bus_lost` comes in between. A reply may still come after `bus_lost`: data are money, so the
driver takes them. `on_pushed` and `perform` may come at any time, also while a reply is awaited. Nothing here
blocks.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from edge.mdb.frame import Block, Reply
from edge.sale.effects import Effect
from edge.sale.events import DeviceFault, DeviceFaultCleared, DriverEvent

POLL_INTERVAL_S = 0.150  # recommended 125 to 200 ms for each peripheral (MDB/ICP 4.2 appendix 3)
RESET_RETRY_S = 10.0  # for a peripheral that is offline


class Peripheral(Protocol):
    @property
    def address(self) -> int: ...

    @property
    def next_wake_s(self) -> float:
        """When `next_request` will have something to say."""

    def next_request(self, now_s: float) -> Block | None: ...

    def on_reply(self, block: Block, reply: Reply, now_s: float) -> Sequence[DriverEvent]: ...

    def on_pushed(self, data: bytes, now_s: float) -> Sequence[DriverEvent]:
        """What the peripheral just told a POLL that the adapter sent by itself; money like any reply."""

    def perform(self, effect: Effect, now_s: float) -> None:
        """Take an effect; one that is another device's is ignored."""

    def bus_lost(self, reason: str, now_s: float) -> Sequence[DriverEvent]:
        """The adapter went away; the driver starts from the beginning when it is asked next."""


class Faults:
    """Which faults a device has, by where they were seen, so that each is told once and cleared once."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._codes: dict[str, tuple[str, ...]] = {}

    def replace(self, seen_in: str, codes: Iterable[str]) -> list[DriverEvent]:
        """These are all the faults that `seen_in` shows now."""
        before = self._codes.get(seen_in, ())
        after = tuple(dict.fromkeys(codes))
        self._codes[seen_in] = after
        cleared = [DeviceFaultCleared(self._device, code) for code in before if code not in after]
        return [*cleared, *(DeviceFault(self._device, code) for code in after if code not in before)]

    def occurred(self, seen_in: str, code: str) -> list[DriverEvent]:
        """Something that is told each time it happens, and cleared by `replace`."""
        return self._add(seen_in, code, lasts=False)

    def began(self, seen_in: str, code: str) -> list[DriverEvent]:
        """Something that lasts until `replace` ends it, however often it is seen."""
        return [] if code in self._codes.get(seen_in, ()) else self._add(seen_in, code, lasts=True)

    def _add(self, seen_in: str, code: str, *, lasts: bool) -> list[DriverEvent]:
        self._codes[seen_in] = tuple(dict.fromkeys([*self._codes.get(seen_in, ()), code]))
        return [DeviceFault(self._device, code, lasts)]
