"""Which coins make an amount. Pure arithmetic over known tube counts."""

from collections.abc import Sequence
from functools import lru_cache


def coins_for(amount_minor: int, values_minor: Sequence[int], tubes: Sequence[int]) -> tuple[int, ...]:
    """Coins by type, worth at most `amount_minor`, highest values first; the whole amount where it can be.

    Greedy high to low, as changers do it. Of two types of one value the higher type number goes first
    (MDB/ICP 5: pay the higher type when two have equal value). Where greed fails although the tubes could pay
    (a 50 and no 10 for 60, but three 20), one fewer of the highest is tried, and so on: at most 16 types of
    at most 255 coins, and the search stops at the first exact answer.
    """
    order = sorted(
        (t for t in range(len(values_minor)) if values_minor[t] > 0 and t < len(tubes) and tubes[t] > 0),
        key=lambda t: (values_minor[t], t),
        reverse=True,
    )
    best: dict[int, int] = {}
    exact = _exact(amount_minor, order, values_minor, tubes)
    if exact is not None:
        best = exact
    else:
        rest = amount_minor
        for t in order:
            best[t] = min(rest // values_minor[t], tubes[t])
            rest -= best[t] * values_minor[t]
    return tuple(best.get(t, 0) for t in range(len(values_minor)))


def _exact(
    amount_minor: int, order: Sequence[int], values_minor: Sequence[int], tubes: Sequence[int]
) -> dict[int, int] | None:
    dead: set[tuple[int, int]] = set()  # (rest, position) that no choice below can finish

    def pay(rest: int, position: int) -> dict[int, int] | None:
        if rest == 0:
            return {}
        if position == len(order) or (rest, position) in dead:
            return None
        t = order[position]
        for count in range(min(rest // values_minor[t], tubes[t]), -1, -1):
            below = pay(rest - count * values_minor[t], position + 1)
            if below is not None:
                return {t: count, **below}
        dead.add((rest, position))
        return None

    return pay(amount_minor, 0)


@lru_cache(maxsize=64)
def sums(values_minor: tuple[int, ...], counts: tuple[int, ...], limit_minor: int) -> int:
    """Every amount up to a limit that can be paid exactly, as the bits of one integer.

    Asked for each note and product after each step, so it is one shift for each power of two of a count.
    """
    mask = (1 << limit_minor + 1) - 1
    reachable = 1
    for value_minor, count in zip(values_minor, counts, strict=True):
        left, size = count, 1
        while left and value_minor:
            size = min(size, left)
            reachable |= reachable << size * value_minor & mask
            left -= size
            size *= 2
    return reachable


def worth(coins: Sequence[int], values_minor: Sequence[int]) -> int:
    """Value of a count of coins by type."""
    return sum(count * value for count, value in zip(coins, values_minor, strict=False))
