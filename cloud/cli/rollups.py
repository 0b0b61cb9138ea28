"""`vend-cloud rollups`: are the sums per hour up to date, and make them anew."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as clock

import click

from cloud.cli.common import database, said
from cloud.config import CloudSettings
from cloud.desk import Seat
from cloud.influx import Influx
from cloud.rollups.dirty import DirtyHours
from cloud.rollups.work import SEAT, finish, hours_with_points
from shared.fields import MAX_INT
from shared.progress import bar

_LOOK_S = 0.2
_DATE = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--rebuild", is_flag=True, help="Make them anew, after a change of time zone for example.")
@click.option("--from", "first", type=_DATE, metavar="DATE", help="The first day of it.  [default: all]")
@click.option("--to", "last", type=_DATE, metavar="DATE", help="The last day, included.  [default: all]")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def rollups(
    settings: CloudSettings, first: datetime | None, last: datetime | None, *, rebuild: bool, as_json: bool
) -> None:
    """How many hours of the sums that dashboards show are not rewritten yet, and since when.

    With --rebuild the hours are marked, and rewritten before it ends: by `vend-cloud run` where that works,
    else here. Days are those of [reports] time_zone. Killed, what is left is rewritten by `vend-cloud run`.
    """
    if (first or last) and not rebuild:
        raise click.UsageError("--from and --to belong to --rebuild")
    if first and last and last < first:
        raise click.UsageError(f"--to {last.date()} is before --from {first.date()}")
    path = database(settings)
    with said(), closing(DirtyHours(path)) as dirty:
        if rebuild:
            zone = settings.reports.zone
            start_ns = _midnight_ns(first.date(), zone) if first else 0
            end_ns = _midnight_ns(last.date() + timedelta(days=1), zone) if last else MAX_INT
            asyncio.run(_rebuild(settings, dirty, start_ns, end_ns))
        waiting, oldest_ns = dirty.count(), dirty.oldest_ns()
    oldest_s = 0 if oldest_ns is None else max(0, time.time_ns() - oldest_ns) // 10**9
    if as_json:
        click.echo(json.dumps({"waiting": waiting, "oldest_s": oldest_s}))
    elif oldest_ns is None:
        click.echo("all hours are up to date")
    else:
        since = datetime.fromtimestamp(oldest_ns // 10**9, UTC).isoformat().replace("+00:00", "Z")
        click.echo(f"{waiting:,} hours wait to be rewritten, since {since}: `vend-cloud run` does it")


def _midnight_ns(day: date, zone: tzinfo) -> int:
    return int(datetime.combine(day, clock(), zone).timestamp()) * 10**9


async def _rebuild(settings: CloudSettings, dirty: DirtyHours, start_ns: int, end_ns: int) -> None:
    async with Influx(settings.influx) as influx:
        with bar("hours found", end_ns - start_ns) as tell:
            at_ns = start_ns
            async for up_to_ns, hours in hours_with_points(influx, start_ns, end_ns):
                dirty.add(hours)
                tell(up_to_ns - at_ns)
                at_ns = up_to_ns
        began_ns = time.time_ns()
        with (
            bar("hours rewritten", dirty.count()) as tell,
            closing(Seat(settings.data_dir / SEAT)) as seat,
        ):
            if seat.take():
                await finish(dirty, influx, settings.reports.zone, tell)
            else:
                await _finished(dirty, began_ns, tell)


async def _finished(dirty: DirtyHours, began_ns: int, tell: Callable[[int], None]) -> None:
    """`vend-cloud run` has the seat: it does all that was marked by now, and more comes in."""
    before = dirty.count()
    while (oldest_ns := dirty.oldest_ns()) is not None and oldest_ns <= began_ns:
        await asyncio.sleep(_LOOK_S)
        after = dirty.count()
        tell(before - after)
        before = after
