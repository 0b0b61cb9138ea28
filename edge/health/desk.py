"""A machine's health between its core and its cloud: what was heard, and whether it is time to say it."""

from collections.abc import Callable
from typing import Final

from edge.health.link import LinkTimes
from edge.health.pace import Pace
from edge.health.report import alarms, lockouts, open_faults, report, since, starting
from edge.health.seen import Fault, Seen
from edge.sale.state import State
from edge.sale.step import Machine
from shared.messages import Health

START_LIMIT_S: Final = 10.0  # for devices that start with the program


class HealthDesk:
    """`machine`: as it is fitted; `disk_free_mb`: looked at when a report is made."""

    def __init__(self, machine: Machine, disk_free_mb: Callable[[], int | None]) -> None:
        self._machine = machine
        self._disk_free_mb = disk_free_mb
        self.seen = Seen()
        self.link = LinkTimes()
        self._pace = Pace()
        self._first_s = 0.0  # when the first one of a connection is said at the latest
        self._faults: dict[Fault, float] = {}
        self.temperatures: dict[str, float] = {}  # degrees Celsius by sensor

    def connected(self, now_s: float) -> None:
        self.link.connected(now_s)
        self._pace.connected()
        self._first_s = now_s + START_LIMIT_S

    def handled(self, event: object, state: State, now_s: float) -> None:
        """`state`: after the event."""
        self.seen.heard(event, now_s)
        self.temperatures = self.seen.temperatures(now_s)
        self._faults = since(self._faults, open_faults(state, self.seen), now_s)

    def due(self, state: State, wall_ns: int, now_s: float, *, synced: bool) -> Health | None:
        """What is to be said now, while connected. `synced`: the wall clock can be trusted."""
        if starting(state) and self._pace.next_look_s() is None and now_s < self._first_s:
            return None  # what devices will have told in a moment is not said to be missing
        urgent = (self.seen.door, lockouts(state), alarms(state), tuple(self._faults))
        if not self._pace.look(urgent, now_s):
            return None
        health = self.report(state, wall_ns, now_s, synced=synced)
        return health if self._pace.says(health, urgent, now_s) else None

    def report(self, state: State, wall_ns: int, now_s: float, *, synced: bool) -> Health:
        return report(
            *(self._machine, state, self.seen, self.link, self._faults),
            *(self._disk_free_mb(), wall_ns, now_s),
            synced=synced,
        )

    def next_look_s(self) -> float | None:
        if self.link.up_s is None:
            return None
        look_s = self._pace.next_look_s()
        return self._first_s if look_s is None else look_s
