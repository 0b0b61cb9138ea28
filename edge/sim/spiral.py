"""A spiral motor that behaves: the cam of its home switch, the column of products, and what goes wrong.

Positions are turns; home is `home_turns` to both sides of every whole one. A product is pushed over the edge
shortly before that. One that hangs falls half a turn later, if the motor is turned on. No lock, no clock.
"""

import random
from math import floor, inf

from edge.sim.motors import Outcome

BEFORE_HOME_TURNS = 0.02
HANG_TURNS = 0.5
JAM_AT = 0.5
BOUNCE_S = 0.010
BOUNCE_PERIOD_S = 0.004
NOTHING_FALLS = {Outcome.NO_DROP, Outcome.MOTOR_STUCK}


class SimSpiral:
    def __init__(
        self,
        stock: int,
        rng: random.Random,
        *,
        turn_s: float,
        home_turns: float,
        fall_s: float,
        drop_probability: float,
    ) -> None:
        self.stock = stock
        self._home_turns = home_turns
        self._fall_at = 1 - home_turns - BEFORE_HOME_TURNS
        self.outcome = Outcome.DELIVERED
        self.position = 0.0
        self.starts = 0
        self.drops = 0
        self._turn_s = turn_s
        self._fall_s = fall_s
        self._drop_probability = drop_probability
        self._rng = rng
        self._hanging_at = inf  # where the product that hangs will fall
        self._falls_s: list[float] = []
        self._edge_s = -inf

    def hang(self) -> None:
        """The next product hangs, as it else does by chance."""
        self._hanging_at = floor(self.position + self._home_turns) + self._fall_at + HANG_TURNS

    def mend(self) -> None:
        """A technician frees it and turns it home by hand."""
        self.outcome, self._hanging_at = Outcome.DELIVERED, inf
        self.position = float(round(self.position))

    def move(self, from_s: float, to_s: float) -> None:
        """The motor had power from the one time to the other."""
        if self.outcome is Outcome.MOTOR_MISSING:
            return
        before, home = self.position, self._on_cam()
        self.position += (to_s - from_s) / self._turn_s
        if self.outcome is Outcome.JAMMED:
            self.position = min(self.position, max(before, floor(before + self._home_turns) + JAM_AT))
        if home != self._on_cam():
            self._edge_s = to_s
        due = floor(before - self._fall_at) + 1 + self._fall_at
        for at in sorted({due, self._hanging_at}):
            if before < at <= self.position:
                self._push(at, from_s + (at - before) * self._turn_s)

    def _push(self, at: float, now_s: float) -> None:
        if not self.stock or self.outcome in NOTHING_FALLS:
            return
        if at != self._hanging_at:
            if self._hanging_at < inf:
                return  # it pushes at the one that hangs
            if self._rng.random() >= self._drop_probability:
                self._hanging_at = at + HANG_TURNS
                return
        self._hanging_at = inf
        self.stock -= 1
        self.drops += 1
        self._falls_s.append(now_s + self._fall_s)

    def _on_cam(self) -> bool:
        return abs(self.position - round(self.position)) < self._home_turns

    def home_switch(self, now_s: float) -> bool:
        since_s = now_s - self._edge_s
        bounced = since_s < BOUNCE_S and since_s % BOUNCE_PERIOD_S < BOUNCE_PERIOD_S / 2
        return self._on_cam() != bounced

    def falling(self, now_s: float, drop_s: float) -> bool:
        """A product was in the light curtain within the last `drop_s`."""
        return any(0 <= now_s - fall_s < drop_s for fall_s in self._falls_s)
