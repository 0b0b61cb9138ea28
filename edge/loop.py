"""The main thread's loop: take an event, let the core decide and commit, carry out what it asks.

Everything that may fail outside is a value in the inbox. An exception here ends the process; the journal
restores. The other threads meet this one only in the inbox, which is bounded: a full one makes them wait.
"""

import queue
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from edge import disk
from edge.core import Core
from edge.link_events import Command, CoreEvent, DropConnection, EndProgram, Inbound, Publish, Wake
from edge.recent import Recent
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale.technician import refusal
from edge.status_file import StatusFile
from edge.store.kept import Kept
from edge.support_file import MOST_RECORDS, Picture
from shared.clock import Now, SystemClock
from shared.supervisor import Supervisor

INBOX_EVENTS: Final = 4_096
_IDLE_LIMIT_S: Final = 1.0  # also how late a full disk is noticed
_PRUNE_INTERVAL_S: Final = 3_600.0
_DAY_NS: Final = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Stop:
    """The process is asked to end."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """A thread ended by a mistake of ours: so does the process."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class RecordsAsked:
    """A technician looks at these records; `answer` takes them and never waits."""

    first: int
    last: int
    answer: Callable[[list[Kept]], None]


@dataclass(frozen=True, slots=True)
class Requested:
    """A technician wants this done; `answer` takes why it is not, or nothing, and never waits."""

    event: ev.TechnicianEvent | ev.FreeVend
    answer: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PictureAsked:
    """A bug report is wanted; `answer` takes what it is made of and never waits."""

    answer: Callable[[Picture], None]


Asked = RecordsAsked | Requested | PictureAsked
Inbox = queue.Queue[CoreEvent | Asked | Stop | Crashed]


class Port(Protocol):
    def submit(self, effect: act.Effect) -> None: ...


class Link(Protocol):
    def publish(self, message: Publish) -> None: ...

    def drop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Retention:
    days: int
    records: int


class Loop:
    def __init__(
        self,
        core: Core,
        inbox: Inbox,
        bus: Port,
        board: Port,
        uplink: Link,
        clock: SystemClock,
        data_dir: Path,
        status: StatusFile,
        retention: Retention,
        supervisor: Supervisor,
    ) -> None:
        self._core = core
        self._inbox = inbox
        self._bus = bus
        self._board = board
        self._uplink = uplink
        self._clock = clock
        self._data_dir = data_dir
        self._status = status
        self._retention = retention
        self._supervisor = supervisor
        self._recent = Recent(core.state)
        self._disk_look_s = 0.0
        self._prune_s = 0.0
        self._ended = False

    def run(self) -> bool:
        """Until Stop, or until a command ends it (True). Raises what a thread or the journal could not live
        with.
        """
        self._handle(ev.Booted(self._clock.now().boot))
        self._supervisor.ready()
        while not self._ended:
            event = self._next()
            if isinstance(event, Stop):
                break
            if isinstance(event, Crashed):
                raise event.error
            if isinstance(event, RecordsAsked):
                event.answer(self._core.journal.between(event.first, event.last))
            elif isinstance(event, PictureAsked):
                event.answer(self._picture())
            elif isinstance(event, Requested):
                event.answer(self._request(event.event))
            else:
                self._handle(event)
            self._housekeeping()
        self._supervisor.stopping()
        return self._ended

    def _request(self, event: ev.TechnicianEvent | ev.FreeVend) -> str:
        core = self._core
        words = "" if isinstance(event, ev.FreeVend) else refusal(core.machine, core.state, event)
        if not words:
            self._handle(event)
        return words

    def _picture(self) -> Picture:
        core, journal = self._core, self._core.journal
        return Picture(
            self._clock.now(),
            self._recent.before,
            core.state,
            self._recent.messages(),
            journal.between(max(1, journal.last_seq - MOST_RECORDS + 1), max(1, journal.last_seq)),
            journal.epoch,
            journal.last_seq,
            journal.counts,
        )

    def _next(self) -> CoreEvent | Asked | Stop | Crashed:
        wake_s = self._core.next_wake_s()
        left_s = _IDLE_LIMIT_S if wake_s is None else wake_s - self._clock.now().monotonic_s
        try:
            return self._inbox.get(timeout=max(0.001, min(_IDLE_LIMIT_S, left_s)))
        except queue.Empty:
            return Wake()

    def _handle(self, event: CoreEvent) -> None:
        before = self._shown()
        now = self._clock.now()
        if isinstance(event, Inbound):
            self._recent.heard(event, self._core.state, now.wall_ns, now.monotonic_s)
        for command in self._core.handle(event, now):
            self._perform(command, now)
        if before != self._shown():
            self._status.write(self._core)

    def _shown(self) -> tuple[object, ...]:
        """What the status file is made of."""
        core = self._core
        health = (core.health.temperatures, core.health.link.round_trip_ms)
        return core.state, core.journal.counts, core.connected, core.desk.refused.total(), health

    def _perform(self, command: Command, now: Now) -> None:
        match command:
            case Publish():
                self._recent.said(command, self._core.state, now.wall_ns, now.monotonic_s)
                self._uplink.publish(command)
            case DropConnection():
                self._uplink.drop()
            case EndProgram():
                self._ended = True
            case act.RunMotor():
                self._board.submit(command)
            case _:
                self._bus.submit(command)  # each peripheral knows its own

    def _housekeeping(self) -> None:
        now = self._clock.now()
        self._supervisor.turned(now.monotonic_s)  # here and nowhere else: a loop that hangs is to be ended
        if now.monotonic_s >= self._disk_look_s:
            self._disk_look_s = now.monotonic_s + _IDLE_LIMIT_S
            was_ok = self._core.state.disk_ok
            if disk.has_room(self._data_dir, was_ok=was_ok) != was_ok:
                self._handle(ev.DiskChanged(ok=not was_ok))
        if now.monotonic_s >= self._prune_s and self._core.state.disk_ok:
            self._prune_s = now.monotonic_s + _PRUNE_INTERVAL_S
            self._core.journal.prune(now.wall_ns - self._retention.days * _DAY_NS, self._retention.records)
