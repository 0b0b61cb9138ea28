"""`vend-cloud`: the operator's command line. Data on stdout, talk on stderr; 0 ok, 1 trouble, 2 usage."""

import asyncio
import logging
import sys
from pathlib import Path

import click

from cloud import app
from cloud.cli.bags import collections, count_bag
from cloud.cli.books import books
from cloud.cli.common import said
from cloud.cli.machines import dead_letters, machines
from cloud.cli.prices import prices
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
@click.pass_obj
def run(settings: CloudSettings) -> None:
    """Take in sales, confirm them, publish prices, until told to stop."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    with said():
        asyncio.run(app.run(settings))


for command in (prices, machines, dead_letters, books, count_bag, collections):
    main.add_command(command)

if __name__ == "__main__":
    main()
