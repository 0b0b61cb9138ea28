"""`vend-cloud dts`: a machine's audit as a file that other vending systems import."""

import asyncio
import sys
import time
from contextlib import closing
from pathlib import Path

import click

from cloud.cli.common import database, said
from cloud.config import CloudSettings
from cloud.database import StoreError
from cloud.dts.figures import figures
from cloud.dts.reads import Reads
from cloud.dts.segments import Figures, Read, Slot, segments
from cloud.dts.text import audit_file
from cloud.influx import Influx
from cloud.store import Store
from shared.files import write_whole
from shared.messages import Reported, Status, Stock


@click.command("dts")
@click.option("--reset", is_flag=True, help="The interval figures of later reads count from this one.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Instead of stdout.")
@click.argument("machine")
@click.pass_obj
def audit(settings: CloudSettings, machine: str, output: Path | None, *, reset: bool) -> None:
    """The audit of MACHINE as an EVA-DTS 6.1 file: what InfluxDB holds of it, and since the last --reset."""
    path = database(settings)
    with said(), closing(Store(path)) as store, closing(Reads(path)) as reads:
        known = next((row for row in store.machines() if row["machine"] == machine), None)
        if known is None or known["reported"] is None:
            raise StoreError(f"{machine}: this machine has never reported; is the name right?")
        at_ns = time.time_ns()
        now = asyncio.run(_figures(settings, machine, at_ns))
        before = reads.before(machine)
        reported = Reported.model_validate_json(known["reported"])
        read = Read(
            machine=machine,
            software=Status.model_validate_json(known["status"]).software if known["status"] else "",
            currency=reported.prices.currency,
            at_ns=at_ns,
            number=before.reads + 1,
            resets=before.resets + reset,
            last_ns=before.last_ns,
            slots=_slots(reported, Stock.model_validate_json(known["stock"]) if known["stock"] else None),
        )
        data = audit_file(f"{read.number:07}", segments(read, now, before.base))
        reads.add(machine, read.number, at_ns, now, is_reset=reset)
        if output is None:
            sys.stdout.buffer.write(data)
        else:
            write_whole(output, data, 0o644)


async def _figures(settings: CloudSettings, machine: str, at_ns: int) -> Figures:
    async with Influx(settings.influx) as influx:
        found = await figures(influx.query, machine, at_ns)
    if found is None:
        raise StoreError(f"{machine}: InfluxDB holds nothing of this machine yet")
    return found


def _slots(reported: Reported, stock: Stock | None) -> tuple[Slot, ...]:
    left = stock.slots if stock else {}
    return tuple(
        Slot(
            name=slot,
            price_minor=price_minor,
            product=left[slot].product if slot in left else None,
            capacity=left[slot].capacity if slot in left else None,
            count=left[slot].count if slot in left else None,
        )
        for slot, price_minor in sorted(reported.prices.prices.items())
    )
