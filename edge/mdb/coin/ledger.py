"""What the sale was told of the changer's coins: every event that moves coins is made here.

- `tubes` are the counts as the events told them, so they are what a sale that has read all events assumes.
- A coin is credited once for each Deposited it gets; repetitions are gone before (edge/mdb/coin/repeats.py).
- Coins that move by hand are told and never credit.
- Where PAYOUT STATUS and the count of the tubes differ, the count is believed: it can be read again, while
  the status is gone with its first answer; and the next count would show the difference as coins that came or
  went by themselves. The difference is a fault, `payout_status_differs`. Of a defective tube the count says
  nothing; there the status is believed, and without one the last good count.
"""

from collections import Counter

from edge.mdb.coin.codes import (
    COIN_TYPES,
    CREDIT_ROUTES,
    REJECTED,
    Activity,
    Deposited,
    Dispensed,
    Kind,
    Slugs,
    Status,
    Tubes,
    Unknown,
    by_mask,
    defective_tubes,
)
from edge.mdb.peripheral import Faults
from edge.sale.events import (
    ChangerReady,
    CoinIn,
    CoinsLoaded,
    CoinsTaken,
    DriverEvent,
    Lever,
    PayoutEnded,
    Route,
)

NONE = (0,) * COIN_TYPES


class Ledger:
    def __init__(self, faults: Faults, counts: Counter[str]) -> None:
        self._faults = faults
        self._counts = counts
        self.values = NONE
        self.tubes = NONE
        self._before = NONE  # the payout's start, with the coins that came and went since by other ways
        self._reported: tuple[int, ...] | None = None  # by PAYOUT STATUS

    def ready(self, counted: Tubes, fitted: frozenset[int]) -> list[DriverEvent]:
        full = frozenset(by_mask(counted.full_mask)).difference(defective_tubes(counted))
        self.tubes = counted.counts
        return [ChangerReady(self.values, self.tubes, fitted, full)]

    def activity(self, activity: Activity) -> list[DriverEvent]:
        match activity:
            case Deposited(coin, routing, in_tube) if routing in CREDIT_ROUTES:
                return self._deposited(coin, CREDIT_ROUTES[routing], in_tube)
            case Deposited(routing=routing):
                self._counts["coins_rejected" if routing == REJECTED else "activities_unknown"] += 1
            case Dispensed(coin, count, in_tube):
                taken = _with(NONE, coin, count)
                self._before = _minus(self._before, taken)
                self.tubes = _with(self.tubes, coin, in_tube)
                return [CoinsTaken(taken, self.tubes)]
            case Slugs(count):
                self._counts["slugs"] += count
            case Unknown():
                self._counts["activities_unknown"] += 1
            case Status(kind=Kind.LEVER):
                return [Lever()]
            case Status(name=name, kind=Kind.OCCURRENCE):
                return [*self._faults.occurred("reported", name)]
            case Status():
                pass  # busy, state and reset are the whole reply's business
        return []

    def loaded(self, coins: tuple[int, ...]) -> list[DriverEvent]:
        if not any(coins):
            return []
        self._before, self.tubes = _plus(self._before, coins), _plus(self.tubes, coins)
        return [CoinsLoaded(coins, self.tubes)]

    def taken(self, coins: tuple[int, ...]) -> list[DriverEvent]:
        if not any(coins):
            return []
        self._before, self.tubes = _minus(self._before, coins), _minus(self.tubes, coins)
        return [CoinsTaken(coins, self.tubes)]

    # A payout

    def fits(self, assumed: tuple[int, ...]) -> bool:
        """No tube has fewer coins than assumed; the sale may not have read of one that fell in."""
        return all(have >= want for have, want in zip(self.tubes, assumed, strict=False))

    def payout_began(self) -> None:
        self._before, self._reported = self.tubes, None

    def payout_reported(self, coins: tuple[int, ...]) -> None:
        self._reported = _plus(self._reported or NONE, coins)

    def payout_ended(self, counted: Tubes) -> list[DriverEvent]:
        """The counts to take for the payout, and at once those in force where they are others."""
        counts, defective = counted.counts, defective_tubes(counted)
        believed = counts
        for coin in defective:
            before, reported = self._before[coin], self._reported
            kept = self.tubes[coin] if reported is None else max(0, before - reported[coin])
            believed = _with(believed, coin, kept)
        events: list[DriverEvent] = []
        if self._reported is not None and _minus(self._before, self._reported) != believed:
            events += self._faults.occurred("reported", "payout_status_differs")
        self.tubes = counts
        events.append(PayoutEnded(believed))
        return events if believed == counts else [*events, PayoutEnded(counts)]

    def _deposited(self, coin: int, route: Route, in_tube: int) -> list[DriverEvent]:
        if not self.values[coin]:
            return [*self._faults.occurred("reported", "coin_without_value")]
        self.tubes = _with(self.tubes, coin, in_tube)
        if route is Route.TUBE:
            self._before = _plus(self._before, _with(NONE, coin, 1))
        return [CoinIn(coin, self.values[coin], route, in_tube)]


def _with(coins: tuple[int, ...], coin: int, count: int) -> tuple[int, ...]:
    return (*coins[:coin], count, *coins[coin + 1 :])


def _plus(coins: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(coins, more, strict=True))


def _minus(coins: tuple[int, ...], less: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(max(0, a - b) for a, b in zip(coins, less, strict=True))
