"""Records whose number is stored already: the same ones again, or a copied journal's.

A machine sends again what it got no receipt for, so nearly all are the same. But a journal that was copied
(a restored backup, a cloned card) gives its next numbers a second time. What is the same has its point in the
database at its own time. What has not, while another record has its number, must neither be confirmed nor
stored: its machine gives it a new number in a new journal.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from cloud.batch import Line
from cloud.points import MEASUREMENTS

_NEARBY: Final = 1_000  # numbers: records farther apart are asked for apart

Query = Callable[[str], Awaitable[list[dict[str, Any]]]]


async def taken(lines: Sequence[Line], query: Query) -> list[Line]:
    """Those of `lines` whose number another record has. `query`: InfluxQL; what it raises is raised."""
    found: list[Line] = []
    for (machine, epoch), of_journal in groupby(sorted(lines, key=_key), key=lambda line: _key(line)[:2]):
        for group in _groups(of_journal):
            found += await _taken(machine, epoch, group, query)
    return found


async def _taken(machine: str, epoch: str, group: Sequence[Line], query: Query) -> list[Line]:
    journal = f"\"machine\" = '{machine}' AND \"epoch\" = '{epoch}'"
    times = [line.at_ns for line in group]
    kinds = {line.text.partition(",")[0] for line in group}
    rows = await query(
        f'SELECT "seq" FROM {_from(kinds)} WHERE {journal} '  # noqa: S608  # ids of a strict pattern
        f"AND time >= {min(times)} AND time <= {max(times)}"
    )
    there = {(row["time"], row["seq"]) for row in rows}
    others = [line for line in group if (line.at_ns, _key(line)[2]) not in there]
    if not others:
        return []
    first, last = (_key(others[end])[2] for end in (0, -1))
    rows = await query(
        f'SELECT "seq" FROM {_from(MEASUREMENTS)} WHERE {journal} '  # noqa: S608  # the same
        f'AND "seq" >= {first} AND "seq" <= {last}'
    )
    numbers = {row["seq"] for row in rows}
    return [line for line in others if _key(line)[2] in numbers]


def _groups(lines: Iterable[Line]) -> Iterator[list[Line]]:
    group: list[Line] = []
    for line in lines:
        if group and _key(line)[2] - _key(group[-1])[2] > _NEARBY:
            yield group
            group = []
        group.append(line)
    yield group


def _from(measurements: Collection[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(measurements))


def _key(line: Line) -> tuple[str, str, int]:
    assert line.key is not None
    return line.key
