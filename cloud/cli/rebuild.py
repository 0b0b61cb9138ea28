"""`vend-cloud rebuild`: InfluxDB from the archive, or from the journals of the machines."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from cloud.cli.common import database, print_table, said
from cloud.config import CloudSettings
from cloud.ranges import count
from cloud.rebuild.fetch import fetched
from cloud.rebuild.machines import Wanted
from cloud.rebuild.whole import rebuilt
from shared import money
from shared.progress import bar

_SHOWN: Final = 20  # differences and damages in words; --json has all


@click.command()
@click.option(
    "--from-archive",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="A folder of capture files instead of data_dir/archive; may be given several times.",
)
@click.option("--restart", is_flag=True, help="Begin anew, though one was begun and not finished.")
@click.option(
    "--from-machines", is_flag=True, help="From the journals of the machines: the archive is lost too."
)
@click.option("--machine", "machines", multiple=True, metavar="M", help="Only this one; several times.")
@click.option("--all-kept", is_flag=True, help="Also what InfluxDB has: so that the archive gets it again.")
@click.option("--key", help="The key that signs the commands to machines, where there are several.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def rebuild(
    settings: CloudSettings,
    folders: Sequence[Path],
    machines: Sequence[str],
    key: str | None,
    *,
    restart: bool,
    from_machines: bool,
    all_kept: bool,
    as_json: bool,
) -> None:
    """Write everything that the archive holds into InfluxDB again, and prove that it is there.

    `vend-cloud run` may go on. What is in InfluxDB already stays the same. Killed, it goes on where it was.
    Exit status 0 only if all that was read is in InfluxDB, and nothing could not be read.

    With --from-machines every machine is asked to send again what InfluxDB has not, by signed commands that
    `vend-cloud run` must carry. Exit status 0 only if nothing is missing.
    """
    if from_machines and (folders or restart):
        raise click.UsageError("--from-machines reads no archive: leave --from-archive and --restart out")
    if (machines or all_kept or key) and not from_machines:
        raise click.UsageError("--machine, --all-kept and --key belong to --from-machines")
    if from_machines:
        path = database(settings)
        with said():
            found = fetched(settings, path, machines, key, bar, everything=all_kept)
        _tell_machines(found, as_json=as_json)
        return
    with said():
        done = rebuilt(settings, folders or (settings.data_dir / "archive",), bar, restart=restart)
    if as_json:
        click.echo(json.dumps(done))
    else:
        for line in words(done):
            click.echo(line)
    if done["differences"] or done["damaged"]:
        sys.exit(1)


def _tell_machines(found: Sequence[Wanted], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found]))
    else:
        print_table(
            ("machine", "journal", "kept", "missing still", "kept nowhere", "trouble"),
            [
                (
                    one.machine,
                    one.epoch,
                    f"{one.kept_from}..{one.last}" if one.epoch else "",
                    f"{count(one.missing):,}",
                    f"{one.gone:,}",
                    one.trouble,
                )
                for one in found
            ],
        )
    if any(one.gone for one in found):
        click.echo("what is kept nowhere cannot come back: machines no longer have it", err=True)
    if any(one.missing and not one.trouble for one in found):
        click.echo("missing still, though sent: `vend-cloud dead-letters`, or no longer kept", err=True)
    click.echo("journals that machines had before their present one cannot be asked for", err=True)
    if any(one.gone or one.missing or one.trouble for one in found):
        sys.exit(1)


def totals(done: dict[str, Any]) -> Iterator[str]:
    yield f"{done['messages']:,} messages: {done['records']:,} records, {done['dead_letters']:,} dead letters"
    for kind in done["kinds"]:
        amount = money.text(kind["minor"], kind["currency"]) if kind["currency"] else ""
        yield f"  {kind['kind']:20} {kind['count']:>12,} {amount:>20}".rstrip()


def words(done: dict[str, Any]) -> Iterator[str]:
    yield from totals(done)
    if done["records_sent_again"]:
        yield f"{done['records_sent_again']:,} records came more than once, and count once"
    for damage in done["damaged"][:_SHOWN]:
        yield f"damaged: {damage['file']}, line {damage['line']}: {damage['why']}"
    for d in done["differences"][:_SHOWN]:
        yield (
            f"differs: {d['machine']} {d['epoch']}, {d['kind']} on {d['day']}: read {d['read']} "
            f"({d['read_minor']}), in InfluxDB {d['stored']} ({d['stored_minor']})"
        )
    for name in ("damaged", "differences"):
        if len(done[name]) > _SHOWN:
            yield f"and {len(done[name]) - _SHOWN:,} more: --json lists them"
    if done["differences"]:
        yield "InfluxDB does not hold all that was read: was it emptied meanwhile? Run again with --restart"
    elif done["damaged"]:
        yield "everything that could be read is in InfluxDB; the damaged lines are not"
    else:
        yield "all of it is in InfluxDB, by machine, day and kind, to the cent"
