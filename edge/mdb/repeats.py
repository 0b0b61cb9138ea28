"""Tells a repeated POLL reply of a peripheral from news (MDB/ICP 4.2 appendix 3).

A peripheral that missed the acknowledgement sends its reply again, perhaps with more behind it. So after each
reply that told something it is polled again at once, and what is repeated then is no news: nothing happens a
second time so soon. A repetition that is seen later, because the poll in between was not answered, is known
only where something that the reply tells cannot happen twice in a row. Elsewhere the customer gets the
credit: money too much shows in the books, money swallowed does not.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Activity = TypeVar("Activity")


class Repeats(Generic[Activity]):
    def __init__(
        self,
        window_s: float,
        is_lasting: Callable[[Activity], bool],
        is_single: Callable[[Activity], bool],
    ) -> None:
        """Nothing happens twice within window_s.

        is_lasting: told at every poll while true; is_single: twice in a row is a repetition, however late.
        """
        self._window_s = window_s
        self._is_lasting = is_lasting
        self._is_single = is_single
        self._told: list[Activity] = []
        self._told_s = 0.0
        self.counts: Counter[str] = Counter()

    @property
    def expected(self) -> bool:
        """The last reply told something, so that the next may be its repetition."""
        return bool(self._told)

    def news(self, seen: Sequence[Activity], asked_s: float, now_s: float) -> list[Activity]:
        """What a reply to a POLL sent at `asked_s` tells, without what the peripheral says while it lasts."""
        now_told = [row for row in seen if not self._is_lasting(row)]
        told, told_s = self._told, self._told_s
        self._told, self._told_s = now_told, now_s
        if not told or now_told[: len(told)] != told:
            return now_told
        if asked_s - told_s > self._window_s and not any(map(self._is_single, told)):
            return now_told
        self.counts["replies_repeated"] += 1
        return now_told[len(told) :]
