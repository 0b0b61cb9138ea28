"""One vend of one spiral motor: a home switch, a drop sensor, and the time. No bytes, no clock.

- The motor starts at home, leaves it, comes back to it and is stopped at once. Then the product may still
  fall for `drop_window_s`. Any interruption of the drop sensor, from the first movement on, is a product.
- If the window stays empty, one more turn is made in `extra_parts` parts, each with its window. A part is
  stopped by the drop, and the motor then rests away from home (`off_home`); its next run begins there.
- A product falls, and home passes, unseen if samples come too rarely (`hold_s`), once a turn may be that far
  (`turn_min_s`). The motor is then stopped: to look for home any longer may be a second turn. Unless a drop
  was seen or comes, the run is in doubt: it has no result, and no part is added to it.
- One sample of home is enough to stop. If that was noise, the extra parts complete the turn.
- `motor_on` is what is wanted; `acknowledged` says that the board took it. Nothing here happens between two
  samples, so whoever drives the motor must stop it by himself when samples end (edge/motors/modbus.py).
"""

from dataclasses import dataclass
from enum import Enum, auto
from math import inf

from edge.sale.events import VendResult


@dataclass(frozen=True, slots=True)
class Timing:
    """Engineering defaults, to be checked on the machine; a turn typically takes 1.5 to 3.5 s."""

    clear_s: float = 1.5  # the last product, or a hand, may still be in the light curtain
    leave_home_s: float = 0.7
    return_home_s: float = 6.0
    turn_min_s: float = 1.0  # no motor comes round, and no product falls, sooner
    settle_s: float = 0.1  # a motor that is switched off still moves so long
    drop_window_s: float = 2.0
    debounce_s: float = 0.025
    hold_s: float = (
        0.25  # a drop, and a home that is passed, are told at least so long: one lost answer is less
    )
    extra_parts: int = 2
    limit_s: float = 15.0


class Phase(Enum):
    CHECKING = auto()
    LEAVING = auto()
    RETURNING = auto()
    STOPPING = auto()
    WATCHING = auto()
    ENDED = auto()


class Turn(Enum):
    """What the home switch said of the turn."""

    COMPLETE = auto()
    NEVER_LEFT = auto()
    NEVER_RETURNED = auto()
    RUNS_ON = auto()


@dataclass(frozen=True, slots=True)
class Ending:
    """`result` is None in doubt; `fault` is the operator's business besides the result, or empty."""

    result: VendResult | None
    fault: str = ""


# Faults.
BLOCKED = "drop_sensor_blocked"
NOT_HOME = "not_home"
RUNS_ON = "motor_stuck"

ENDINGS = {  # by what the home switch and the drop sensor said
    (Turn.COMPLETE, True): Ending(VendResult.DELIVERED),
    (Turn.COMPLETE, False): Ending(VendResult.NO_DROP),
    (Turn.NEVER_LEFT, True): Ending(VendResult.DELIVERED, "home_switch_stuck"),
    (Turn.NEVER_LEFT, False): Ending(VendResult.MOTOR_MISSING),
    (Turn.NEVER_RETURNED, True): Ending(VendResult.DELIVERED, "jammed"),
    (Turn.NEVER_RETURNED, False): Ending(VendResult.JAMMED),
    (Turn.RUNS_ON, True): Ending(VendResult.DELIVERED, RUNS_ON),
    (Turn.RUNS_ON, False): Ending(VendResult.MOTOR_STUCK),
}


class Spiral:
    def __init__(self, timing: Timing, *, off_home: bool) -> None:
        """`off_home`: the last run of this motor left it away from home, and nothing else is wrong."""
        self._timing = timing
        self._turn = Turn.COMPLETE
        self._part = 0  # 0 is the turn itself
        self._home = self._raw_home = True
        self._raw_from_s = self._sampled_s = -inf
        self._dropped = self._blind = self._home_at_rest = False
        self._switched_s: float | None = None  # when the board took the present `motor_on`
        self._deadline_s = self._limit_s = inf
        self._turn_s = inf  # how long the turn itself took
        self._due_s = inf  # from when on there is something to miss
        self.phase = Phase.CHECKING
        self.off_home = off_home
        self.motor_on = False
        self.ending: Ending | None = None

    @property
    def runs_on(self) -> bool:
        return self._turn is Turn.RUNS_ON

    def acknowledged(self, now_s: float) -> None:
        """The board switched the motor as wanted; said again at each renewal of a drive."""
        if self._switched_s is not None:
            return
        self._switched_s = now_s
        if self.phase is Phase.LEAVING:
            self._deadline_s = now_s + self._timing.leave_home_s
        elif self.phase is Phase.RETURNING:
            self._deadline_s = now_s + self._timing.return_home_s

    def sample(self, *, home: bool, drop: bool, now_s: float) -> None:
        match self.phase:
            case Phase.CHECKING:
                self._check(home=home, drop=drop, now_s=now_s)
            case Phase.ENDED:
                pass
            case _:
                self._note(home=home, drop=drop, now_s=now_s)
                self._advance(now_s)
        self._sampled_s = now_s

    def _check(self, *, home: bool, drop: bool, now_s: float) -> None:
        self._home = self._raw_home = home
        if self._limit_s == inf:
            self._limit_s, self._deadline_s = now_s + self._timing.limit_s, now_s + self._timing.clear_s
        if drop and now_s < self._deadline_s:
            return
        if drop:
            self._end(Ending(VendResult.NOT_STARTED, BLOCKED))
        elif not home and not self.off_home:
            self._end(Ending(VendResult.NOT_STARTED, NOT_HOME))
        else:
            self._start(now_s)

    def _note(self, *, home: bool, drop: bool, now_s: float) -> None:
        self._dropped = self._dropped or drop
        if now_s > self._due_s and now_s - self._sampled_s > self._timing.hold_s:
            self._blind = True
        if home != self._raw_home:
            self._raw_home, self._raw_from_s = home, now_s
        if now_s - self._raw_from_s >= self._timing.debounce_s:
            self._home = home

    def _advance(self, now_s: float) -> None:
        match self.phase:
            case Phase.LEAVING | Phase.RETURNING if self._part and (self._dropped or now_s > self._limit_s):
                self._stop(Turn.COMPLETE)
            case Phase.LEAVING:
                self._leave(now_s)
            case Phase.RETURNING:
                self._return(now_s)
            case Phase.STOPPING if self._switched_s is not None:
                if now_s >= self._switched_s + self._timing.settle_s:
                    self.phase, self._home_at_rest = Phase.WATCHING, self._home
                    self._deadline_s = min(self._switched_s + self._timing.drop_window_s, self._limit_s)
                    self._watch(now_s)
            case Phase.WATCHING:
                self._watch(now_s)
            case _:
                pass

    def _leave(self, now_s: float) -> None:
        if not self._home:
            if self._switched_s is None:  # it moves, though the board's word was lost
                self._switched_s = now_s
            self.phase, self._deadline_s = Phase.RETURNING, now_s + self._timing.return_home_s
        elif now_s > self._deadline_s:
            self._stop(Turn.NEVER_LEFT)

    def _return(self, now_s: float) -> None:
        moved_s = 0.0 if self._switched_s is None else now_s - self._switched_s
        if self._raw_home:
            if not self._part:
                self._turn_s = moved_s
            self._stop(Turn.COMPLETE)
        elif self._blind or (
            0 < self._part < self._timing.extra_parts and moved_s >= self._turn_s / self._timing.extra_parts
        ):
            self._stop(Turn.COMPLETE)
        elif now_s > self._deadline_s:
            self._stop(Turn.NEVER_RETURNED)

    def _watch(self, now_s: float) -> None:
        if self._home != self._home_at_rest:
            self._turn = Turn.RUNS_ON
        if self._dropped:
            self._end(ENDINGS[self._turn, True])
        elif now_s < self._deadline_s:
            return
        elif self._blind and self._turn is not Turn.NEVER_LEFT:
            self._end(Ending(None, "drop_unwatched"))
        elif self._turn is Turn.COMPLETE and self._part < self._timing.extra_parts and now_s < self._limit_s:
            self._part += 1
            self._start(now_s)
        else:
            self._end(ENDINGS[self._turn, False])

    def _start(self, now_s: float) -> None:
        whole = self._home and not self._part
        self._due_s = min(self._due_s, now_s + self._timing.turn_min_s if whole else now_s)
        self.phase = Phase.LEAVING if self._home else Phase.RETURNING
        self.motor_on, self._switched_s, self._deadline_s = True, None, self._limit_s

    def _stop(self, turn: Turn) -> None:
        self._turn, self.phase = turn, Phase.STOPPING
        self.motor_on, self._switched_s = False, None

    def _end(self, ending: Ending) -> None:
        if self.phase is not Phase.CHECKING:
            self.off_home = self._turn is Turn.COMPLETE and not self._home
        self.ending, self.phase = ending, Phase.ENDED
