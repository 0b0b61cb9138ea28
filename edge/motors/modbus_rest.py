"""What the inputs of a Modbus board say while no motor should move: where motors rest, what is out of order.

- A lasting fault is told once, and taken back as soon as the inputs show that it is over.
- Motors may share a home input; one that is away from home then keeps all of them from running. It is
  therefore remembered which motor we left away from home ourselves: that one may go on from there.
- The door's switch, where one is wired, is believed when it says the same at two looks.
- A home switch that changes tells that a motor moves on its own, by a relay that sticks or by a hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from edge.motors.spiral import BLOCKED, NOT_HOME, RUNS_ON
from edge.sale.events import DeviceFault, DeviceFaultCleared, DriverEvent
from edge.sale.visit_events import DoorChanged

LASTING = {BLOCKED, NOT_HOME, RUNS_ON}


@dataclass(frozen=True, slots=True)
class Wiring:
    """How motors and sensors hang on the board; terminals are numbered from 1, as printed on it.

    `home_inputs`: the home switch of the motor at output 1, 2, ... `home_level`, `drop_level`, `door_level`:
    what the input reads while the motor is at home, something is in the light curtain, the door is open. A
    curtain that opens its contact (`drop_level` false) is the safe kind: a broken wire then refuses the sale
    and gives nothing away.
    """

    unit: int = 1
    home_inputs: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    drop_input: int = 8
    home_level: bool = True
    drop_level: bool = True
    door_input: int | None = None
    door_level: bool = True

    def home(self, inputs: tuple[int, ...], output: int) -> bool:
        return bool(inputs[self.home_inputs[output - 1] - 1]) == self.home_level

    def drop(self, inputs: tuple[int, ...]) -> bool:
        return bool(inputs[self.drop_input - 1]) == self.drop_level

    def door(self, inputs: tuple[int, ...]) -> bool | None:
        """Whether the door is open; None where no switch is wired."""
        if self.door_input is None:
            return None
        return bool(inputs[self.door_input - 1]) == self.door_level


class Rest:
    def __init__(self, wiring: Wiring, outputs: Mapping[str, int], still_s: float) -> None:
        """still_s: a motor that turns shows its home switch within this time."""
        self._wiring = wiring
        self._outputs = outputs
        self._still_s = still_s
        self._away: set[str] | None = None  # as last seen at rest; None after a run
        self._moving_until_s = -inf
        self._faults: set[str] = set()
        self.off_home: set[str] = set()  # slots whose motor we left away from home
        self._door_seen: bool | None = None  # at the last look; its switch may bounce
        self._door_told: bool | None = None

    def lost(self) -> None:
        """The board is gone: what its door is like is told again."""
        self._door_seen = self._door_told = None

    def left(self, slot: str, *, off_home: bool, runs_on: bool, now_s: float) -> None:
        """A run has ended."""
        self._away = None
        self.off_home -= {slot}
        if off_home:
            self.off_home.add(slot)
        if runs_on:
            self._moving_until_s = now_s + self._still_s

    def moving(self, now_s: float) -> bool:
        return now_s < self._moving_until_s

    def watch(self, inputs: tuple[int, ...], now_s: float) -> list[DriverEvent]:
        away = {slot for slot, output in self._outputs.items() if not self._wiring.home(inputs, output)}
        if self._away not in (None, away):
            self._moving_until_s = now_s + self._still_s
        self._away = away
        self.off_home &= away
        lasting = {
            BLOCKED: self._wiring.drop(inputs),
            NOT_HOME: not away <= self.off_home,
            RUNS_ON: self.moving(now_s),
        }
        over = sorted(code for code in self._faults if not lasting[code])
        self._faults.difference_update(over)
        return [*(DeviceFaultCleared("board", code) for code in over), *self._watch_door(inputs)]

    def _watch_door(self, inputs: tuple[int, ...]) -> list[DriverEvent]:
        door, before = self._wiring.door(inputs), self._door_seen
        self._door_seen = door
        if door is None or door is not before or door is self._door_told:
            return []
        self._door_told = door
        return [DoorChanged(door)]

    def fault(self, code: str) -> list[DriverEvent]:
        if code in self._faults:
            return []
        if code in LASTING:
            self._faults.add(code)
        return [DeviceFault("board", code, code in LASTING)]
