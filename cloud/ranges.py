"""Sets of record numbers as inclusive ranges, in order, of which no two touch. Pure."""

from collections.abc import Collection, Iterable, Iterator

Range = tuple[int, int]


def ranges_of(numbers: Collection[int]) -> tuple[Range, ...]:
    ranges: list[Range] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return tuple(ranges)


def gaps(ranges: Iterable[Range], first: int, last: int) -> Iterator[Range]:
    """What the ranges leave out between `first` and `last`, both included."""
    at = first
    for low, high in ranges:
        if low > last:
            break
        if low > at:
            yield at, low - 1
        at = max(at, high + 1)
    if at <= last:
        yield at, last


def count(ranges: Iterable[Range]) -> int:
    return sum(last - first + 1 for first, last in ranges)
