"""`vend-cloud dead-letters`: what could not be stored, and `retry`, which judges it again."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import click

from cloud.cli.common import print_table, said, store, when
from cloud.config import CloudSettings
from cloud.influx import Influx
from cloud.letters import again
from cloud.ranges import ranges_of
from cloud.rebuild.whole import alone
from cloud.store import Store
from shared.progress import bar


@click.group("dead-letters", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True)
@click.option("--limit", default=50, show_default=True)
@click.pass_context
def dead_letters(context: click.Context, limit: int, *, as_json: bool) -> None:
    """Messages and records that could not be stored, and why."""
    if context.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError(f"--json belongs behind {context.invoked_subcommand}")
        return
    with store(context.obj) as opened:
        rows = opened.dead_letters(limit)
    if as_json:
        shown: list[dict[str, Any]] = [
            {**row, "digest": row["digest"].hex(), "payload": row["payload"].hex()} for row in rows
        ]
        click.echo(json.dumps(shown))
        return
    print_table(
        ("last", "times", "topic", "why", "in words"),
        [(when(r["last_at_ns"]), str(r["count"]), r["topic"], r["code"], r["reason"]) for r in rows],
    )


@dead_letters.command()
@click.option(
    "--code", "codes", multiple=True, metavar="C", help="Only letters with this code; several times."
)
@click.option("--machine", "machines", multiple=True, metavar="M", help="Only this one; several times.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def retry(settings: CloudSettings, codes: Sequence[str], machines: Sequence[str], *, as_json: bool) -> None:
    """Judge dead letters again, after an upgrade: what this version can read is stored, and its letter ends.

    `vend-cloud run` may go on; it tells the machines, which still keep these records as refused. What is
    still bad stays a dead letter, which is no error. Letters with the code `revoked` always stay.
    """
    with (
        said(),
        store(settings) as opened,
        alone(settings.data_dir / "rebuild.lock", "a rebuild or another retry is running; wait for it"),
    ):
        outcome = asyncio.run(_retry(settings, opened, machines, codes))
    stored = [
        {"machine": machine, "epoch": epoch, "records": len(numbers), "ranges": ranges_of(numbers)}
        for (machine, epoch), numbers in sorted(outcome.stored.items())
    ]
    if as_json:
        told = {"looked_at": outcome.looked_at, "ended": outcome.gone, "stored": stored, "left": outcome.left}
        click.echo(json.dumps(told))
        return
    for row in stored:
        click.echo(f"{row['machine']} {row['epoch']}: {row['records']:,} records are stored now")
    click.echo(f"{outcome.gone:,} of {outcome.looked_at:,} dead letters are over")
    for code, number in sorted(outcome.left.items()):
        click.echo(f"{number:,} are left: {code}")


async def _retry(
    settings: CloudSettings, opened: Store, machines: Sequence[str], codes: Sequence[str]
) -> again.Outcome:
    async with Influx(settings.influx) as influx:
        await influx.create_database()
        with bar("dead letters", again.count(opened.db)) as tell:
            return await again.retry(opened, influx, machines, codes, tell)
