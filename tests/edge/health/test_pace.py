"""When a health is said: what an operator must know at once, and what a metered SIM must not pay for."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from edge.health.pace import AT_ONCE_GAP_S, MONEY_S, QUIET_S, REPEAT_S, Pace
from shared.messages import Health

STEP_S = 1.0  # the loop looks at least so often


@dataclass
class Line:
    """A connected machine and what it has said, as (time, health, urgent)."""

    health: Health
    urgent: int = 0

    def __post_init__(self) -> None:
        self.pace = Pace()
        self.now_s = 1_000.0
        self.said: list[tuple[float, Health, int]] = []
        self.look()

    def look(self) -> bool:
        says = self.pace.look(self.urgent, self.now_s) and self.pace.says(
            self.health, self.urgent, self.now_s
        )
        if says:
            self.said.append((self.now_s, self.health, self.urgent))
        return says

    def wait(self, seconds: float) -> int:
        """How often it spoke meanwhile."""
        before, until_s = len(self.said), self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += STEP_S
            self.look()
        return len(self.said) - before

    def change(self, **changed: object) -> None:
        self.health = self.health.model_copy(update=changed)


def line() -> Line:
    return Line(
        Health(at_ns=1, cashbox_minor=0, change_low=False, disk_free_mb=900, temperatures={"top": 4.0})
    )


def test_a_connection_begins_with_a_health_and_a_new_one_does_again() -> None:
    s = line()
    assert len(s.said) == 1
    s.pace.connected()
    assert s.look()


def test_door_lockout_and_faults_are_said_at_once() -> None:
    s = line()
    s.wait(20)
    s.urgent = 1
    assert s.look()


def test_a_door_that_bounces_is_said_once_in_a_while_and_then_as_it_is() -> None:
    s = line()
    for moment in range(200):
        s.urgent = moment % 2
        s.now_s += 0.1
        s.look()
    assert len(s.said) <= 1 + 20 / AT_ONCE_GAP_S
    s.wait(AT_ONCE_GAP_S)
    assert s.said[-1][2] == s.urgent


def test_what_an_operator_acts_on_waits_a_minute() -> None:
    s = line()
    s.change(change_low=True)
    assert s.wait(QUIET_S - 1) == 0
    assert s.wait(1) == 1


def test_money_alone_waits_five_minutes() -> None:
    s = line()
    s.change(cashbox_minor=100)
    assert s.wait(MONEY_S - 1) == 0
    assert s.wait(1) == 1


def test_a_sale_a_minute_all_day_is_a_health_each_five() -> None:
    s = line()
    for sale in range(600):
        s.change(cashbox_minor=sale * 100, disk_free_mb=900 - sale, temperatures={"top": 4.0 + sale % 3})
        s.wait(60)
    assert len(s.said) <= 1 + 600 * 60 / MONEY_S


def test_nothing_new_is_said_each_quarter_of_an_hour() -> None:
    s = line()
    s.change(temperatures={"top": 9.0}, disk_free_mb=1)
    assert s.wait(REPEAT_S - 1) == 0
    assert s.wait(1) == 1
    assert s.said[-1][1].temperatures == {"top": 9.0}


CHANGES = st.tuples(
    st.sampled_from(["urgent", "change_low", "cashbox_minor", "disk_free_mb"]), st.integers(0, 3)
)


@given(st.lists(st.tuples(st.floats(0.0, 400.0), CHANGES), max_size=40))
def test_the_limits_hold_in_every_story_and_the_end_is_known(
    story: list[tuple[float, tuple[str, int]]],
) -> None:
    s = line()
    for seconds, (what, value) in story:
        s.wait(seconds)
        if what == "urgent":
            s.urgent = value
        else:
            s.change(**{what: bool(value % 2) if what == "change_low" else value})
    for (before_s, before, urgent), (after_s, after, urgent_after) in zip(s.said, s.said[1:], strict=False):
        gap_s = after_s - before_s
        assert gap_s >= AT_ONCE_GAP_S
        if urgent == urgent_after:
            assert gap_s >= QUIET_S
            if before.change_low == after.change_low:
                assert gap_s >= MONEY_S
    s.wait(MONEY_S + QUIET_S)
    assert (s.said[-1][1].cashbox_minor, s.said[-1][1].change_low, s.said[-1][2]) == (
        s.health.cashbox_minor,
        s.health.change_low,
        s.urgent,
    )
    assert s.wait(REPEAT_S) == 1
