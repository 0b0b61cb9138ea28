"""Edge, a model broker and ingest in one process, from one seed: no thread, socket, clock or disk.

The model broker may lose, repeat and reorder what it acknowledged, forget everything and refuse; the model
database may be away; the edge may be killed between any two events. Ground truth is the model hardware.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloud.batch import Arrived, Batch, Line
from cloud.ingest import Ingest
from edge.core import Core
from edge.link_events import (
    Command,
    Connected,
    CoreEvent,
    Disconnected,
    DropConnection,
    Inbound,
    PubAcked,
    Publish,
    Wake,
)
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale.state import SlotSetting
from edge.sale.step import Machine
from edge.store.journal import Journal
from shared import codec, topics
from shared.capture import Message
from shared.clock import Now, Trust
from shared.messages import PriceList
from tests.helpers import has_records

VALUES_MINOR = (5, 10, 20, 50, 100, 200)
SLOTS = (SlotSetting("A1", "cola", 250, 250), SlotSetting("A2", "chips", 250, 250))
SETTING = Machine({s.slot: s.product for s in SLOTS}, "test", items={"A1": 1, "A2": 2})
PRICES = PriceList(version=0, currency="EUR", prices={"A1": 150, "A2": 90})
MACHINE = "m1"
START_S = 1_790_000_000
CLOCK_WAIT_S = 1.0


class NoArchive:
    started_at_ns = 0

    def append(self, messages: Sequence[Message]) -> None:
        """The archive's own tests are elsewhere."""


@dataclass
class Database:
    """Points by identity, as InfluxDB keeps them: the line up to its fields, and its time."""

    points: dict[tuple[str, str], str] = field(default_factory=dict)

    async def write(self, lines: Sequence[str]) -> dict[int, str]:
        for line in lines:
            series, fields, at_ns = line.rsplit(" ", 1)[0].split(" ", 1)[0], line, line.rsplit(" ", 1)[1]
            self.points[series, at_ns] = fields
        return {}

    async def taken(self, lines: Sequence[Line]) -> Sequence[Line]:
        raise AssertionError(lines)  # `screen` below names none

    def screen(self, batch: Batch) -> list[Line]:
        assert not batch.dead, batch.dead
        return []

    def keep(self, batch: Batch, at_ns: int) -> None:
        assert not batch.dead, (batch.dead, at_ns)

    def sales(self) -> list[int]:
        lines = [fields for (series, _), fields in self.points.items() if series.startswith("sale,")]
        return [int(line.split("price_minor=")[1].split("i")[0]) for line in lines]


@dataclass
class Hardware:
    """What really happened: coins and products."""

    tubes: list[int] = field(default_factory=lambda: [50] * 6)
    taken_minor: int = 0
    paid_minor: int = 0
    drops: int = 0
    accepting: bool = False


def as_it_is(_topic: topics.Topic, payload: bytes) -> bytes:
    return payload


class World:
    """`said_up`, `said_down`: what another version makes of a message."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        said_up: Callable[[topics.Topic, bytes], bytes] = as_it_is,
        said_down: Callable[[topics.Topic, bytes], bytes] = as_it_is,
    ) -> None:
        self.said_up = said_up
        self.said_down = said_down
        self.rng = random.Random(seed)
        self.folder = folder
        self.now_s = 0.0
        self.hardware = Hardware()
        self.database = Database()
        self.ingest = Ingest(NoArchive(), self.database, self.database)
        self.wire: list[Publish] = []  # at the broker, for the cloud
        self.up = False
        self.acks: list[tuple[int, int]] = []
        self.doubtful_kills = 0
        self.soon: list[ev.Event] = []  # what devices will say next
        self.made_s: list[float] = []  # true time of each record, by seq
        self.power = 0  # runs of the board: a process may be killed without the board losing power
        self.clock_error_s: float | None = None  # None: synchronised
        self.boot()

    # ---- the machine

    def boot(self) -> None:
        self.journal = Journal(self.folder / "journal.db", MACHINE)
        self.journal._db.execute("PRAGMA synchronous=OFF")  # thousands of runs; power cuts are another test
        rng = random.Random(self.rng.random())
        self.core = Core(self.journal, SETTING, SLOTS, PRICES, rng, CLOCK_WAIT_S)
        self.up = False
        self.soon = []
        self.send(ev.Booted())
        self.send(ev.BoardReady())
        self.send(ev.ChangerReady(VALUES_MINOR, tuple(self.hardware.tubes)))

    def kill(self) -> None:
        """kill -9: what the devices had under way happens, and nobody hears of it."""
        if any(isinstance(event, ev.VendEnded) for event in self.soon):
            self.doubtful_kills += 1
        if self.rng.random() < 0.5:  # the whole board, which then has no idea what time it is
            self.power += 1
            self.clock_error_s = self.rng.choice((-START_S, -86_400.0, 3_600.0))
        self.journal.close()
        self.boot()

    def send(self, event: CoreEvent) -> None:
        commands = self.core.handle(event, self.now())
        assert self.core.state.balanced()
        self.made()
        for command in commands:
            self.perform(command)

    def now(self) -> Now:
        self.now_s += 0.01
        wall_ns = round((START_S + self.now_s + (self.clock_error_s or 0.0)) * 10**9)
        trust: Trust = "synced" if self.clock_error_s is None else "estimated"
        return Now(wall_ns, self.now_s, trust, str(self.power))

    def made(self) -> None:
        """Remember when each new record was made."""
        new = self.journal.counts.owed + self.journal.counts.stored + self.journal.counts.parked
        self.made_s += [self.now_s] * (new - len(self.made_s))

    def perform(self, command: Command) -> None:
        hardware = self.hardware
        match command:
            case act.AcceptCoins():
                hardware.accepting = command.enabled
            case act.RunMotor():
                failed = self.rng.random() < 0.1
                hardware.drops += not failed
                result = ev.VendResult.JAMMED if failed else ev.VendResult.DELIVERED
                self.soon.append(ev.VendEnded(command.slot, result))
            case act.PayOut():
                for coin, count in enumerate(command.coins):
                    hardware.tubes[coin] -= count
                    hardware.paid_minor += count * VALUES_MINOR[coin]
                assert min(hardware.tubes) >= 0
                self.soon.append(ev.PayoutEnded(tuple(hardware.tubes)))
            case Publish():
                self.publish(command)
            case DropConnection():
                self.cut()

    # ---- the network

    def publish(self, message: Publish) -> None:
        if not self.up or message.token is None:
            return
        if not has_records(message):
            self.soon_ack(message.token, 0)  # what is retained is not what this is about
            return
        fate = self.rng.random()
        if fate < 0.1:
            self.soon_ack(message.token, 0x97)  # refused
        elif fate < 0.2:
            self.soon_ack(message.token, 0)  # acknowledged and lost
        elif fate > 0.25:  # else it vanishes without a word
            self.wire += [message] * self.rng.choice((1, 1, 1, 2))
            self.soon_ack(message.token, 0)

    def soon_ack(self, token: int, reason: int) -> None:
        self.acks.append((token, reason))

    def connect(self) -> None:
        self.up = True
        self.send(Connected(session_present=self.rng.random() < 0.5, max_packet_bytes=None))

    def cut(self) -> None:
        self.up = False
        self.acks.clear()
        self.send(Disconnected("cut"))

    def deliver(self, *, lossy: bool) -> None:
        """The cloud takes some of what the broker holds; its receipts may get lost."""
        while self.acks:
            self.send(PubAcked(*self.acks.pop(0)))
        if not self.wire:
            return
        if lossy:
            self.rng.shuffle(self.wire)
        count = self.rng.randint(1, len(self.wire))
        taken, self.wire = self.wire[:count], self.wire[count:]
        arrived = [self.arrived(m) for m in taken]
        receipts = asyncio.run(self.ingest.process(arrived, [{}] * len(arrived)))
        for machine, receipt in receipts:
            if self.up and not (lossy and self.rng.random() < 0.3):
                payload = self.said_down(topics.RECEIPT, codec.pack(receipt.model_dump()))
                self.send(Inbound(topics.RECEIPT.of(machine), payload))

    def arrived(self, message: Publish) -> Arrived:
        parsed = topics.parse(message.topic)
        assert parsed is not None
        return Arrived(message.topic, self.said_up(parsed[1], message.payload), 1, False, 0)

    # ---- one thing that happens

    def turn(self) -> None:
        (action,) = self.rng.choices(list(ACTIONS), weights=list(ACTIONS.values()))
        action(self)

    def select(self) -> None:
        self.send(ev.SlotSelected(self.rng.choice(("A1", "A2", "Z9"))))

    def lever(self) -> None:
        self.send(ev.Lever())

    def take_in(self) -> None:
        self.deliver(lossy=True)

    def link(self) -> None:
        (self.cut if self.up else self.connect)()

    def amnesia(self) -> None:
        """The broker lost its disk."""
        self.wire.clear()
        if self.up:
            self.cut()

    def set_clock(self) -> None:
        self.clock_error_s = None

    def wait(self) -> None:
        self.devices()  # none of them takes that long
        self.now_s += self.rng.uniform(0, 10)
        self.send(Wake())

    def insert(self) -> None:
        if not self.hardware.accepting:
            return
        coin = self.rng.randrange(len(VALUES_MINOR))
        self.hardware.tubes[coin] += 1
        self.hardware.taken_minor += VALUES_MINOR[coin]
        in_tube = self.hardware.tubes[coin]
        if self.rng.random() < 0.02:
            self.kill()  # the adapter had acknowledged it and we had not yet written it down
        else:
            self.send(ev.CoinIn(coin, VALUES_MINOR[coin], ev.Route.TUBE, in_tube))

    def devices(self) -> None:
        while self.soon:
            self.send(self.soon.pop(0))

    def settle_down(self) -> None:
        """The faults stop: in a bounded time everything is stored and nothing is owed."""
        for _ in range(500):
            self.devices()
            if not self.up:
                self.connect()
            self.deliver(lossy=False)
            if not self.journal.counts.owed and not self.wire and self.core.state.vend is None:
                return
            self.now_s += 5.0
            self.send(Wake())
        raise AssertionError(f"still owed: {self.journal.counts}")


# What may happen, and how often.
ACTIONS: dict[Callable[[World], None], int] = {
    World.insert: 30,
    World.select: 20,
    World.lever: 5,
    World.devices: 20,
    World.take_in: 15,
    World.link: 5,
    World.amnesia: 1,
    World.kill: 1,
    World.set_clock: 1,
    World.wait: 2,
}


def records(journal: Journal) -> list[dict[str, Any]]:
    bodies = [codec.unpack(body) for _, _, body in journal.records()]
    return [body for body in bodies if isinstance(body, dict)]
