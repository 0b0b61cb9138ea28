"""Event → step → commit → act, without threads, sockets or a clock: what the loop runs and a simulation can.

`handle` takes one event, brings the journal up to date and returns what is to be done in the world. The
journal is the only thing it touches. On a full disk the step is not taken: the event waits in `pending`
and is tried again, so a coin that fell is never forgotten. A key that was pressed is: its product would drop
when nobody stands there any more.
"""

import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from pydantic import TypeAdapter, ValidationError

from edge import catalog
from edge.lineage import Lineage
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
from edge.outbox import Outbox
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale.accept import let_in
from edge.sale.audit import forked
from edge.sale.machine import step
from edge.sale.state import SlotSetting, State, told
from edge.sale.step import Machine
from edge.sale.tenders import availability
from edge.sale.visit_events import ClockSet, Overdue
from edge.store.journal import Journal, JournalFull
from shared import codec, topics
from shared.clock import Now
from shared.messages import PriceList, PricesRefused, Receipt, Reported, SlotStock, Status, Stock

AUDIT_INTERVAL_S: Final = 3600.0
_CLOCK_JUMP_NS: Final = 10**9  # a clock that moved by less is the same
_STATE: Final = TypeAdapter(State)
_WISHES: Final = (ev.SlotSelected, ev.Lever, ev.ClaimEntered, ev.FreeVend)


class Core:
    """One machine. `slots` and `prices` are its settings: products, and prices until the cloud sends some.

    `clock_wait_s`: how long after a connect records with an estimated time wait for a better one;
    `watermark_wait_s`: how long all of them wait for the cloud's word on what it holds.
    """

    def __init__(
        self,
        journal: Journal,
        machine: Machine,
        slots: Sequence[SlotSetting],
        prices: PriceList,
        rng: random.Random,
        clock_wait_s: float = 0.0,
        watermark_wait_s: float = 0.0,
    ) -> None:
        self.journal = journal
        self.slots: Mapping[str, SlotSetting] = {slot.slot: slot for slot in slots}
        self.machine = machine
        self.outbox = Outbox(rng)
        self.lineage = Lineage(journal, watermark_wait_s)
        self.state = restore(journal.state(), slots, prices)
        self.connected = False
        self.pending: deque[ev.Event] = deque()  # events that the full disk would not take
        self._refused: PricesRefused | None = None
        self._audit_s: float | None = None
        self._published: dict[str, bytes] = {}
        self._told: tuple[State, PricesRefused | None] | None = None
        self._online_since_ns = 0
        self._said_owed = False
        self._clock_wait_s = clock_wait_s
        self._send_from_s = 0.0  # until then records with an estimated time are held back
        self._hold_until_s: float | None = None

    # ---- events in, commands out

    def handle(self, event: CoreEvent, now: Now) -> list[Command]:
        commands: list[Command] = []
        with suppress(JournalFull):  # tried again with the next event
            self.journal.correct(now)
        if isinstance(event, Connected | Disconnected | PubAcked | Inbound | Wake):
            self._uplink_event(event, now)
        else:
            self.pending.append(event)
        self._retry(now, commands)
        self._timers(now, commands)
        commands += self._send(now)
        return commands

    def _uplink_event(self, event: Connected | Disconnected | PubAcked | Inbound | Wake, now: Now) -> None:
        match event:
            case Connected():
                self.connected = True
                self._online_since_ns = now.wall_ns
                self._send_from_s = now.monotonic_s + self._clock_wait_s
                self.lineage.connected(now.wall_ns, now.monotonic_s)
                self._published.clear()
                self._told = None
                self.outbox.connected(
                    session_present=event.session_present,
                    max_packet_bytes=event.max_packet_bytes,
                    now_s=now.monotonic_s,
                )
                self.pending.append(ev.LinkChanged(up=True))
            case Disconnected():
                self.connected = False
                self.outbox.disconnected()
                self.pending.append(ev.LinkChanged(up=False))
            case PubAcked():
                self.outbox.acked(event.token, event.reason, now.monotonic_s)
            case Inbound():
                self._inbound(event, now)
            case Wake():
                pass

    def _inbound(self, event: Inbound, now: Now) -> None:
        parsed = topics.parse(event.topic)
        if parsed is None or parsed[0] != self.journal.machine:
            return  # a broker's rights let nothing else through; what is not ours is not ours to judge
        if parsed[1] is topics.RECEIPT:
            self._receipt(event.payload, now)
        elif parsed[1] is topics.WATERMARK:
            self.lineage.heard(event.payload)
        elif parsed[1] is topics.PRICES:
            latest = self.state.pending or self.state.prices
            verdict = catalog.judge(event.payload, latest, self.slots)
            self._refused = verdict if isinstance(verdict, PricesRefused) else None
            if isinstance(verdict, PriceList):
                self.pending.append(ev.PricesWanted(verdict))

    def _receipt(self, payload: bytes, now: Now) -> None:
        try:
            receipt = Receipt.model_validate(codec.unpack(payload))
        except (codec.CodecError, ValidationError):
            return  # unreadable: the records stay owed and are sent again
        stored, refused = self.lineage.ours(receipt)
        try:
            self.journal.settle(stored, refused)
        except JournalFull:
            return  # still owed: sent again, settled when there is room
        self.outbox.settled(stored, [seq for seq, _ in refused], now.monotonic_s)

    def _retry(self, now: Now, commands: list[Command]) -> None:
        while self.pending:
            try:
                commands += self._step(self.pending[0], now)
            except JournalFull:
                self._refuse(commands)
                return
            self.pending.popleft()

    def _refuse(self, commands: list[Command]) -> None:
        """No room: what happened waits to be written down, and what somebody wished is not done at all."""
        self.pending = deque(event for event in self.pending if not isinstance(event, _WISHES))
        if self.state.disk_ok:
            # Cannot be written down now, but must hold at once: no more money comes in.
            full = told(replace(self.state, disk_ok=False), "out of service: journal disk full")
            self.state, effects = let_in(full, self.machine.policy)
            commands += effects

    def _step(self, event: ev.Event, now: Now) -> tuple[act.Effect, ...]:
        done = step(self.machine, self.state, event, now.monotonic_s)
        lasting = _lasting(done.state)
        if done.records or done.effects or lasting != _lasting(self.state):
            self.journal.commit(_STATE.dump_json(done.state), done.records, now)
        self.state = done.state
        return done.effects

    # ---- time

    def _timers(self, now: Now, commands: list[Command]) -> None:
        if (
            not self.pending
            and self.state.deadline_s is not None
            and now.monotonic_s >= self.state.deadline_s
        ):
            self.pending.append(ev.Tick())
        if self._audit_s is None:
            self._audit_s = now.monotonic_s + AUDIT_INTERVAL_S
        elif now.monotonic_s >= self._audit_s:
            self._audit_s = now.monotonic_s + AUDIT_INTERVAL_S
            self.pending.append(ev.AuditDue())
        if not self.pending:
            self.pending.extend(self._news_of_time(now))
        self._retry(now, commands)
        if self.outbox.tick(now.monotonic_s):
            commands.append(DropConnection())

    def _news_of_time(self, now: Now) -> Iterator[ev.Event]:
        if self.state.cabinet.overdue_s is not None and now.monotonic_s > self.state.cabinet.overdue_s:
            yield Overdue()
        known_ns, ahead_ns = self.state.cabinet.clock_ns, now.wall_ns - round(now.monotonic_s * 10**9)
        if now.trust == "synced" and (known_ns is None or abs(ahead_ns - known_ns) > _CLOCK_JUMP_NS):
            yield ClockSet(now.wall_ns)

    def next_wake_s(self) -> float | None:
        # On a full disk the deadline waits behind what is pending, which is tried in the loop's own rhythm.
        waits = bool(self.pending)
        times = (
            None if waits else self.state.deadline_s,
            None if waits else self.state.cabinet.overdue_s,
            self._audit_s,
            self.outbox.next_wake_s(),
            self._hold_until_s,
        )
        return min((t for t in times if t is not None), default=None)

    # ---- messages out

    def _send(self, now: Now) -> list[Command]:
        if not self.connected:
            return []
        commands = self._send_records(now)
        if self._said_owed and not self.journal.counts.owed:
            self._published.pop(
                topics.STATUS.name, None
            )  # the cloud knows by it that no record is on its way
            self._told = None
        told = (self.state, self._refused)
        if self._told == told:
            return commands
        self._told = told
        retained = (
            (topics.STATUS, *self._status()),
            (topics.REPORTED, *self._reported(now)),
            (topics.STOCK, *self._stock(now)),
        )
        for topic, text, key in retained:
            # Compared without its time: said again only when something changed, or after a new connection.
            same = key or text.encode()
            if self._published.get(topic.name) != same:
                self._published[topic.name] = same
                commands.append(self._publish(topic, text.encode()))
        return commands

    def _send_records(self, now: Now) -> list[Command]:
        self._hold_until_s = self.lineage.waits_until_s(now.monotonic_s)
        if now.monotonic_s < self._send_from_s and self.journal.awaits_time(now):
            self._hold_until_s = self._send_from_s
        if self._hold_until_s is not None:
            return []
        try:
            self.journal.freeze()
            if self.lineage.must_fork():
                self._fork(now)
        except JournalFull:
            return []  # what may still change cannot be sent
        return [
            self._publish(topics.SALE if m.stream == topics.SALE.name else topics.EVENT, m.payload, m.token)
            for m in self.outbox.take(self.lineage.owed, now.monotonic_s)
        ]

    def _fork(self, now: Now) -> None:
        old_epoch = self.journal.epoch
        self.journal.fork(lambda owed: forked(self.state, old_epoch, owed), now)
        self.lineage.forked()
        self.outbox.rewind()
        self._told = None

    def _publish(self, topic: topics.Topic, payload: bytes, token: int | None = None) -> Publish:
        name = topic.of(self.journal.machine)
        return Publish(name, payload, topic.qos, topic.retained, topic.codec.value, token)

    def status(self, *, online: bool) -> Status:
        """What the status topic says; with `online` false it is the last will."""
        return Status(
            online=online,
            since_ns=self._online_since_ns,
            epoch=self.journal.epoch,
            software=self.machine.software,
            tenders=availability(self.state),
            last_seq=self.journal.last_seq,
            owed_from=self.journal.owed_from() if online else None,  # the will is made by another thread
            owed=self.journal.counts.owed,
            parked=self.journal.counts.parked,
            forked_from=self.journal.epochs.forked_from,
        )

    def _status(self) -> tuple[str, bytes]:
        status = self.status(online=True)
        self._said_owed = bool(status.owed)
        counts = {"last_seq": None, "owed_from": None, "owed": 0, "parked": 0}
        return status.model_dump_json(), status.model_copy(update=counts).model_dump_json().encode()

    def _reported(self, now: Now) -> tuple[str, bytes]:
        reported = Reported(at_ns=now.wall_ns, prices=self.state.prices, refused=self._refused)
        return reported.model_dump_json(), reported.model_copy(update={"at_ns": 0}).model_dump_json().encode()

    def _stock(self, now: Now) -> tuple[str, bytes]:
        slots = {
            s.slot: SlotStock(
                product=s.product, count=self.state.stock[s.slot], capacity=s.capacity, par=s.par
            )
            for s in self.slots.values()
        }
        stock = Stock(at_ns=now.wall_ns, slots=slots)
        return stock.model_dump_json(), stock.model_copy(update={"at_ns": 0}).model_dump_json().encode()


def restore(stored: bytes | None, slots: Sequence[SlotSetting], prices: PriceList) -> State:
    """The state of the last run, fitted to today's settings: new slots start full at their settings' price,
    removed ones are forgotten. Raises pydantic.ValidationError for a state of another program version.
    """
    state = _STATE.validate_json(stored) if stored else State(prices=prices, stock={})
    stock = {s.slot: min(state.stock.get(s.slot, s.capacity), s.capacity) for s in slots}
    in_force = {s.slot: state.prices.prices.get(s.slot, prices.prices[s.slot]) for s in slots}
    by_card = {slot: price for slot, price in state.prices.card_prices.items() if slot in in_force}
    fitted = state.prices.model_copy(update={"prices": in_force, "card_prices": by_card})
    return replace(state, stock=stock, prices=fitted)


def _lasting(state: State) -> State:
    """The state without what only this run knows: a change of that alone is not worth an fsync."""
    return replace(
        state,
        changer="",
        validator="",
        readers={},
        board="",
        disk_ok=True,
        link_up=False,
        accepting=None,
        notes_accepted=None,
        stacker_full=False,
        deadline_s=None,
        message="",
    )
