"""What is on the way fits the line: whatever its speed, everything gets through and nothing is given up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.pace import FIRST_BYTES, LEAST_BYTES, MOST_BYTES, SILENCE_LIMIT_S, SILENCE_S, Pace
from shared.settings import MqttSettings

STATUS_BYTES = 400  # what each connection begins with
KEEPALIVE_S = MqttSettings().keepalive_s


class Line:
    """One direction of a link: so many bytes a second, and each PUBACK so much later."""

    def __init__(self, bytes_s: float, latency_s: float) -> None:
        self.bytes_s = bytes_s
        self.latency_s = latency_s
        self.now_s = 0.0
        self.free_s = 0.0  # when the last byte has left
        self.coming: list[tuple[float, int]] = []
        self.pace = Pace()
        self.drops = 0
        self.longest_s = 0.0

    def send(self, size: int) -> None:
        token = self.pace.sent(size, self.now_s)
        self.free_s = max(self.free_s, self.now_s) + size / self.bytes_s
        self.coming.append((self.free_s + self.latency_s, token))

    def next(self) -> None:
        """Whatever comes first: a PUBACK, or the end of the patience."""
        dead_s = self.pace.dead_s()
        assert dead_s is not None
        at_s, token = self.coming[0]
        if dead_s < at_s:
            self.now_s = dead_s
            assert self.pace.is_dead(dead_s)
            assert not self.pace.is_dead(dead_s + 1_000)
            self.drops += 1
            self.pace.disconnected()
            self.coming.clear()
            self.free_s = self.now_s
        else:
            self.now_s = at_s
            del self.coming[0]
            took_s = self.pace.acked(token, at_s)
            assert took_s is not None
            self.longest_s = max(self.longest_s, took_s)

    def upload(self, size: int) -> None:
        """So many bytes, in messages as large as there is room; what is lost is sent again."""
        left = size
        while left > 0:
            while (room := self.pace.room_bytes()) and left > 0:
                self.send(min(room, left))
                left -= min(room, left)
            before = self.drops
            self.next()
            left = size if self.drops > before else left


@pytest.mark.parametrize("bytes_s", [300, 1_000, 5_000, 12_000, 100_000, 10_000_000])
def test_a_slow_line_is_never_given_up(bytes_s: int) -> None:
    line = Line(bytes_s, 0.05)
    line.send(STATUS_BYTES)
    line.upload(100_000)
    assert line.drops == 0
    assert line.longest_s < KEEPALIVE_S / 2, "paho's pings wait as long"


def test_a_slow_line_is_used_well() -> None:
    line = Line(300, 0.05)
    line.upload(100_000)
    assert line.now_s < 1.2 * 100_000 / 300


def test_a_fast_line_soon_takes_all() -> None:
    line = Line(10_000_000, 0.01)
    line.upload(4_000_000)
    assert line.now_s < 2 * 4_000_000 / 10_000_000


def test_a_long_way_costs_a_few_connections_and_is_remembered() -> None:
    line = Line(20_000, 10.0)
    line.send(450)
    while not line.longest_s:
        if not line.coming:
            line.send(450)
        line.next()
    assert line.drops <= 2
    before = line.drops
    for _ in range(10):
        line.pace.disconnected()
        line.send(450)
        line.next()
    assert line.drops == before


def test_a_long_way_is_not_taken_for_a_slow_line() -> None:
    line = Line(20_000, 10.0)
    line.upload(100_000)
    assert line.now_s < 100
    assert line.drops <= 1


def test_a_line_that_becomes_slow_is_not_given_up() -> None:
    line = Line(1_000_000, 0.02)
    line.upload(1_000_000)
    line.bytes_s = 150_000
    line.upload(1_000_000)
    assert line.drops == 0


def test_a_dead_connection_is_noticed_soon_after_a_sale() -> None:
    pace = Pace()
    assert pace.dead_s() is None
    pace.sent(450, 100.0)
    dead_s = pace.dead_s()
    assert dead_s is not None
    assert SILENCE_S < dead_s - 100.0 < 4
    pace.heard(101.0)
    assert pace.dead_s() == dead_s + 1.0
    assert not pace.is_dead(dead_s)


def test_patience_has_an_end() -> None:
    pace = Pace()
    for _ in range(20):
        pace.sent(FIRST_BYTES, 0.0)
        assert pace.is_dead(SILENCE_LIMIT_S)
        pace.disconnected()


def test_what_came_by_an_earlier_connection_is_no_answer() -> None:
    pace = Pace()
    token = pace.sent(100, 0.0)
    pace.disconnected()
    pace.sent(100, 0.0)
    assert pace.acked(token, 0.1) is None
    assert pace.dead_s() is not None


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(1, 70_000), st.floats(0, 100), st.booleans())))
def test_there_is_room_whenever_nothing_is_on_the_way(steps: list[tuple[int, float, bool]]) -> None:
    pace, now_s = Pace(), 0.0
    for size, took_s, is_lost in steps:
        token = pace.sent(size, now_s)
        now_s += took_s
        if is_lost:
            pace.disconnected()
        else:
            assert pace.acked(token, now_s) == pytest.approx(took_s)
        assert LEAST_BYTES <= pace.room_bytes() <= MOST_BYTES
        assert pace.dead_s() is None
