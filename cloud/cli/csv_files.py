"""`vend-cloud csv`: what is in InfluxDB, as a file for a spreadsheet.

A file appears whole or not at all. On stdout an error may come after the first rows: the exit status tells.
"""

import asyncio
import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Final, TextIO
from zoneinfo import ZoneInfo

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import Progress

from cloud.cli.common import said
from cloud.config import CloudSettings
from cloud.export import pages
from cloud.influx import Influx
from cloud.sheets import SHEETS, Sheet
from shared.fields import MachineId

_YEARS: Final = range(1970, 2200)
_MACHINE: Final[TypeAdapter[str]] = TypeAdapter(MachineId)


def _day(_context: click.Context, _parameter: click.Parameter, value: str) -> date:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no date; write it like 2026-09-30") from None
    if day.year not in _YEARS:
        raise click.BadParameter(f"{value} is not between {_YEARS.start} and {_YEARS.stop - 1}")
    return day


def _zone(_context: click.Context, _parameter: click.Parameter, value: str) -> tzinfo:
    try:
        return UTC if value == "UTC" else ZoneInfo(value)
    except (ValueError, OSError, LookupError):
        raise click.BadParameter(f"{value!r} is no time zone; write it like Europe/Vilnius") from None


def _machine(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else _MACHINE.validate_python(value)
    except ValidationError:
        raise click.BadParameter(f"{value!r} is no machine's id") from None


@click.group("csv")
def csv_files() -> None:
    """Spreadsheets of any period: sales, cash, stock, refills, failures."""


def _command(sheet: Sheet) -> click.Command:
    columns = "\n".join(f"  {c.name:<14}{c.what} ({c.form.value})" for c in sheet.columns)

    @click.command(sheet.name, help=sheet.what, epilog=f"\b\nColumns:\n{columns}")
    @click.option("--from", "first", callback=_day, metavar="DATE", required=True, help="The first day.")
    @click.option(
        "--to", "last", callback=_day, metavar="DATE", required=True, help="The last day, included."
    )
    @click.option("--machine", callback=_machine, metavar="ID", help="Only this one.")
    @click.option(
        "--timezone",
        "zone",
        callback=_zone,
        metavar="NAME",
        default="UTC",
        show_default=True,
        help="Of days and times.",
    )
    @click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Instead of stdout.")
    @click.pass_obj
    def command(
        settings: CloudSettings,
        first: date,
        last: date,
        machine: str | None,
        zone: tzinfo,
        output: Path | None,
    ) -> None:
        if last < first:
            raise click.UsageError(f"--to {last} is before --from {first}")
        start_ns, end_ns = _midnight_ns(first, zone), _midnight_ns(last + timedelta(days=1), zone)
        with said(), _opened(output) as out, _progress(start_ns, end_ns) as tell:
            count = asyncio.run(_write(settings, sheet, (start_ns, end_ns), machine, zone, out, tell))
        click.echo(f"{count:,} rows", err=True)

    return command


for _sheet in SHEETS:
    csv_files.add_command(_command(_sheet))


def _midnight_ns(day: date, zone: tzinfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp()) * 10**9


async def _write(
    settings: CloudSettings,
    sheet: Sheet,
    period_ns: tuple[int, int],
    machine: str | None,
    zone: tzinfo,
    out: TextIO,
    tell: Callable[[int], None],
) -> int:
    """Returns the number of rows. Raises QueryError."""
    writer = csv.writer(out)
    writer.writerow([column.name for column in sheet.columns])
    count = 0
    async with Influx(settings.influx) as influx:
        async for up_to_ns, found in pages(influx.query, sheet.fields, machine, *period_ns):
            writer.writerows(sheet.cells(kind, point, zone) for kind, point in found)
            count += len(found)
            tell(up_to_ns)
    return count


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        try:
            yield sys.stdout
            sys.stdout.flush()
        except BrokenPipeError:
            raise  # whoever reads has enough; click ends quietly
        except OSError as error:
            raise ValueError(f"stdout cannot be written ({error.strerror})") from None
        return
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(output)
    except OSError as error:
        raise ValueError(f"{output} cannot be written ({error.strerror}); name another file") from None
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _progress(start_ns: int, end_ns: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal. What is yielded is told how far the period is done."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("rows", total=end_ns - start_ns)
        yield lambda up_to_ns: bar.update(task, completed=up_to_ns - start_ns)
