"""One whole machine in one thread: real core, journal, drivers and links, and simulators behind real bytes.

- Time is moved by hand in small steps; where nothing is due it jumps. The board's own clock starts again with
  each power cut. Commands are carried out in the order and by the routes of edge/loop.py.
- `kill` ends the program as SIGKILL does: what was on its way to it is lost, the devices go on. `cut_power`
  also resets them. `boot` starts the program again, with new drivers on the old journal.
- `dies_before` names a command: the program has committed it and is gone before it is carried out.
- The network is a broker that keeps nothing and the real ingest with a database in memory (tests/world).
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path

from cloud.batch import Arrived
from cloud.ingest import Ingest
from edge.core import Core
from edge.link_events import Command, Connected, CoreEvent, Disconnected, Inbound, PubAcked, Publish, Wake
from edge.mdb.adapters.qibixx import QibixxAdapter
from edge.mdb.bill.driver import BillValidator
from edge.mdb.cashless.blocks import ADDRESSES
from edge.mdb.cashless.codes import ALWAYS_IDLE
from edge.mdb.cashless.driver import CashlessReader
from edge.mdb.coin.driver import CoinChanger
from edge.mdb.dialogue import Dialogue
from edge.mdb.frame import Address
from edge.mdb.peripheral import Peripheral
from edge.motors.board import BoardLink
from edge.motors.modbus import ModbusLink
from edge.motors.xy import XyLink
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale.state import SlotSetting
from edge.sale.step import Machine
from edge.sale.visit_events import TemperatureRead
from edge.sim.changer import SimChanger
from edge.sim.modbus import SimModbusBoard
from edge.sim.qibixx import SimQibixx
from edge.sim.reader import SimReader
from edge.sim.validator import SimValidator
from edge.sim.xy import SimXyBoard
from shared import codec, topics
from shared.clock import Now
from shared.messages import PriceList
from shared.records import Body
from tests.helpers import has_records
from tests.scenarios.parts import (
    KEY,
    MACHINE,
    SELECTIONS,
    SLOTS,
    Bus,
    Fitted,
    Killed,
    WatchedJournal,
    Watcher,
)
from tests.world.model import Database, NoArchive

STEP_S = 0.005
DISK_LOOK_S = IDLE_LIMIT_S = 1.0  # as in edge/loop.py
START_S = 1_790_000_000
SENSOR, READ_S = "cabinet", 10.0
ONLINE = Connected(session_present=False, max_packet_bytes=None)


class Bench:
    def __init__(self, folder: Path, fitted: Fitted, watcher: Watcher) -> None:
        self.fitted = fitted
        self.now_s = 0.0
        self._folder = folder
        self._watcher = watcher
        self.commits = 0
        self.dies_at_commit, self.dies_after_s = 0, 0.0
        self._dies_s = inf
        self.dies_before: type[Command] | None = None
        self.changer = SimChanger(fitted.tubes)
        self.validator = SimValidator(fitted.recycler)
        features = {number: ALWAYS_IDLE * always_idle for number, always_idle in fitted.readers.items()}
        self.readers = {n: SimReader(ADDRESSES[n], features=more) for n, more in features.items()}
        self.bus = Bus([self.changer, self.validator, *self.readers.values()], watcher.heard)
        self.adapter = SimQibixx(self.bus)
        stock = {selection: fitted.stock[slot] for slot, (selection, _) in SLOTS.items()}
        self.board = SimXyBoard(stock) if fitted.board == "xy" else SimModbusBoard(stock)
        self.adapter_plugged = self.board_plugged = self.disk_room = True
        self.network_up = False
        self.celsius: float | None = None  # what the sensor in the cabinet shows, if there is one
        self._read_s = -inf
        self.database = Database()
        self._ingest = Ingest(NoArchive(), self.database, self.database)
        self._power_on_s = 0.0
        self._boots = 0
        self.powered = True
        self.alive = False
        self._mdb_wire = self._board_wire = b""
        self._inbox: deque[CoreEvent] = deque()
        self._waiting: list[Publish] = []

    # ---- the program's life

    def boot(self) -> None:
        """Start the program."""
        if not self.powered:
            self.powered, self._power_on_s, self._boots = True, self.now_s, self._boots + 1
        self.journal = WatchedJournal(self._folder / "journal.db", MACHINE)
        self.journal.committed = self._committed
        self.journal._db.execute("PRAGMA synchronous=OFF")  # a disk that forgets is another test
        self.core = self._new_core()
        self.dialogue = Dialogue(QibixxAdapter(), self._new_drivers())
        self.link = self._new_link()
        self._mdb_wire = self._board_wire = b""
        self._disk_look_s = self._handled_s = self._mono_s
        self.alive = True
        self._inbox.append(ev.Booted(str(self._boots)))
        if self.adapter_plugged:
            self.dialogue.opened(self._mono_s)
        if self.board_plugged:
            self.link.opened(self._mono_s)
        if self.network_up:
            self._inbox.append(ONLINE)
        self._guarded(self._work)

    def _new_core(self) -> Core:
        fitted = self.fitted
        slots = [SlotSetting(s, name, fitted.stock[s], fitted.stock[s]) for s, (_, name) in SLOTS.items()]
        machine = Machine(
            products={slot: product for slot, (_, product) in SLOTS.items()},
            software="bench",
            items=SELECTIONS,
            validator=True,
            readers=tuple(fitted.readers),
            policy=fitted.policy,
            claim_key=KEY,
            slots={slot.slot: slot for slot in slots},
            groups=fitted.groups,
        )
        prices = PriceList(version=0, currency="EUR", prices=fitted.prices, card_prices=fitted.card_prices)
        return Core(self.journal, machine, slots, prices, random.Random(1))

    def _new_drivers(self) -> list[Peripheral]:
        return [CoinChanger(), BillValidator(), *map(CashlessReader, self.fitted.readers)]

    def _new_link(self) -> BoardLink:
        return XyLink(SELECTIONS) if self.fitted.board == "xy" else ModbusLink(SELECTIONS)

    def kill(self) -> None:
        """The program ends without a word; the devices go on."""
        self.alive, self._dies_s = False, inf
        self.journal.close()
        self._inbox.clear()
        self._waiting.clear()
        self._mdb_wire = self._board_wire = b""

    def cut_power(self) -> None:
        if self.alive:
            self.kill()
        self.powered = False
        self.changer.reset()
        self.validator.reset()
        for reader in self.readers.values():
            reader.reset()
        self.board.power_cycle()
        self.adapter.power_cycle()

    # ---- time

    @property
    def _mono_s(self) -> float:
        return self.now_s - self._power_on_s

    def _now(self) -> Now:
        wall_ns = round((START_S + self.now_s) * 10**9)
        return Now(wall_ns, self._mono_s, "synced", str(self._boots))

    def tick(self, until_s: float) -> None:
        """The next thing that happens, and at latest `until_s`."""
        if not self.powered:
            self.now_s = until_s
            return
        self.now_s = max(self.now_s + STEP_S, min(self._next_s(), until_s, self._dies_s))
        if self.alive and self.now_s >= self._dies_s:
            self.kill()
        self._guarded(self._turn)

    def _next_s(self) -> float:
        if not self.alive or self._mdb_wire or self._board_wire:
            return self.now_s
        if not isinstance(self.link, XyLink) or not isinstance(self.board, SimXyBoard):
            return self.now_s  # it says nothing of when it wants to be asked
        wakes = [self.dialogue.next_wake_s, self.link.next_wake_s, self.core.next_wake_s() or inf]
        return min(self.board.next_wake_s, *(wake + self._power_on_s for wake in wakes))

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Killed:
            if self.alive:
                self.kill()

    def _turn(self) -> None:
        mdb_send = board_send = b""
        if self.alive and self.adapter_plugged:
            mdb_send, events = self.dialogue.turn(self._mdb_wire, self._mono_s)
            self._inbox += events
        if self.alive and self.board_plugged:
            board_send, events_too = self.link.turn(self._board_wire, self._mono_s)
            self._inbox += events_too
        self._mdb_wire = self.adapter.turn(mdb_send, self.now_s)
        self._board_wire = self.board.turn(board_send, self.now_s)
        if self.alive:
            self._work()
        self._watcher.moved()

    def _work(self) -> None:
        if self._mono_s >= self._disk_look_s:
            self._disk_look_s = self._mono_s + DISK_LOOK_S
            if self.disk_room != self.core.state.disk_ok:
                self._inbox.append(ev.DiskChanged(ok=self.disk_room))
        if self.celsius is not None and self.now_s >= self._read_s + READ_S:
            self._read_s = self.now_s
            self._inbox.append(TemperatureRead(SENSOR, round(self.celsius * 10)))
        while self._inbox:
            self._handle(self._inbox.popleft())
            self._upload()
        wake_s = min(self.core.next_wake_s() or inf, self._handled_s + IDLE_LIMIT_S)
        if self._mono_s >= wake_s:
            self._handle(Wake())
            self._upload()

    # ---- what the loop does

    def say(self, event: CoreEvent) -> None:
        """What comes neither from the bus nor from the board."""
        self._inbox.append(event)
        self._guarded(self._work)

    def _handle(self, event: CoreEvent) -> None:
        self._handled_s = self._mono_s
        commands = self.core.handle(event, self._now())
        assert self.core.state.balanced()
        self._watcher.moved()
        for command in commands:
            self._perform(command)

    def _perform(self, command: Command) -> None:
        if self.dies_before is not None and isinstance(command, self.dies_before):
            self.dies_before = None
            raise Killed
        match command:
            case Publish():
                self._waiting.append(command)
            case act.RunMotor():
                self._inbox += self.link.perform(command, self._mono_s)
            case _ if isinstance(command, act.Effect):
                self._inbox += self.dialogue.perform(command, self._mono_s)

    def _committed(self, bodies: Sequence[Body]) -> None:
        self.commits += 1
        self._watcher.committed(bodies)
        if self.commits == self.dies_at_commit:
            self._dies_s = self.now_s + self.dies_after_s
            if not self.dies_after_s:
                raise Killed

    # ---- the network

    def connect(self) -> None:
        self.network_up = True
        self.say(ONLINE)

    def disconnect(self) -> None:
        self.network_up = False
        self.say(Disconnected("cut"))

    def _upload(self) -> None:
        sent, self._waiting = self._waiting, []
        for message in sent:
            if message.token is None or not self.network_up:
                continue
            if not has_records(message):
                self._inbox.append(PubAcked(message.token, 0))
                continue
            self._watcher.uploaded(message)
            self._inbox.append(PubAcked(message.token, 0))
            arrived = Arrived(message.topic, message.payload, 1, False, 0)
            for machine, receipt in asyncio.run(self._ingest.process([arrived], [{}])):
                payload = codec.pack(receipt.model_dump())
                self._inbox.append(Inbound(topics.RECEIPT.of(machine), payload))

    # ---- plugs

    def unplug_adapter(self) -> None:
        self.adapter_plugged, self._mdb_wire = False, b""
        self.adapter.power_cycle()
        if self.alive:
            self._inbox += self.dialogue.closed("port_lost", self._mono_s)
            self._guarded(self._work)

    def plug_adapter(self) -> None:
        self.adapter_plugged = True
        if self.alive:
            self.dialogue.opened(self._mono_s)

    def unplug_board(self) -> None:
        self.board_plugged, self._board_wire = False, b""
        if self.alive:
            self._inbox += self.link.closed("port_lost", self._mono_s)
            self._guarded(self._work)

    def plug_board(self) -> None:
        self.board_plugged = True
        if self.alive:
            self.link.opened(self._mono_s)

    def unplug(self, address: Address) -> None:
        """One peripheral loses bus and power."""
        self.bus.unplugged.add(address)
        sim = self.changer if address == Address.CHANGER else self.validator
        sim.reset()

    def plug(self, address: Address) -> None:
        self.bus.unplugged.discard(address)
