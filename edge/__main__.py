"""`vend-edge`: the command line of one machine."""

import json
import logging
import sys
from pathlib import Path

import click

from edge import app
from edge.config import EdgeSettings
from edge.store.journal import JournalError
from shared.settings import SettingsError, load

EXIT_SETTINGS = 2  # as click's own word for wrong usage
EXIT_JOURNAL = 4


@click.group()
@click.version_option(package_name="vendlink")
@click.option(
    "--config", type=click.Path(path_type=Path), default=Path("/etc/vendlink/edge.toml"), show_default=True
)
@click.pass_context
def main(context: click.Context, config: Path) -> None:
    """A vending machine's controller. It sells without a network and loses nothing."""
    try:
        context.obj = load(EdgeSettings, config)
    except SettingsError as error:
        click.echo(error, err=True)
        sys.exit(EXIT_SETTINGS)


@main.command()
@click.pass_obj
def run(settings: EdgeSettings) -> None:
    """Run the machine until it is told to stop."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        app.run(settings)
    except JournalError as error:
        click.echo(f"not selling: {error}", err=True)
        sys.exit(EXIT_JOURNAL)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="The whole status as one JSON object.")
@click.pass_obj
def status(settings: EdgeSettings, *, as_json: bool) -> None:
    """What the running machine says about itself."""
    try:
        text = settings.status_file.read_text(encoding="utf-8")
    except OSError:
        click.echo(f"{settings.status_file} is not there: the machine has not been started", err=True)
        sys.exit(1)
    if as_json:
        click.echo(text)
        return
    for name, value in json.loads(text).items():
        click.echo(f"{name:14} {value}")


if __name__ == "__main__":
    main()
