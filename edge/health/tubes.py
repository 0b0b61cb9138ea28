"""How full the tubes are. Their counts are the sale's; what the changer told beside them is kept here.

No changer says how many coins a tube takes. One that is full shows it: by the changer's word at its start, or
when a coin that has a tube goes to the cash box.
"""

from collections.abc import Iterator

from edge.sale import events as ev
from edge.sale.collection import tube_counts
from edge.sale.state import State
from shared.messages import TubeLevel


class TubesSeen:
    def __init__(self) -> None:
        self._fitted: frozenset[int] = frozenset()  # coin types
        self._rooms: dict[int, int] = {}  # coins in a tube that was full
        self._values_minor: tuple[int, ...] = ()

    def heard(self, event: object) -> None:
        match event:
            case ev.ChangerReady(values_minor, tubes, fitted, full):
                if values_minor != self._values_minor:  # another changer, with tubes of its own
                    self._rooms.clear()
                self._values_minor, self._fitted = values_minor, fitted
                self._rooms.update({coin: tubes[coin] for coin in full})
            case ev.CoinIn(coin, _, ev.Route.TUBE, in_tube):
                if in_tube > self._rooms.get(coin, in_tube):
                    del self._rooms[coin]  # it was not full
            case ev.CoinIn(coin, _, ev.Route.CASHBOX, in_tube) if coin in self._fitted and in_tube:
                self._rooms[coin] = in_tube
            case _:
                pass

    def levels(self, state: State) -> Iterator[TubeLevel]:
        """One a coin: types of one value are one coin to whoever fills them."""
        counts = [max(0, count) for count in tube_counts(state)]  # as of the whole: edge/health/report.py
        types: dict[int, list[int]] = {}
        for coin, value_minor in enumerate(state.values_minor[: len(counts)]):
            if coin in self._fitted and value_minor:
                types.setdefault(value_minor, []).append(coin)
        for value_minor, coins in sorted(types.items()):
            # Counts may be a coin or two behind, and coins put in by hand may be more than were full before.
            rooms = [max(self._rooms[coin], counts[coin]) for coin in coins if coin in self._rooms]
            capacity = sum(rooms) if len(rooms) == len(coins) else None
            count = sum(counts[coin] for coin in coins)
            yield TubeLevel(coin_minor=value_minor, count=count, capacity=capacity, full=count == capacity)
