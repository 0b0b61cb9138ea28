"""`vend-cloud`: the operator's command line. Data on stdout, talk on stderr; 0 ok, 1 trouble, 2 usage."""

import asyncio
import sys
from pathlib import Path

import click

from cloud import app, logs
from cloud.cli import identities
from cloud.cli.bags import collections, count_bag
from cloud.cli.books import books
from cloud.cli.commands import command, command_key, commands
from cloud.cli.common import said
from cloud.cli.csv_files import csv_files
from cloud.cli.dead_letters import dead_letters
from cloud.cli.dts import audit
from cloud.cli.machines import machines
from cloud.cli.plan import apply, export_plan, history, plan, undo
from cloud.cli.prices import disagreements, prices
from cloud.cli.rebuild import rebuild
from cloud.cli.rollups import rollups
from cloud.cli.support import support
from cloud.cli.transfer import backup, export_all, import_all
from cloud.config import CloudSettings
from shared.settings import SettingsError, load


@click.group()
@click.version_option(package_name="vendlink")
@click.option(
    "--config", type=click.Path(path_type=Path), default=Path("/etc/vendlink/cloud.toml"), show_default=True
)
@click.pass_context
def main(context: click.Context, config: Path) -> None:
    """The operator's side: sales in, receipts and prices out."""
    try:
        context.obj = load(CloudSettings, config)
    except SettingsError as error:
        click.echo(error, err=True)
        sys.exit(2)


@main.command()
@click.option("--worker", is_flag=True, help="Take in and confirm records, and nothing else.")
@click.pass_obj
def run(settings: CloudSettings, *, worker: bool) -> None:
    """Take in sales, confirm them, publish prices, until told to stop.

    It may be started several times: records are shared out among all. On one data_dir one process publishes
    prices and listens to what machines say of themselves; another one takes over when it ends, unless it is a
    --worker. On other computers, with a data_dir of their own, start workers only.
    """
    logs.configure(settings.log)
    with said():
        asyncio.run(app.run(settings, worker=worker))


PARTS = (
    *(prices, plan, apply, export_plan, history, undo, disagreements, machines, dead_letters, csv_files),
    *(books, count_bag, collections, audit, command, commands, command_key, support),
    *(rebuild, rollups, backup, export_all, import_all),
    *identities.COMMANDS,
)
for part in PARTS:
    main.add_command(part)

if __name__ == "__main__":
    main()
