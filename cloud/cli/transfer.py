"""`vend-cloud export-all`, `import-all`, `backup`: everything that is the operator's."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from cloud.cli.common import database, said
from cloud.cli.rebuild import totals
from cloud.config import CloudSettings
from cloud.transfer.arrive import arrive
from cloud.transfer.backup import backup as backed_up
from cloud.transfer.leave import leave
from shared.progress import bar

_FOLDER = click.Path(path_type=Path, file_okay=False)


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ValueError(f"{error.filename or 'the disk'} cannot be used ({error.strerror})") from None


@click.command("export-all")
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def export_all(settings: CloudSettings, folder: Path, *, as_json: bool) -> None:
    """Everything into a new folder DIR: records, plan and history, machines, commands, dead letters.

    No private keys: keep those of the authority and of commands yourself. `vend-cloud run` may go on. Exit
    status 1 where archive and InfluxDB do not agree: then DIR holds what the archive has.
    """
    database(settings)
    with said(), _disk():
        done = leave(settings, folder, bar)
    if as_json:
        click.echo(json.dumps(done))
    else:
        for line in totals(done):
            click.echo(line)
        click.echo(f"{sum(done['tables'].values()):,} rows of {len(done['tables'])} tables")
    if done["absent"]:
        click.echo(
            f"{done['absent']:,} records are in InfluxDB and not in the archive, and so not in {folder}: "
            "put the archive's missing files back, or `vend-cloud rebuild --from-machines --all-kept`",
            err=True,
        )
    if done["differences"]:
        click.echo("InfluxDB does not hold all of the archive: `vend-cloud rebuild`", err=True)
    if done["damaged_lines"]:
        click.echo(f"{done['damaged_lines']} lines of the archive are damaged", err=True)
    if done["absent"] or done["differences"] or done["damaged_lines"]:
        sys.exit(1)


@click.command("import-all")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def import_all(settings: CloudSettings, folder: Path, *, as_json: bool) -> None:
    """What `export-all` wrote into DIR into an empty system: a new data_dir, a new database in InfluxDB.

    Killed, it goes on when it is started again. Exit status 0 only if every total is that of the export.
    """
    with said(), _disk():
        done = arrive(settings, folder, bar)
    if as_json:
        click.echo(json.dumps(done))
    else:
        for line in totals(done):
            click.echo(line)
        for trouble in done["troubles"]:
            click.echo(f"not equal: {trouble}")
        if not done["troubles"]:
            click.echo("every total is that of the export")
    if done["troubles"]:
        sys.exit(1)


@click.command()
@click.option(
    "--out", "folder", metavar="DIR", type=_FOLDER, required=True, help="New, or an earlier backup."
)
@click.option("--keys", is_flag=True, help="With the keys of the authority and of commands: guard DIR well.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def backup(settings: CloudSettings, folder: Path, *, keys: bool, as_json: bool) -> None:
    """What is needed to go on after data_dir is lost: database and archive, and only what is new of it.

    `vend-cloud run` may go on, and InfluxDB is not needed: `vend-cloud rebuild` makes it of the archive. How
    to put a backup back is in deploy/RUNBOOK.md. What `export-all` writes is proven and in open formats; this
    is quick enough for every hour.
    """
    database(settings)
    with said(), _disk():
        done = backed_up(settings, folder, bar, keys=keys)
    if as_json:
        click.echo(json.dumps(done))
        return
    click.echo(f"{done['archive_files']} files of the archive, {done['copied_files']} of them copied now")
    if keys:
        click.echo(f"{done['key_files']} files with keys; who has {folder} can be any machine", err=True)
