"""Tells a repeated POLL reply of the coin changer from news (MDB/ICP 4.2 appendix 3).

A changer that missed the acknowledgement sends its reply again, perhaps with more behind it. So after each
reply that told something the changer is polled again at once, and what is repeated then is no news: no second
coin can pass an acceptor so soon. A repetition that is seen later, because the poll in between was not
answered, is known by the tube count, which a new coin raises. Where that tells nothing (coin to the cashbox,
count at its end) the customer gets the credit: a coin too many shows in the books, a coin swallowed does not.
"""

from collections import Counter
from collections.abc import Sequence

from edge.mdb.coin_codes import CREDIT_ROUTES, Activity, Deposited, Kind, Status
from edge.sale.events import Route

REPEAT_WINDOW_S = 0.100
MAX_COUNT = 255


class Repeats:
    def __init__(self) -> None:
        self._told: list[Activity] = []
        self._told_s = 0.0
        self.counts: Counter[str] = Counter()

    @property
    def expected(self) -> bool:
        """The last reply told something, so that the next may be its repetition."""
        return bool(self._told)

    def news(self, seen: Sequence[Activity], asked_s: float, now_s: float) -> list[Activity]:
        """What a reply to a POLL sent at `asked_s` tells, without what the changer says while it lasts."""
        now_told = [row for row in seen if not _is_lasting(row)]
        told, told_s = self._told, self._told_s
        self._told, self._told_s = now_told, now_s
        if not told or now_told[: len(told)] != told:
            return now_told
        if asked_s - told_s > REPEAT_WINDOW_S and not all(map(_raises_tube_count, told)):
            return now_told
        self.counts["replies_repeated"] += 1
        return now_told[len(told) :]


def _is_lasting(activity: Activity) -> bool:
    return isinstance(activity, Status) and activity.kind in {Kind.BUSY, Kind.STATE}


def _raises_tube_count(activity: Activity) -> bool:
    return (
        isinstance(activity, Deposited)
        and CREDIT_ROUTES.get(activity.routing) is Route.TUBE
        and 0 < activity.in_tube < MAX_COUNT
    )
