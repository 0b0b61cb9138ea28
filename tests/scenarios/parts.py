"""What the bench has besides production code and simulators: what is fitted, and what can be watched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edge.link_events import Publish
from edge.mdb.frame import Block, Reply, Silence
from edge.sale.step import Policy, ProductGroup
from edge.sim.bus import SimPeripheral, VirtualBus
from edge.store.journal import Journal, JournalFull
from edge.store.kept_commands import KeptCommand
from shared.clock import Now
from shared.records import Body

MACHINE = "m1"
KEY = b"bench"  # claim codes are the same in every run
COINS_MINOR = (5, 10, 20, 50, 100, 200)
NOTES_MINOR = (500, 1_000, 2_000, 5_000)
SLOTS = {"A1": (1, "cola"), "A2": (2, "chips"), "B1": (3, "lunch")}
SELECTIONS = {slot: selection for slot, (selection, _) in SLOTS.items()}


@dataclass
class Fitted:
    """What the machine has, and what it costs. `readers`: whether each is always idle."""

    tubes: tuple[int, ...] = (10, 10, 10, 10)
    recycler: tuple[int, ...] | None = None
    readers: dict[int, bool] = field(default_factory=lambda: {1: False})
    board: str = "xy"
    prices: dict[str, int] = field(default_factory=lambda: {"A1": 150, "A2": 90, "B1": 600})
    card_prices: dict[str, int] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=lambda: {"A1": 10, "A2": 10, "B1": 10})
    policy: Policy = field(default_factory=Policy)
    groups: dict[str, ProductGroup] = field(default_factory=dict)


class Killed(Exception):  # noqa: N818  # what happens to a process
    """The program is gone; raised out of the middle of what it did."""


class Bus(VirtualBus):
    """Peripherals whose plug is out hear nothing; `heard` is shown every block."""

    def __init__(self, peripherals: list[SimPeripheral], heard: Callable[[Block], None]) -> None:
        super().__init__(peripherals)
        self.unplugged: set[int] = set()
        self._heard = heard

    def exchange(self, block: Block, now_s: float) -> Reply:
        if block.address in self.unplugged:
            return Silence()
        self._heard(block)
        return super().exchange(block, now_s)


class WatchedJournal(Journal):
    """Shows the records of each commit once they are safe; a full disk takes none."""

    full = False
    committed: Callable[[Sequence[Body]], None]

    def commit(
        self, state: bytes, bodies: Sequence[Body], now: Now, command: KeptCommand | None = None
    ) -> None:
        if self.full:
            raise JournalFull("the disk is full")
        super().commit(state, bodies, now, command)
        self.committed(bodies)


class Watcher(Protocol):
    """Whoever writes down what happens at the bench."""

    def heard(self, block: Block) -> None:
        """This is on the bus."""

    def committed(self, bodies: Sequence[Body]) -> None:
        """These records are safe."""

    def uploaded(self, message: Publish) -> None:
        """The cloud is being sent this."""

    def moved(self) -> None:
        """Something may have."""
