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


def merged(ranges: Iterable[Range]) -> list[Range]:
    """One set of what may overlap or touch, in any order."""
    result: list[Range] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def clusters(ranges: Iterable[Range], apart: int) -> Iterator[list[Range]]:
    """Ordered ranges in groups, a new one where the next is farther than `apart`."""
    group: list[Range] = []
    for first, last in ranges:
        if group and first - group[-1][1] > apart:
            yield group
            group = []
        group.append((first, last))
    if group:
        yield group


def within(numbers: Iterable[int], ranges: Iterable[Range]) -> set[int]:
    """Those of some ordered numbers that lie in ordered ranges."""
    found: set[int] = set()
    left = iter(ranges)
    first, last = next(left, (0, -1))
    for number in numbers:
        while last < number and (following := next(left, None)) is not None:
            first, last = following
        if first <= number <= last:
            found.add(number)
    return found


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
