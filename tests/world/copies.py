"""Machines whose journal is copied: a backup put back, a card cloned. Edge, ingest and store are real.

A `Twin` is one board with its own file: what it sells is noted here, whatever any program says. The cloud
keeps points by their identity, as InfluxDB does.
"""

import asyncio
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cloud.batch import Arrived, Line
from cloud.books import Books
from cloud.database import make
from cloud.ingest import Ingest
from cloud.store import Store
from edge.core import Core
from edge.link_events import Connected, CoreEvent, Disconnected, Inbound, PubAcked, Publish, Wake
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale.state import SlotSetting
from edge.sale.step import Machine
from edge.store.journal import Journal
from shared import codec, topics
from shared.clock import Now
from shared.messages import PriceList
from tests.world.model import NoArchive

MACHINE = "m1"
SLOTS = (SlotSetting("A1", "cola", 250, 250),)
SETTING = Machine({"A1": "cola"}, "test", items={"A1": 1})
PRICES = PriceList(version=0, currency="EUR", prices={"A1": 150})
START_NS = 1_790_000_000 * 10**9
WAIT_S = 2.0


class Cloud:
    """`points` by measurement, epoch and time; `sends` is what the broker holds for the cloud."""

    def __init__(self, folder: Path) -> None:
        make(folder / "store.db")
        self.store = Store(folder / "store.db")
        self.books = Books(folder / "store.db")
        self.ingest = Ingest(NoArchive(), self, self.store)
        self.points: dict[tuple[str, str, int], dict[str, Any]] = {}
        self.seen: dict[tuple[str, int], set[int]] = {}
        self.retained = b""
        self.waiting: list[Arrived] = []
        self.arrived = 0
        self.clock_s = 0.0

    def close(self) -> None:
        self.store.close()
        self.books.close()

    async def write(self, lines: Sequence[str]) -> dict[int, str]:
        return {}

    async def taken(self, lines: Sequence[Line]) -> Sequence[Line]:
        found = []
        for line in lines:
            assert line.key is not None
            others = self.seen.get(line.key[1:], set())
            if line.at_ns not in others and others:
                found.append(line)
        return found

    def take_in(self) -> list[tuple[str, bytes]]:
        """One batch, and what goes down for it, receipts first."""
        batch, self.waiting = self.waiting, []
        if not batch:
            return []
        self.arrived += 1
        receipts = asyncio.run(self.ingest.process(batch, [{}] * len(batch)))
        for message in batch:
            if topics.parse(message.topic) in {(MACHINE, topics.SALE), (MACHINE, topics.EVENT)}:
                records = codec.unpack(message.payload)
                assert isinstance(records, tuple)
                self._learn(records)
        return [(topics.RECEIPT.of(MACHINE), codec.pack(r.model_dump())) for _, r in receipts]

    def _learn(self, records: Sequence[Any]) -> None:
        """What the database would hold now: all but what was refused."""
        letters = {bytes(letter["payload"]) for letter in self.store.dead_letters(100_000)}
        for record in records:
            if codec.pack(record) not in letters:
                self.seen.setdefault((record["epoch"], record["seq"]), set()).add(record["at_ns"])
                self.points[record["kind"], record["epoch"], record["at_ns"]] = record

    def watermark(self) -> bytes:
        said = self.books.watermark(MACHINE)
        self.books.published([(MACHINE, said)])
        self.retained = said.model_dump_json().encode()
        return self.retained


class Twin:
    """A board with a copy of the journal. `sold`: what its motor really delivered."""

    def __init__(self, folder: Path, cloud: Cloud, rng: random.Random) -> None:
        self.folder = folder
        self.cloud = cloud
        self.rng = rng
        self.up = False
        self.sold = 0
        self.now_s = cloud.clock_s = cloud.clock_s + 1.0
        self.start()

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.journal = Journal(self.folder / "journal.db", MACHINE)
        self.journal._db.execute("PRAGMA synchronous=OFF")
        self.core = Core(self.journal, SETTING, SLOTS, PRICES, random.Random(1), watermark_wait_s=WAIT_S)
        self.send(ev.Booted())
        self.send(ev.BoardReady())
        self.send(ev.ChangerReady((50, 150), (0, 0)))

    def stop(self) -> None:
        self.up = False
        self.journal.close()

    def send(self, event: CoreEvent) -> None:
        # One world's time, but no two boards look at their clocks in the same microsecond.
        self.now_s = self.cloud.clock_s = self.cloud.clock_s + self.rng.uniform(0.01, 0.5)
        now = Now(START_NS + round(self.now_s * 10**9), self.now_s, "synced", "boot")
        for command in self.core.handle(event, now):
            match command:
                case Publish() if self.up:
                    arrived = Arrived(command.topic, command.payload, 1, False, self.cloud.arrived)
                    self.cloud.waiting.append(arrived)
                    if command.token is not None:
                        self.send(PubAcked(command.token, 0))
                case act.RunMotor():
                    self.sold += 1
                    self.send(ev.VendEnded("A1", ev.VendResult.DELIVERED))

    def sell(self) -> None:
        self.send(ev.CoinIn(1, 150, ev.Route.CASHBOX, 0))
        self.send(ev.SlotSelected("A1"))
        if self.rng.random() < 0.3:
            self.send(ev.AuditDue())

    def connect(self) -> None:
        """Online, with what the broker retained; the cloud's fresh word may come, or come too late."""
        self.up = True
        self.send(Connected(session_present=False, max_packet_bytes=None))
        if self.cloud.retained:
            self.send(Inbound(topics.WATERMARK.of(MACHINE), self.cloud.retained))

    def cut(self) -> None:
        self.up = False
        self.send(Disconnected("cut"))

    def exchange(self, rounds: int = 1, *, lossy: bool = False) -> None:
        for _ in range(rounds):
            down = self.cloud.take_in()
            down.append((topics.WATERMARK.of(MACHINE), self.cloud.watermark()))
            for topic, payload in down:
                if not (lossy and self.rng.random() < 0.4):
                    self.send(Inbound(topic, payload))
            self.send(Wake())

    def settle(self) -> None:
        """Until nothing is owed."""
        if not self.up:
            self.connect()
        for _ in range(60):
            self.exchange()
            if not self.journal.counts.owed and not self.cloud.waiting and not self.core.lineage.must_fork():
                return
            self.cloud.clock_s += 3.0
        raise AssertionError(f"still owed: {self.journal.counts}")


def copy(source: Path, target: Path) -> None:
    """A copy of the file as it is, taken from a machine that is stopped."""
    target.mkdir(exist_ok=True)
    shutil.copy(source / "journal.db", target / "journal.db")
