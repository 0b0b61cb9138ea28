"""`vend-edge`: the command line of one machine. Data on stdout, talk on stderr.

Exit status: 0 well, 1 trouble, 2 settings or usage, 3 the machine must be stopped for this, 4 journal.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from edge import app
from edge.config import EdgeSettings
from edge.sale.events import VendResult
from edge.store.journal import JournalError
from edge.technician import bench as workbench
from edge.technician import doctor as checks
from edge.technician import status as word
from edge.technician import why as stories
from edge.technician.trouble import EXIT_JOURNAL, EXIT_SETTINGS, EXIT_TROUBLE, CommandError
from shared.settings import SettingsError, load

_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON value on stdout.")


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
@_as_json
@click.pass_obj
def status(settings: EdgeSettings, *, as_json: bool) -> None:
    """What the machine says about itself, or said last."""
    with _said():
        text = word.last_word(settings.status_file)
        if not word.answers(settings):
            click.echo(f"nobody answers at {settings.screen_socket}; the machine said last:", err=True)
        click.echo(text if as_json else word.text(word.parse(text)))


@main.command()
@click.argument("seq", type=click.IntRange(min=1))
@_as_json
@click.pass_obj
def why(settings: EdgeSettings, seq: int, *, as_json: bool) -> None:
    """The whole story of the sale that record SEQ belongs to."""
    with _said():
        story = stories.why(settings, seq)
        click.echo(json.dumps(story.as_json()) if as_json else stories.text(story))


@main.command()
@_as_json
@click.pass_obj
def doctor(settings: EdgeSettings, *, as_json: bool) -> None:
    """Look at everything; exit status 1 if something does not work.

    A machine that is stopped is asked through its ports, each device once.
    """
    with _said():
        found = checks.examine(settings, _progress)
        if as_json:
            click.echo(json.dumps([check.as_json() for check in found]))
        else:
            click.echo("\n".join(check.text() for check in found))
        if any(check.level == "trouble" for check in found):
            sys.exit(EXIT_TROUBLE)


@main.group()
def bench() -> None:
    """Single parts of a stopped machine, by hand. Nothing of it is booked."""


@bench.command()
@click.argument("block", metavar="HEX")
@click.pass_obj
def command(settings: EdgeSettings, block: str) -> None:
    """Send one MDB block, such as 0B or 0D23, and print the answer."""
    with _said():
        click.echo(workbench.command(settings, workbench.block_of(block)))


@bench.command()
@click.argument("slot")
@click.pass_obj
def motor(settings: EdgeSettings, slot: str) -> None:
    """Run one motor; exit status 0 if it delivered."""
    with _said():
        _progress(f"the motor of {slot}")
        result, text = workbench.motor(settings, slot)
        click.echo(text)
        if result is not VendResult.DELIVERED:
            sys.exit(EXIT_TROUBLE)


@bench.command("decode")
@click.argument("file", type=click.Path(path_type=Path))
def decode_file(file: Path) -> None:
    """A serial recording (bytes, or hex digits in lines) as readable lines: Qibixx, XY, Modbus RTU."""
    with _said():
        for line in workbench.recording(file):
            click.echo(line)


@contextmanager
def _said() -> Iterator[None]:
    """What cannot be done, in a sentence and with its exit status."""
    try:
        yield
    except CommandError as error:
        click.echo(error, err=True)
        sys.exit(error.exit_status)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"... {text}", err=True)


if __name__ == "__main__":
    main()
