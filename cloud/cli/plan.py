"""`vend-cloud plan`, `apply`, `export-plan`, `history`, `undo`: what is wanted, and how it came to be."""

import getpass
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from cloud.cli.common import print_table, store, when
from cloud.config import CloudSettings
from cloud.wanted import book, desk, file
from cloud.wanted.desk import Draft

_FILE = click.Path(path_type=Path, dir_okay=False)
who_option = click.option("--who", help="Who changes it, for the history; by default the user of this shell.")
force_option = click.option("--force", is_flag=True, help="Although something looks like a mistake.")


@contextmanager
def machines_done(what: str, db: sqlite3.Connection) -> Iterator[desk.Progress]:
    """A bar on a terminal, for work that grows with the fleet."""
    (total,) = db.execute("SELECT count(*) FROM machine").fetchone()
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.advance(task, done)


def carry_out(
    db: sqlite3.Connection, draft: Draft, who: str | None, what: str, *, force: bool
) -> tuple[int, list[book.Message]]:
    """Write a change down and let all messages follow. Returns its number and the messages."""
    now_ns = time.time_ns()
    number = desk.make(db, draft, who or getpass.getuser(), what, now_ns, force=force)
    with machines_done("machines follow", db) as done:
        return number, list(desk.settle(db, draft.machines, now_ns, done))


@click.command()
@click.argument("path", metavar="FILE", type=_FILE)
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def plan(settings: CloudSettings, path: Path, *, as_json: bool) -> None:
    """What `apply FILE` would change, machine by machine, and what looks like a mistake. Changes nothing.

    Exit status 1 where `apply` would refuse.
    """
    with store(settings) as opened:
        draft = _draft(opened.db, path)
    if as_json:
        click.echo(json.dumps(draft.report.as_json()))
    else:
        for line in draft.report.lines() if draft.changes else ("no difference",):
            click.echo(line)
        if draft.changes and not draft.report.changes:
            click.echo("the plan changes, and no machine gets anything else")
    if draft.report.doubts or draft.report.impossible:
        sys.exit(1)


@click.command()
@click.argument("path", metavar="FILE", type=_FILE)
@force_option
@who_option
@click.pass_obj
def apply(settings: CloudSettings, path: Path, who: str | None, *, force: bool) -> None:
    """Want what FILE says, and nothing else."""
    with store(settings) as opened:
        draft = _draft(opened.db, path)
        if not draft.changes:
            click.echo("no difference")
            return
        number, messages = carry_out(opened.db, draft, who, f"apply {path.name}", force=force)
    click.echo(f"change {number}: {_count(messages)}")


def _draft(db: sqlite3.Connection, path: Path) -> Draft:
    wanted = file.read(path)
    with machines_done("looking at machines", db) as done:
        return desk.draft(db, lambda _plan: wanted, done)


def _count(messages: list[book.Message]) -> str:
    machines = {message.machine for message in messages}
    return f"{len(machines)} machine{'' if len(machines) == 1 else 's'} will get something new"


@click.command("export-plan")
@click.pass_obj
def export_plan(settings: CloudSettings) -> None:
    """What is wanted today, as a file for `plan` and `apply`."""
    with store(settings) as opened:
        _, wanted = desk.current(opened.db)
    click.echo(file.written(wanted), nl=False)


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.option("--limit", default=50, show_default=True)
@click.pass_obj
def history(settings: CloudSettings, limit: int, *, as_json: bool) -> None:
    """Who changed what is wanted, when and how; the newest first. Times are UTC."""
    with store(settings) as opened:
        rows = book.history(opened.db, limit)
    if as_json:
        click.echo(json.dumps([{**row, "settled": bool(row["settled"])} for row in rows]))
        return
    print_table(
        ("change", "when", "who", "what", "entries"),
        [(str(r["number"]), when(r["at_ns"]), r["who"], r["what"], str(r["entries"])) for r in rows],
    )


@click.command()
@click.argument("number", type=click.IntRange(min=1), required=False)
@who_option
@click.pass_obj
def undo(settings: CloudSettings, number: int | None, who: str | None) -> None:
    """Take change NUMBER back, or the last one: a new change, which brings back what was there before it."""
    with store(settings) as opened:
        undone, edit = desk.undone(opened.db, number)
        with machines_done("looking at machines", opened.db) as done:
            draft = desk.draft(opened.db, edit, done)
        made, messages = carry_out(opened.db, draft, who, f"undo {undone}", force=True)
    click.echo(f"change {made} undoes change {undone}: {_count(messages)}")
