"""The fleet desk: plan a change, make it, take it back, and let every machine's messages follow.

Works on its own connection and never holds more than one page of machines. `survey` computes what each
machine would get; `settle` writes it. Both may be broken off and begun anew at any time: what is there
already is not written again. Raises StoreError, in the operator's words, for what cannot be done.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cloud.database import StoreError
from cloud.wanted import book, words
from cloud.wanted.plan import Key, Plan, assembled
from cloud.wanted.resolve import CannotResolveError, Known, Resolved, resolve
from shared import topics
from shared.messages import Config, PriceList, Reported, Stock

_ALIKE: Final = 256  # messages that are read once for all machines of which the same is wanted

Progress = Callable[[int], None]  # machines done since the last call


@dataclass(frozen=True, slots=True)
class Outcome:
    """One machine under a plan: what is wanted of it now, `before`, and what would be."""

    machine: str
    known: Known
    applied_config: int
    before: Resolved
    after: Resolved | None
    impossible: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A change that was looked at: of the plan as of change `seen`."""

    seen: int
    changes: Mapping[Key, tuple[str | None, str | None]]
    plan: Plan
    report: words.Report
    machines: Sequence[str] | None  # those that it can touch; None: any


def current(db: sqlite3.Connection) -> tuple[int, Plan]:
    number, entries = book.entries(db)
    return number, assembled(entries)


def draft(db: sqlite3.Connection, edit: Callable[[Plan], Plan], progress: Progress) -> Draft:
    """What an edit of today's plan would do, in words and by entry."""
    seen, entries = book.entries(db)
    before = assembled(entries)
    plan = edit(before)
    new = plan.entries()
    changes = {
        key: (entries.get(key), new.get(key))
        for key in sorted(entries.keys() | new.keys())
        if entries.get(key) != new.get(key)
    }
    report = words.Report()
    for doubt in words.plan_doubts(before, plan):
        report.doubts[doubt] = []
    machines = _touched(changes)
    if changes:
        for outcome in survey(db, plan, machines, progress):
            _tell(report, outcome, before)
    return Draft(seen, changes, plan, report, machines)


def _touched(changes: Mapping[Key, object]) -> list[str] | None:
    kinds = {kind for kind, _ in changes}
    return [name for _, name in changes] if kinds == {"machine"} else None


def _tell(report: words.Report, outcome: Outcome, plan: Plan) -> None:
    if outcome.after is None:
        report.impossible[outcome.impossible].append(outcome.machine)
        return
    had, lines = outcome.before.prices or outcome.known.applied, []
    after = outcome.after
    if after.prices is not None:
        lines += list(words.price_lines(had, after.prices))
        for doubt in words.price_doubts(had, after.prices):
            report.doubts[doubt].append(outcome.machine)
    prices = after.prices or had
    lines += list(words.config_lines(outcome.before.config, after.config, prices.currency if prices else ""))
    if lines:
        report.changes[tuple(lines)].append(outcome.machine)
    news = set(after.doubts) - set(_doubts_of(plan, outcome))
    for doubt in (*sorted(news), *words.machine_doubts(outcome.before.config, after.config)):
        report.doubts[doubt].append(outcome.machine)


def _doubts_of(plan: Plan, outcome: Outcome) -> tuple[str, ...]:
    """Those that today's plan has already: nobody is asked about them again."""
    if not (outcome.after and outcome.after.doubts):
        return ()
    try:
        return resolve(plan, outcome.machine, outcome.known).doubts
    except CannotResolveError:
        return ()


def make(db: sqlite3.Connection, draft: Draft, who: str, what: str, at_ns: int, *, force: bool) -> int:
    """Write the change down; `settle` follows. Returns its number. Raises StoreError where it is refused.

    `force`: although something looks like a mistake; what is impossible stays so.
    """
    report = draft.report
    if report.impossible or (report.doubts and not force):
        raise StoreError("\n".join(("nothing was changed:", *_refusals(report))))
    return book.write(db, draft.seen, draft.changes, who, what, at_ns)


def _refusals(report: words.Report) -> Iterator[str]:
    yield from (f"  {words.named(who)}: {why}" for why, who in report.impossible.items())
    yield from (
        f"  {words.named(who)}: {why} (--force does it all the same)" for why, who in report.doubts.items()
    )


def undone(db: sqlite3.Connection, number: int | None) -> tuple[int, Callable[[Plan], Plan]]:
    """Which change is taken back, by default the last, and the edit that does it: all is as before it.

    Raises StoreError if there is nothing to undo, or something of it was changed again since.
    """
    last = book.last_change(db)
    number = number if number is not None else last
    if not last:
        raise StoreError("nothing was ever changed")
    changes = book.changed(db, number)
    since = book.changes_since(db, number, changes)
    if since:
        (kind, name), later = next(iter(sorted(since.items())))
        raise StoreError(f"change {later} changed {kind} {name} again since; undo that one first")

    def edit(plan: Plan) -> Plan:
        entries = plan.entries()
        for key, (before, _) in changes.items():
            entries.pop(key, None)
            if before is not None:
                entries[key] = before
        return assembled(entries)

    return number, edit


# --- every machine ------------------------------------------------------------------------------------------


def survey(
    db: sqlite3.Connection, plan: Plan, machines: Sequence[str] | None, progress: Progress
) -> Iterator[Outcome]:
    for rows in _pages(db, machines):
        for row in rows:
            yield _outcome(plan, row)
        progress(len(rows))


def settle(
    db: sqlite3.Connection, machines: Sequence[str] | None, at_ns: int, progress: Progress
) -> Iterator[book.Message]:
    """Let messages follow from the plan; yields those that are new. A plan that changes begins it anew."""
    while True:
        seen, plan = current(db)
        try:
            for rows in _pages(db, machines):
                outcomes = [_outcome(plan, row) for row in rows]
                messages = [message for outcome in outcomes for message in _messages(outcome)]
                priced = {m.machine for m in messages if m.topic == topics.PRICES.name}
                owns = [own for row in rows for own in _own(row, priced)]
                if owns or messages:
                    book.put(db, seen, owns, messages, at_ns)
                progress(len(rows))
                yield from messages
        except book.StaleError:
            continue
        if machines is None or book.is_settled(db, seen - 1):
            book.settled(db, seen)
        return


def _pages(db: sqlite3.Connection, machines: Sequence[str] | None) -> Iterator[list[book.Row]]:
    if machines is not None:
        for n in range(0, len(machines), book.PAGE):
            yield book.some(db, json.dumps(machines[n : n + book.PAGE]))
        return
    after = ""
    while rows := book.page(db, after):
        yield rows
        after = rows[-1].machine


def _outcome(plan: Plan, row: book.Row) -> Outcome:
    reported = Reported.model_validate_json(row.reported) if row.reported else None
    known = Known(
        wanted=row.prices is not None,
        own=_price_list(row.own),
        applied=reported.prices if reported else None,
        products={} if plan.planogram(row.machine) else _products(row.stock),
    )
    before = Resolved(
        prices=_price_list(row.prices),
        config=_config(row.config),
    )
    version = reported.config_version if reported else 0
    try:
        return Outcome(row.machine, known, version, before, resolve(plan, row.machine, known))
    except CannotResolveError as error:
        return Outcome(row.machine, known, version, before, None, str(error))


@lru_cache(maxsize=_ALIKE)
def _price_list(text: str | None) -> PriceList | None:
    return PriceList.model_validate_json(text) if text else None


@lru_cache(maxsize=_ALIKE)
def _config(text: str | None) -> Config | None:
    return Config.model_validate_json(text) if text else None


def _products(text: str | None) -> Mapping[str, str]:
    if text is None:
        return {}
    return {slot: s.wanted or s.product for slot, s in Stock.model_validate_json(text).slots.items()}


def _own(row: book.Row, priced: set[str]) -> Iterator[tuple[str, str | None]]:
    """The machine was looked at; before its first list is wanted, what it has itself is kept."""
    if row.reported and row.machine in priced and row.own is None:
        yield row.machine, Reported.model_validate_json(row.reported).prices.model_dump_json()
    elif not row.is_known and (row.reported or row.machine in priced):
        yield row.machine, None


def _messages(outcome: Outcome) -> Iterator[book.Message]:
    """Those whose content is another than what is wanted now, or in force where nothing was wanted yet."""
    after, before = outcome.after, outcome.before
    if after is None:
        return
    had = before.prices or outcome.known.applied
    if after.prices is not None and (had is None or _same(had) != after.prices):
        versions = (p.version for p in (before.prices, outcome.known.applied) if p is not None)
        yield _message(topics.PRICES, outcome.machine, after.prices, max(versions, default=0) + 1)
    config = after.config or Config(version=0)
    had_config = before.config or Config(version=0)
    if _same(had_config) != config:
        version = max(had_config.version, outcome.applied_config) + 1
        yield _message(topics.CONFIG, outcome.machine, config, version)


def _same(message: PriceList | Config) -> PriceList | Config:
    return message.model_copy(update={"version": 0})


def _message(topic: topics.Topic, machine: str, content: PriceList | Config, version: int) -> book.Message:
    payload = content.model_copy(update={"version": version}).model_dump_json()
    return book.Message(topic.name, machine, version, payload)
