"""InfluxDB from the journals of the machines: what is missing there is asked for again, by signed command.

Every machine is asked which records it keeps, InfluxDB which of them it has; so whoever is killed and starts
again asks for the rest. The records come through the running cloud as they always do. Two things cannot come
back: what a machine no longer keeps, and journals before its present one. `ask` waits for a machine's answer,
`query` raises QueryError.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from cloud.points import MEASUREMENTS
from cloud.ranges import Range, count, gaps, merged, ranges_of
from cloud.rebuild.proof import Query
from shared import commands as wire

_AT_ONCE: Final = 16  # machines
_PAUSE_FIRST_S: Final = 0.25
_PAUSE_LIMIT_S: Final = 15.0
_STILL: Final = 6  # looks without a new record, the machine owing some: it is offline, or the cloud is

Ask = Callable[[str, wire.Action], Awaitable[Mapping[str, Any]]]
Sleep = Callable[[float], Awaitable[None]]
_T = TypeVar("_T")
_FROM: Final = ", ".join(f'"{kind}"' for kind in MEASUREMENTS)


@dataclass(slots=True)
class Wanted:
    """One machine. `trouble`: why nothing can be asked of it. `missing`: records that it keeps and InfluxDB
    has not. `gone`: records before `kept_from` that are in neither.
    """

    machine: str
    epoch: str = ""
    kept_from: int = 1
    last: int = 0
    gone: int = 0
    missing: list[Range] = field(default_factory=list)
    trouble: str = ""


async def look(machine: str, ask: Ask, query: Query) -> Wanted:
    answer = await ask(machine, wire.Support())
    wanted = Wanted(machine)
    if answer["state"] != "done":
        why = answer["text"] or "is it online, and does `vend-cloud run` work?"
        wanted.trouble = f"{answer['state']}: {why}"
        return wanted
    said = answer["result"]
    if "kept_from" not in said:
        wanted.trouble = "its program does not say which records it keeps: upgrade it"
        return wanted
    wanted.epoch, wanted.kept_from, wanted.last = said["epoch"], said["kept_from"], said["last_seq"]
    there = await _there(query, wanted, 1, wanted.last)
    wanted.missing = list(gaps(there, wanted.kept_from, wanted.last))
    wanted.gone = count(gaps(there, 1, wanted.kept_from - 1))
    return wanted


async def _there(query: Query, wanted: Wanted, first: int, last: int) -> list[Range]:
    """Numbers that InfluxDB has between these, a bounded question at a time."""
    found: list[Range] = []
    for start in range(first, last + 1, wire.MAX_RESEND):
        rows = await query(
            f'SELECT "seq" FROM {_FROM} WHERE "machine" = \'{wanted.machine}\' '  # noqa: S608  # strict patterns
            f'AND "epoch" = \'{wanted.epoch}\' AND "seq" >= {start} '
            f'AND "seq" <= {min(last, start + wire.MAX_RESEND - 1)}'
        )
        found += ranges_of({row["seq"] for row in rows})
    return merged(found)


async def fetch(
    wanted: Wanted,
    ask: Ask,
    query: Query,
    tell: Callable[[int], None],
    *,
    everything: bool = False,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Ask for what is missing, and wait until it is there; what did not come stays in `missing`.

    `tell`: how many more records came. `everything`: also what InfluxDB has, so that the archive gets it.
    """
    left: list[Range] = []
    kept = [(wanted.kept_from, wanted.last)] if wanted.last >= wanted.kept_from else []
    for span in _spans(kept if everything else wanted.missing):
        first, last = span[0][0], span[-1][1]
        answer = await ask(wanted.machine, wire.Resend(epoch=wanted.epoch, first=first, last=last))
        if answer["state"] == "done":
            left += await _arrival(wanted, span, ask, query, tell, sleep, everything=everything)
        else:
            wanted.trouble = f"resend {first}..{last}: {answer['state']} {answer['text'] or ''}".rstrip()
            left += [part for part in wanted.missing if first <= part[1] and part[0] <= last]
    wanted.missing = merged(left)


async def _arrival(
    wanted: Wanted,
    span: Sequence[Range],
    ask: Ask,
    query: Query,
    tell: Callable[[int], None],
    sleep: Sleep,
    *,
    everything: bool,
) -> list[Range]:
    """What is still missing of a span when the machine owes nothing more, or when nothing comes any more."""
    left, still, owed, pause_s = list(span), 0, -1, _PAUSE_FIRST_S
    while True:
        there = await _there(query, wanted, span[0][0], span[-1][1])
        now_left = [gap for first, last in span for gap in gaps(there, first, last)]
        came = count(left) - count(now_left)
        tell(came)
        left = now_left
        if owed == 0 or not (left or everything):
            return left
        still = 0 if came else still + 1
        if still > 1:
            answer = await ask(wanted.machine, wire.Support())
            before, owed = owed, answer["result"]["owed"] if answer["state"] == "done" else -1
            if 0 <= owed < before:  # it sends, though InfluxDB had these
                still = 1
        if still > _STILL:
            wanted.trouble = "records stopped coming: when it is online again, start this again"
            return left
        pause_s = _PAUSE_FIRST_S if came else min(_PAUSE_LIMIT_S, pause_s * 2)
        await sleep(0.0 if owed == 0 else pause_s)


def _spans(missing: Sequence[Range]) -> Iterator[list[Range]]:
    """As many ranges as one command's numbers may cover."""
    span: list[Range] = []
    for first, last in missing:
        for start in range(first, last + 1, wire.MAX_RESEND):
            part = start, min(last, start + wire.MAX_RESEND - 1)
            if span and part[1] - span[0][0] >= wire.MAX_RESEND:
                yield span
                span = []
            span.append(part)
    if span:
        yield span


async def at_once(work: Sequence[Awaitable[_T]]) -> list[_T]:
    """All of it, some machines at a time, in order."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(part: Awaitable[_T]) -> _T:
        async with room:
            return await part

    return await asyncio.gather(*map(one, work))
