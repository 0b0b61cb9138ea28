"""How much may be on its way to the broker, and when its silence means that the connection is dead.

All messages count that the broker acknowledges: they share one line, and a sale waits behind a stock list. A
connection begins with little and is given more as it takes what it has (slow start, RFC 5681 section 3.1),
so that what is on the way never takes long, whatever the link: paho's own pings wait behind it, too. How long
the broker may be silent follows from what is on the way. Measured with one limit of 2 s for all sizes: 20
records were never through a link of 300 bytes/s, as each try was given up and the next one began again.

No I/O; time is an argument.
"""

from dataclasses import dataclass, field
from math import inf
from typing import Final

FIRST_BYTES: Final = 2_048  # five sales: 7 s of the slowest link
LEAST_BYTES: Final = 512  # one record, and room for its topic
MOST_BYTES: Final = 512 * 1024
SLOWEST_BYTES_S: Final = 300
PROMPT_S: Final = 1.0  # what waited no longer than this leaves room for more
SLUGGISH_S: Final = 4.0  # and what waited longer was too much
SILENCE_S: Final = 2.0  # beside the time that the bytes take
SILENCE_LIMIT_S: Final = 60.0
_SLOWDOWN: Final = 8  # a line may become this many times slower without being given up


@dataclass(slots=True)
class Pace:
    """One machine's line. It keeps over connections what it learned of long ways."""

    _next_token: int = 1
    _window_bytes: int = FIRST_BYTES
    _on_way: dict[int, tuple[int, float]] = field(default_factory=dict)  # bytes and when, by token
    _on_way_bytes: int = 0
    _heard_s: float = 0.0
    _took_s: float = 0.0  # the last acknowledgement
    _way_s: float = inf  # the quickest one of this connection: the way alone, without waiting
    _silences: int = 0  # in a row
    _given_up: bool = False

    def disconnected(self) -> None:
        """What was on its way is gone, and the next connection may be by another link."""
        self._on_way.clear()
        self._on_way_bytes = 0
        self._window_bytes = min(self._window_bytes, FIRST_BYTES)
        self._way_s = inf
        self._given_up = False

    def sent(self, size: int, now_s: float) -> int:
        """A message of `size` bytes leaves; returns the token that comes back with its PUBACK."""
        token, self._next_token = self._next_token, self._next_token + 1
        if not self._on_way:
            self._heard_s = now_s
        self._on_way[token] = size, now_s
        self._on_way_bytes += size
        return token

    def acked(self, token: int, now_s: float) -> float | None:
        """A PUBACK came; returns how long after its message, None for one of an earlier connection."""
        if token not in self._on_way:
            return None
        size, sent_s = self._on_way.pop(token)
        self._on_way_bytes -= size
        self._silences = 0
        self._took_s = now_s - sent_s
        self._way_s = min(self._way_s, self._took_s)
        waited_s = self._took_s - self._way_s
        if waited_s <= PROMPT_S:
            self._window_bytes = min(MOST_BYTES, self._window_bytes + size)
        elif waited_s > SLUGGISH_S:
            self._window_bytes = max(LEAST_BYTES, self._window_bytes // 2)
        self.heard(now_s)
        return self._took_s

    def heard(self, now_s: float) -> None:
        """Something came: the connection lives."""
        self._heard_s = now_s

    def room_bytes(self) -> int:
        """How large the next message may be; 0 where it would be a crumb, or too much."""
        left = self._window_bytes - self._on_way_bytes
        return left if left * 4 >= self._window_bytes else 0

    def dead_s(self) -> float | None:
        """When the connection is dead unless something comes; None where nothing is waited for."""
        if not self._on_way or self._given_up:
            return None
        bytes_s = max(SLOWEST_BYTES_S, self._window_bytes / _SLOWDOWN)
        wait_s = max(SILENCE_S + self._on_way_bytes / bytes_s, 2 * self._took_s)
        return self._heard_s + min(SILENCE_LIMIT_S, wait_s * (1 << self._silences))

    def is_dead(self, now_s: float) -> bool:
        """Said once of a connection. The next one is given twice the time, for ways that are long."""
        dead_s = self.dead_s()
        if dead_s is None or now_s < dead_s:
            return False
        self._silences = min(self._silences + 1, 10)
        self._given_up = True
        return True
