"""The cabinet of the floor: its temperature, its door, its cash box, and the technician in front of it.

Time is kept twice: as it is, also without power, and as the machine's monotonic clock shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.sale import events as ev
from edge.sale import visit_events as vev
from edge.sale.collection import cash_float
from edge.sale.step import ProductGroup
from shared import records as m
from shared import visit_records as vr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.sale.state import State
    from tests.edge.sale.floor import Floor

START_NS: Final = 1_790_000_000 * 10**9
LIMIT_S: Final = 100.0
FRESH: Final = ProductGroup(("A1", "D1"), "board", min_decidegrees=0, max_decidegrees=50, limit_s=LIMIT_S)


@dataclass
class Cabinet:
    true_s: float = 0.0
    good_s: float = 0.0  # true time of the last reading in range that was told, or of the release
    spoiled: bool = False  # too long without one, and nobody has released the group since
    warm: bool = False
    door: bool = False
    cashbox_minor: int = 0
    stacker_minor: int = 0
    boot: int = 1

    def pass_time(self, seconds: float) -> None:
        self.true_s += seconds
        self.spoiled |= self.true_s - self.good_s > LIMIT_S + 1e-6

    def wall_ns(self) -> int:
        return START_NS + round(self.true_s * 10**9)

    def happens(self, event: ev.Event) -> None:
        """What an event means for products and cash box, whatever the sale makes of it."""
        match event:
            case vev.TemperatureRead(_, decidegrees) if 0 <= decidegrees <= 50 and not self.spoiled:
                self.good_s = self.true_s
            case ev.CoinIn(route=ev.Route.CASHBOX):
                self.cashbox_minor += event.value_minor
            case ev.BillIn(route=ev.BillRoute.CASHBOX):
                self.stacker_minor += event.value_minor

    def written(self, record: m.Body) -> None:
        if isinstance(record, vr.Collection):
            assert (record.cashbox_minor, record.stacker_minor) == (self.cashbox_minor, self.stacker_minor)
            self.cashbox_minor = self.stacker_minor = 0
        elif isinstance(record, m.CashIn) and record.found and record.route == "stacker":
            self.stacker_minor += record.value_minor  # no event told of it, but the stacker's count
        elif isinstance(record, vr.Lockout) and record.scope == "group" and record.event == "ended":
            self.spoiled, self.good_s = False, self.true_s

    def check(self, state: State) -> None:
        if self.spoiled:
            assert state.closed.keys() >= set(FRESH.slots), "too warm for too long, and on sale"
        assert state.cabinet.door_open <= state.service
        if state.service:
            assert not state.accepting or state.changer
            assert not state.notes_accepted or state.validator
        assert (state.cashbox_minor, state.stacker_minor) == (self.cashbox_minor, self.stacker_minor)


def cash(state: State) -> int:
    """What the books say lies in the machine; of a payout under way also what is counted and not booked."""
    booked = state.cashbox_minor + state.stacker_minor + sum(cash_float(state))
    return booked + (state.paying.paid_minor if state.paying else 0)


def moved(records: Sequence[m.Body]) -> int:
    """By how much records say that the cash in the machine has changed."""
    total = 0
    for record in records:
        match record:
            case m.CashIn() | m.CoinsLoaded():
                total += record.value_minor
            case m.CoinsTaken():
                total -= record.value_minor
            case m.TubesCorrected() | m.RecyclerCorrected():
                total += record.difference_minor
            case m.Payout():
                total -= record.paid_minor
            case vr.Collection():
                total -= record.cashbox_minor + record.stacker_minor
            case _:
                pass
    return total


# --- what happens -----------------------------------------------------------------------------------------


def read_temperature(floor: Floor) -> None:
    cabinet = floor.cabinet
    if floor.random.random() < (0.3 if cabinet.warm else 0.05):
        cabinet.warm = not cabinet.warm
    decidegrees = floor.random.choice((-5, 51, 120)) if cabinet.warm else floor.random.choice((0, 30, 50))
    floor.feed(vev.TemperatureRead(floor.random.choice(("board", "board", "other")), decidegrees))


def hours_pass(floor: Floor) -> None:
    """Nothing happens for a time; Overdue comes where the core would wake for it."""
    floor.now_s += (seconds := floor.random.uniform(0, 70))
    floor.cabinet.pass_time(seconds)
    floor.feed(vev.Overdue())


def set_clock(floor: Floor) -> None:
    floor.feed(vev.ClockSet(floor.cabinet.wall_ns() + 5 * 10**8))  # a step takes half a second


def move_door(floor: Floor) -> None:
    if not floor.cabinet.door and floor.random.random() < 0.6:
        return
    floor.cabinet.door = not floor.cabinet.door
    floor.feed(vev.DoorChanged(floor.cabinet.door))


def service(floor: Floor) -> None:
    """A technician comes, or only says something, and does something."""
    if floor.random.random() < 0.4:
        floor.feed(ev.ServiceChanged(on=True))
    slot = floor.random.choice(("A1", "B1", "C1", "D1", "Z9"))
    count = floor.random.choice((-1, 0, 3, 400, 401))
    requests: tuple[ev.TechnicianEvent, ...] = (
        vev.Refilled({slot: count}),
        vev.Refilled({}, others_to_par=True),
        vev.StockSet({slot: count}),
        vev.Collected(floor.random.choice(("bag 1", "", "2/17"))),
        vev.GroupReleased(floor.random.choice(("fresh", "fresh", "frozen"))),
        vev.SlotReleased(slot),
        ev.ServiceChanged(on=False),
        ev.ServiceChanged(on=False),
    )
    for request in floor.random.choices(requests, k=3):
        floor.feed(request)


def power_off(floor: Floor) -> ev.Booted:
    """The program is killed, or the board loses its power, for a time."""
    seconds = floor.random.choice((2.0, 2.0, 20.0, 20.0, 60.0, 150.0))
    floor.cabinet.pass_time(seconds)
    if floor.random.random() < 0.3:
        floor.now_s += seconds
    else:
        floor.cabinet.boot += 1
        floor.now_s = floor.random.choice((3.0, 500.0))
    floor.cabinet.door = False  # a door that is open is told again later
    return ev.Booted(f"boot {floor.cabinet.boot}")
