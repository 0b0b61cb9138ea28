"""What a machine says of itself on retained topics, made from its state, and when. Times are arguments."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from edge.sale.state import SlotSetting, State
from edge.sale.step import Machine
from edge.sale.wanted import planned_slots
from shared import topics
from shared.messages import ConfigRefused, PricesRefused, Reported, SlotStock, Status, Stock

_Said = TypeVar("_Said", Reported, Stock)


class Retained:
    """Each is said at a connect, and again when more of it changed than its time and counts.

    `refused`, `config_refused`: why the last list of prices or config was not taken.
    """

    def __init__(self, slots: Mapping[str, SlotSetting]) -> None:
        self._slots = slots
        self.refused: PricesRefused | None = None
        self.config_refused: ConfigRefused | None = None
        self._published: dict[str, object] = {}  # since the connect
        self._told: tuple[object, ...] | None = None
        self._said_owed = False  # in the status that was published last

    def connected(self) -> None:
        self._published.clear()
        self._told = None

    def forked(self) -> None:
        """The status is another one, and no state shows it."""
        self._told = None

    def due(
        self, state: State, machine: Machine, status: Callable[[], Status], *, owed: int, at_ns: int
    ) -> list[tuple[topics.Topic, bytes]]:
        """`machine`: with what is wanted of it; `owed`: records."""
        if self._said_owed and not owed:
            self._said_owed = False
            self._published.pop(topics.STATUS.name, None)  # tells the cloud that nothing is on its way
            self._told = None
        told = (state, self.refused, self.config_refused)
        if self._told == told:
            return []
        self._told = told
        now = status()
        applied = reported(state, self.refused, self.config_refused, at_ns)
        left = stock(machine, self._slots, state, at_ns)
        due = []
        for topic, said, same in (
            (topics.STATUS, now, without_counts(now)),
            (topics.REPORTED, applied, without_time(applied)),
            (topics.STOCK, left, without_time(left)),
        ):
            if self._published.get(topic.name) != same:
                self._published[topic.name] = same
                due.append((topic, said.model_dump_json().encode()))
                if said is now:
                    self._said_owed = bool(now.owed)
        return due


def reported(
    state: State, refused: PricesRefused | None, config_refused: ConfigRefused | None, at_ns: int
) -> Reported:
    return Reported(
        at_ns=at_ns,
        prices=state.prices,
        refused=refused,
        schedules=tuple(state.prices.schedules[n].name for n in state.holding),
        config_version=state.config.version if state.config else 0,
        config_refused=config_refused,
    )


def stock(machine: Machine, slots: Mapping[str, SlotSetting], state: State, at_ns: int) -> Stock:
    """`machine`: with what is wanted of it; `slots`: as the settings have them."""
    left = {
        s.slot: SlotStock(
            product=s.product,
            count=state.stock[s.slot],
            capacity=s.capacity,
            par=s.par,
            wanted=machine.wanted.get(s.slot),
        )
        for s in planned_slots(slots, state).values()
    }
    return Stock(at_ns=at_ns, slots=left)


def without_time(said: _Said) -> _Said:
    """For comparing: it is said again only when something else changed."""
    return said.model_copy(update={"at_ns": 0})


def without_counts(status: Status) -> Status:
    """For comparing: the counts change with every record, and are said when something else does."""
    return status.model_copy(update={"last_seq": None, "owed_from": None, "owed": 0, "parked": 0})
