"""`vend-edge`: the command line of one machine. Data on stdout, talk on stderr.

Exit status: 0 well, 1 trouble, 2 settings or usage, 3 the machine must be stopped for this, 4 journal,
5 a command ended it, to be started again.
"""

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from pydantic import ValidationError

from edge import app, requests
from edge.config import EdgeSettings
from edge.sale.events import VendResult
from edge.store.journal import JournalError
from edge.technician import bench as workbench
from edge.technician import doctor as checks
from edge.technician import status as word
from edge.technician import support as report
from edge.technician import why as stories
from edge.technician.join import join
from edge.technician.request import ask_for
from edge.technician.trouble import EXIT_JOURNAL, EXIT_RESTART, EXIT_SETTINGS, EXIT_TROUBLE, CommandError
from shared.clock import SystemClock
from shared.fields import explain
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
        if app.run(settings):
            sys.exit(EXIT_RESTART)
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


@main.command()
@click.argument("what", type=click.Choice(["begin", "end"]))
@click.pass_obj
def visit(settings: EdgeSettings, what: str) -> None:
    """Say that you are at the machine, or leave. Vends in a visit are tests, and no money is taken."""
    _request(settings, requests.Visit(here=what == "begin"))


@main.command()
@click.option("--all-to-par", is_flag=True, help="All slots that are not named hold their par now.")
@click.argument("counts", nargs=-1, metavar="[SLOT=COUNT]...")
@click.pass_obj
def refill(settings: EdgeSettings, counts: Sequence[str], *, all_to_par: bool) -> None:
    """Products were filled in: what the slots hold now. The counts from before take a mistake back."""
    if not counts and not all_to_par:
        raise click.UsageError("name slots such as A1=7, or say --all-to-par")
    _request(settings, requests.Refill(counts=_counts(counts), others_to_par=all_to_par))


@main.command()
@click.argument("counts", nargs=-1, required=True, metavar="SLOT=COUNT...")
@click.pass_obj
def stock(settings: EdgeSettings, counts: Sequence[str]) -> None:
    """The books are wrong: what is really in the slots."""
    _request(settings, requests.Stock(counts=_counts(counts)))


@main.command()
@click.argument("bag")
@click.pass_obj
def collect(settings: EdgeSettings, bag: str) -> None:
    """Cash box and stacker were emptied into the bag of this number."""
    with _said():
        _request(settings, requests.Collect(bag=bag))


@main.command()
@click.option("--group", help="A product group: what was too warm is gone.")
@click.option("--slot", help="A slot: its motor is mended.")
@click.pass_obj
def release(settings: EdgeSettings, group: str | None, slot: str | None) -> None:
    """Sell again what the machine had locked out."""
    if (group is None) == (slot is None):
        raise click.UsageError("name a --group or a --slot")
    with _said():
        wanted = requests.ReleaseGroup(group=group) if group else requests.ReleaseSlot(slot=slot or "")
        _request(settings, wanted)


@main.command("pay-claim")
@click.argument("code")
@click.pass_obj
def pay_claim(settings: EdgeSettings, code: str) -> None:
    """You have paid what a claim code is good for: the machine owes it no more."""
    with _said():
        _request(settings, requests.PayClaim(claim=code))


@main.command()
@click.argument("slot")
@click.pass_obj
def free(settings: EdgeSettings, slot: str) -> None:
    """Give one product away."""
    with _said():
        _request(settings, requests.Free(slot=slot))


@main.command()
@click.option("--minutes", type=click.IntRange(1, 1_440), default=10, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE")
@click.pass_obj
def support(settings: EdgeSettings, minutes: int, out: Path) -> None:
    """Write a bug report: the last messages, records and words on the bus, without anything secret.

    FILE is a capture (.mqtt.jsonl): `vend-tap show` reads it, and a maintainer replays it. Of a machine that
    is stopped there are only its records.
    """
    with _said():
        report.write(settings, minutes, out)
        click.echo(f"{out} can be sent to whoever helps", err=True)


def _request(settings: EdgeSettings, wanted: requests.Request) -> None:
    with _said():
        ask_for(settings, wanted)
        click.echo("done", err=True)


def _counts(texts: Sequence[str]) -> dict[str, int]:
    counts = {}
    for text in texts:
        slot, found, count = text.partition("=")
        if not found or slot in counts or not count.isdecimal():
            raise click.UsageError(f"{text!r}: write SLOT=COUNT, such as A1=7, each slot once")
        counts[slot] = int(count)
    return counts


@main.command("join")
@click.argument("url", metavar="https://HOST:PORT")
@click.argument("code")
@click.pass_obj
def join_cloud(settings: EdgeSettings, url: str, code: str) -> None:
    """Get this machine's certificate; the line to type is what `vend-cloud invite` prints.

    The same line again goes on where it was cut off.
    """
    with _said():
        join(settings.machine, settings.mqtt.tls, url, code, SystemClock().now().trust)
    words = "has its certificate. A machine that runs takes it at its next try to connect;"
    click.echo(f"{settings.machine} {words} `vend-edge doctor` shows what the broker says", err=True)


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
    except ValidationError as error:
        click.echo(explain(error), err=True)
        sys.exit(EXIT_SETTINGS)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"... {text}", err=True)


if __name__ == "__main__":
    main()
