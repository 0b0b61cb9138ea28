"""When the health is said again. Pure: time is an argument.

At once when door, lockouts, temperature alarms or lasting faults changed, though never twice within
AT_ONCE_GAP_S: a contact that bounces must not fill a metered SIM. After QUIET_S when anything else changed
that an operator acts on; after MONEY_S when only counts of money did, as they do with each sale; and after
REPEAT_S whatever happened, which is the history of temperatures.
"""

from typing import Final

from shared.messages import Health

AT_ONCE_GAP_S: Final = 5.0
QUIET_S: Final = 60.0
MONEY_S: Final = 300.0
REPEAT_S: Final = 900.0


class Pace:
    """`look` says whether it is worth making a report, `says` whether that is to be published."""

    def __init__(self) -> None:
        self._said: Health | None = None
        self._said_s = 0.0
        self._look_s = 0.0
        self._urgent: object = None

    def connected(self) -> None:
        """Nobody there knows anything yet."""
        self._said = None

    def next_look_s(self) -> float | None:
        """None: nothing was said on this connection."""
        return None if self._said is None else self._look_s

    def look(self, urgent: object, now_s: float) -> bool:
        """`urgent`: all that is said at once when it changes."""
        if self._said is None:
            return True
        if urgent != self._urgent:
            self._look_s = min(self._look_s, self._said_s + AT_ONCE_GAP_S)
        return now_s >= self._look_s

    def says(self, health: Health, urgent: object, now_s: float) -> bool:
        news = self._changed(health, urgent, now_s)
        if news:
            self._said, self._said_s, self._urgent = health, now_s, urgent
        steps_s = (now_s + QUIET_S, self._said_s + MONEY_S, self._said_s + REPEAT_S)
        self._look_s = min(step_s for step_s in steps_s if step_s > now_s)
        return news

    def _changed(self, health: Health, urgent: object, now_s: float) -> bool:
        said, silent_s = self._said, now_s - self._said_s
        return (
            said is None
            or urgent != self._urgent
            or silent_s >= REPEAT_S
            or (silent_s >= QUIET_S and _plain(health) != _plain(said))
            or (silent_s >= MONEY_S and _money(health) != _money(said))
        )


def _plain(health: Health) -> tuple[object, ...]:
    """What changes seldom."""
    return (
        health.locked_slots,
        health.change_low,
        health.clock,
        tuple(tube.coin_minor for tube in health.tubes),
        tuple(health.temperatures),
        health.stacker_minor is None,
        health.recycler_minor is None,
    )


def _money(health: Health) -> tuple[object, ...]:
    return (
        health.cashbox_minor,
        health.stacker_minor,
        health.stacker_notes,
        health.recycler_minor,
        health.tubes_minor,
        health.tubes,
    )
