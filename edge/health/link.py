"""How good the way to the broker is, from times that are measured anyway. Pure; times are monotonic."""

from collections import deque
from typing import Final

DAY_S: Final = 86_400.0
MAX_RECONNECTS: Final = 1_000  # more in a day are counted as so many
ROUND_TRIPS: Final = 20


class LinkTimes:
    def __init__(self) -> None:
        self.up_s: float | None = None  # since when there is a connection
        self._reconnects_s: deque[float] = deque(maxlen=MAX_RECONNECTS)
        self._round_trips_s: deque[float] = deque(maxlen=ROUND_TRIPS)
        self._was_up = False

    def connected(self, now_s: float) -> None:
        """The first connection of a run is no reconnect."""
        if self._was_up:
            self._reconnects_s.append(now_s)
        self._was_up, self.up_s = True, now_s

    def disconnected(self) -> None:
        self.up_s = None

    def acked(self, round_trip_s: float | None) -> None:
        """None: nobody knows when that message was sent."""
        if round_trip_s is not None:
            self._round_trips_s.append(round_trip_s)

    def reconnects_24h(self, now_s: float) -> int:
        while self._reconnects_s and self._reconnects_s[0] < now_s - DAY_S:
            self._reconnects_s.popleft()
        return len(self._reconnects_s)

    @property
    def round_trip_ms(self) -> int | None:
        """The median of the last ones; an answer within the millisecond took one."""
        if not self._round_trips_s:
            return None
        return max(1, round(sorted(self._round_trips_s)[len(self._round_trips_s) // 2] * 1_000))
