"""Event → step → commit → act, without threads, sockets or a clock: what the loop runs and a simulation can.

`handle` takes one event, brings the journal up to date and returns what is to be done in the world. The
journal is the only thing it touches. On a full disk the step is not taken: the event waits in `pending`
and is tried again, so a coin that fell is never forgotten. A key that was pressed is: its product would drop
when nobody stands there any more.
"""

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from pydantic import ValidationError

from edge import catalog
from edge.command_desk import MAX_WAITING, RESTART_TOKEN, CommandDesk
from edge.commands import Authority
from edge.health.desk import HealthDesk
from edge.kept_state import STATE, lasting, restore
from edge.lineage import Lineage
from edge.link_events import (
    Command,
    Connected,
    CoreEvent,
    Disconnected,
    DropConnection,
    EndProgram,
    Inbound,
    PubAcked,
    Publish,
    Wake,
)
from edge.outbox import Outbox
from edge.pace import Pace
from edge.retained import Retained
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale.accept import let_in
from edge.sale.audit import forked
from edge.sale.machine import step
from edge.sale.news import news, next_minute_s
from edge.sale.state import SlotSetting, told
from edge.sale.step import Machine
from edge.sale.tenders import availability
from edge.sale.wanted import planned
from edge.store.journal import Journal, JournalFull
from edge.store.kept_commands import KeptCommand
from edge.support import Recording, nothing_recorded
from shared import codec, topics
from shared.clock import Now
from shared.messages import (
    Config,
    ConfigRefused,
    PriceList,
    PricesRefused,
    Receipt,
    Status,
)

AUDIT_INTERVAL_S: Final = 3600.0
_NOBODY: Final = Authority()
_WISHES: Final = (ev.SlotSelected, ev.Lever, ev.ClaimEntered, ev.FreeVend)


class Core:
    """One machine. `slots` and `prices` are its settings: products, and prices until the cloud sends some.

    `clock_wait_s`: how long after a connect records with an estimated time wait for a better one;
    `watermark_wait_s`: how long all of them wait for the cloud's word on what it holds. `recording`: the last
    words on the bus. `disk_free_mb`: for the machine's health.
    """

    def __init__(
        self,
        journal: Journal,
        machine: Machine,
        slots: Sequence[SlotSetting],
        prices: PriceList,
        rng: random.Random,
        clock_wait_s: float = 0.0,
        authority: Authority = _NOBODY,
        watermark_wait_s: float = 0.0,
        recording: Recording = nothing_recorded,
        disk_free_mb: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.journal = journal
        self.slots: Mapping[str, SlotSetting] = {slot.slot: slot for slot in slots}
        self._fitted = machine
        self.pace = Pace()
        self.outbox = Outbox(rng, self.pace)
        self.health = HealthDesk(machine, disk_free_mb)
        self.lineage = Lineage(journal, watermark_wait_s)
        self.state = restore(journal.state(), slots, prices)
        self.connected = False
        self.desk = CommandDesk(journal, machine, authority, self.outbox.rewind, recording)
        # Events, and messages with commands, that the full disk would not take.
        self.pending: deque[ev.Event | Inbound] = deque()
        self._audit_s: float | None = None
        self.retained = Retained(self.slots)
        self._online_since_ns = 0
        self._clock_wait_s = clock_wait_s
        self._send_from_s = 0.0  # until then records with an estimated time are held back
        self._hold_until_s: float | None = None
        self._minute_s: float | None = None  # when schedules are to be looked at next

    @property
    def machine(self) -> Machine:
        """The machine with what is wanted of it."""
        return planned(self._fitted, self.state)

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
        self.health.handled(event, self.state, now.monotonic_s)
        commands += self._send(now)
        return commands

    def _uplink_event(self, event: Connected | Disconnected | PubAcked | Inbound | Wake, now: Now) -> None:
        match event:
            case Connected():
                self.connected = True
                self._online_since_ns = now.wall_ns
                self._send_from_s = now.monotonic_s + self._clock_wait_s
                self.lineage.connected(now.wall_ns, now.monotonic_s)
                self.health.connected(now.monotonic_s)
                self.retained.connected()
                self.outbox.connected(
                    session_present=event.session_present,
                    max_packet_bytes=event.max_packet_bytes,
                    now_s=now.monotonic_s,
                )
                self.pending.append(ev.LinkChanged(up=True))
            case Disconnected():
                self.connected = False
                self.outbox.disconnected()
                self.pace.disconnected()
                self.health.link.disconnected()
                self.pending.append(ev.LinkChanged(up=False))
            case PubAcked(token) if token == RESTART_TOKEN:
                self.desk.restart_told(now)
            case PubAcked():
                self.health.link.acked(self.pace.acked(event.token, now.monotonic_s))
                self.outbox.acked(event.token, event.reason, now.monotonic_s)
            case Inbound():
                self.pace.heard(now.monotonic_s)
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
            self.outbox.nudged(now.monotonic_s)
        elif parsed[1] is topics.PRICES:
            latest = self.state.pending or self.state.prices
            verdict = catalog.judge(event.payload, latest, self.slots)
            self.retained.refused = verdict if isinstance(verdict, PricesRefused) else None
            if isinstance(verdict, PriceList):
                self.pending.append(ev.PricesWanted(verdict))
        elif parsed[1] is topics.CONFIG:
            self._config(event.payload)
        elif parsed[1] is topics.COMMAND and sum(isinstance(e, Inbound) for e in self.pending) < MAX_WAITING:
            self.pending.append(event)  # what is over when its turn comes is refused then

    def _config(self, payload: bytes) -> None:
        latest = self.state.pending_config or self.state.config
        verdict = catalog.judge_config(payload, latest, self.slots, self._fitted.groups)
        self.retained.config_refused = verdict if isinstance(verdict, ConfigRefused) else None
        if isinstance(verdict, Config):
            self.pending.append(ev.ConfigWanted(verdict))

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
                commands += self._take(self.pending[0], now)
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

    def _take(self, event: ev.Event | Inbound, now: Now) -> tuple[act.Effect, ...]:
        if isinstance(event, Inbound):
            obey = self.desk.decide(event.payload, self.state, now)
            return self._step(obey.event, now, obey.row) if obey else ()
        if isinstance(event, ev.Booted):
            self.desk.booted(now)
        return self._step(event, now)

    def _step(self, event: ev.Event, now: Now, row: KeptCommand | None = None) -> tuple[act.Effect, ...]:
        """`row`: the command that wants it."""
        done = step(self._fitted, self.state, event, now.monotonic_s)
        row = self.desk.began(row, done, now) if row else self.desk.ended(self.state, done, now)
        lasts = lasting(done.state)
        if row or done.records or done.effects or lasts != lasting(self.state):
            self.journal.commit(STATE.dump_json(done.state), done.records, now, row)
        self.state = done.state
        if row:
            self.desk.committed(row)
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
            self.pending.extend(news(self.state, now.wall_ns, now.monotonic_s, synced=now.trust == "synced"))
        self._retry(now, commands)
        self._minute_s = next_minute_s(self.state, now.monotonic_s)
        self.outbox.tick(now.monotonic_s)
        if self.pace.is_dead(now.monotonic_s):
            commands.append(DropConnection())
        end_s = self.desk.ends_s(self.state)
        if end_s is not None and now.monotonic_s >= end_s:
            commands.append(EndProgram())

    def next_wake_s(self) -> float | None:
        # On a full disk the deadline waits behind what is pending, which is tried in the loop's own rhythm.
        waits = bool(self.pending)
        times = (
            None if waits else self.state.deadline_s,
            None if waits else self.state.cabinet.overdue_s,
            self._audit_s,
            self.outbox.next_wake_s(),
            self.pace.dead_s(),
            self._hold_until_s,
            self.desk.ends_s(self.state),
            self._minute_s,
            self.health.next_look_s(),
        )
        return min((t for t in times if t is not None), default=None)

    # ---- messages out

    def _send(self, now: Now) -> list[Command]:
        if not self.connected:
            return []
        replies = [self._counted(reply, now) for reply in self.desk.take_replies()]
        commands: list[Command] = [*replies, *self._send_records(now)]
        health = self.health.due(self.state, now.wall_ns, now.monotonic_s, synced=now.trust == "synced")
        if health is not None:
            commands.append(
                self._publish(topics.HEALTH, health.model_dump_json(exclude_none=True).encode(), now)
            )
        due = self.retained.due(
            self.state,
            self.machine,
            lambda: self.status(online=True),
            owed=self.journal.counts.owed,
            at_ns=now.wall_ns,
        )
        return [*commands, *(self._publish(topic, payload, now) for topic, payload in due)]

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
            self._publish(
                topics.SALE if m.stream == topics.SALE.name else topics.EVENT, m.payload, now, m.token
            )
            for m in self.outbox.take(self.lineage.owed, now.monotonic_s)
        ]

    def _fork(self, now: Now) -> None:
        old_epoch = self.journal.epoch
        self.journal.fork(lambda owed: forked(self.state, old_epoch, owed), now)
        self.lineage.forked()
        self.outbox.rewind()
        self.retained.forked()

    def _counted(self, said: Publish, now: Now) -> Publish:
        if said.token is not None:
            return said
        return replace(said, token=self.pace.sent(len(said.payload), now.monotonic_s))

    def _publish(self, topic: topics.Topic, payload: bytes, now: Now, token: int | None = None) -> Publish:
        name = topic.of(self.journal.machine)
        said = Publish(name, payload, topic.qos, topic.retained, topic.codec.value, token)
        return self._counted(said, now)

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
