"""`vend-cloud books`: is everything there, and does every cent agree?"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import track

from cloud import proof
from cloud.books import Books
from cloud.cli.common import print_table, store, when
from cloud.config import CloudSettings, InfluxSettings
from cloud.database import StoreError
from cloud.influx import Influx, NoDatabaseError, QueryError
from cloud.ranges import count
from cloud.report import Report, report
from cloud.twins import Query

_T = TypeVar("_T")


def ask(settings: InfluxSettings, question: Callable[[Query], Awaitable[_T]]) -> _T:
    """Put questions to InfluxDB. Raises StoreError when it does not answer."""

    async def run() -> _T:
        async with Influx(settings) as influx:
            return await question(influx.query)

    try:
        return asyncio.run(run())
    except NoDatabaseError:
        raise StoreError(
            f"InfluxDB at {settings.url} has no database {settings.database} (any more?): "
            "`vend-cloud rebuild` makes it again from the archive"
        ) from None
    except QueryError as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StoreError(f"InfluxDB at {settings.url} does not answer ({why}): is it running?") from None


@dataclass(frozen=True, slots=True)
class _Answer:
    reports: list[Report]
    tenders: dict[str, dict[str, tuple[int, int]]]  # of the day asked for, by machine


@click.command()
@click.option("--machine", help="Only this one.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="One day (UTC) closely: by tender and slot.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def books(settings: CloudSettings, machine: str | None, day: datetime | None, *, as_json: bool) -> None:
    """Every record accounted for, and the machines' own totals against InfluxDB, to the cent.

    The exit status is 1 when anything is missing, refused or does not balance.
    """
    with store(settings), closing(Books(settings.data_dir / "store.db")) as opened:
        names = [name for name in opened.machines() if machine in {None, name}]
        if machine is not None and not names:
            raise StoreError(f"{machine}: this machine was never heard; is the name right?")
        day_ns = int(day.replace(tzinfo=UTC).timestamp()) * 10**9 if day else None
        answer = ask(settings.influx, lambda query: _answer(query, opened, names, day_ns))
    if as_json:
        _print_json(answer, day_ns)
    else:
        _print(answer)
    sys.exit(any(report.trouble() for report in answer.reports))


async def _answer(query: Query, opened: Books, names: list[str], day_ns: int | None) -> _Answer:
    reports, tenders = [], {}
    console = Console(stderr=True)
    for name in track(names, "looking", console=console, transient=True, disable=not console.is_terminal):
        reports += [await report(query, account, day_ns) for account in opened.accounts(name)]
        if day_ns is not None:
            tenders[name] = await proof.tenders(query, name, day_ns)
    return _Answer(reports, tenders)


def _print_json(answer: _Answer, day_ns: int | None) -> None:
    shown = [found.as_json() for found in answer.reports]
    if day_ns is not None:
        sums = {
            machine: {tender: {"sales": n, "sold_minor": v} for tender, (n, v) in by_tender.items()}
            for machine, by_tender in answer.tenders.items()
        }
        click.echo(json.dumps({"journals": shown, "tenders": sums}))
        return
    click.echo(json.dumps(shown))


def _print(answer: _Answer) -> None:
    columns = ("machine", "journal", "last word", "stored", "complete to", "proven to", "waiting", "missing")
    print_table(
        (*columns, "refused"),
        [
            (
                found.account.machine,
                found.account.epoch if found.account.current else f"{found.account.epoch} (old)",
                when(found.account.last_heard_ns),
                str(found.account.stored),
                f"#{found.account.complete_to}",
                f"#{found.proven_to}",
                str(count(found.account.waiting)),
                str(count(found.account.missing)),
                str(count(found.account.refused)),
            )
            for found in answer.reports
        ],
    )
    if answer.tenders:
        print_table(
            ("machine", "tender", "sales", "sold, minor units"),
            [
                (machine, tender, str(n), str(v))
                for machine, by_tender in answer.tenders.items()
                for tender, (n, v) in sorted(by_tender.items())
            ],
        )
    for found in answer.reports:
        for words in found.trouble():
            click.echo(f"{found.account.machine} {found.account.epoch}: {words}")
