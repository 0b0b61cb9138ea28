"""What the worker knows from one round to the next: the sales that it wrote last, and when the latest hour's
turn is.

Of an hour that it looked at in this round or the last: a number for the sales of each machine, because a
round may have many hours.
"""

from collections.abc import Collection, Mapping

from cloud.rollups.dirty import Dirty
from cloud.rollups.sums import Fields, Key


class Written:
    """`rest`: how many times as long as a look at the latest hour took nobody looks at it again."""

    def __init__(self, rest: float = 0.0) -> None:
        self._rest = rest
        self._rest_until_s = 0.0
        self._before: dict[int, dict[Key, int]] = {}
        self._now: dict[int, dict[Key, int]] = {}

    def next_round(self) -> None:
        self._before, self._now = self._now, {}

    def swap(self, start_ns: int, sales: Mapping[Key, Fields]) -> Collection[Key]:
        """Whose sales are other ones than before."""
        before = self._now.get(start_ns, self._before.get(start_ns, {}))
        now = {key: hash(frozenset(fields.items())) for key, fields in sales.items()}
        self._now[start_ns] = now
        return {key for key, number in now.items() if before.get(key) != number}

    def looked(self, began_s: float, now_s: float) -> None:
        """At the latest hour."""
        self._rest_until_s = now_s + (now_s - began_s) * self._rest

    def leaves_alone(self, latest: Dirty, now_s: float) -> bool:
        """The latest hour, in this round. What was written of it stays known."""
        if now_s >= self._rest_until_s:
            return False
        if latest.start_ns in self._before:
            self._now[latest.start_ns] = self._before[latest.start_ns]
        return True
