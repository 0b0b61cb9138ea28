"""`vend-cloud machines`: the fleet as it is."""

import json

import click

from cloud.batch import TOLD
from cloud.cli.common import print_table, store, when
from cloud.config import CloudSettings
from shared.messages import Status


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def machines(settings: CloudSettings, *, as_json: bool) -> None:
    """Every machine that ever spoke: online, and what a customer can pay with there. Times are UTC."""
    with store(settings) as opened:
        rows = [
            {**row, **{k: json.loads(row[k]) if row[k] else None for k in TOLD}} for row in opened.machines()
        ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    shown = []
    for row in rows:
        status = Status.model_validate_json(json.dumps(row["status"])) if row["status"] else None
        tenders = status.tenders if status else {}
        can = ", ".join(t if a.available else f"no {t} ({a.reason})" for t, a in tenders.items())
        online = "online" if status and status.online else "offline"
        since = when(status.since_ns) if status else "-"
        shown.append((row["machine"], online, since, when(row["seen_at_ns"]), can))
    print_table(("machine", "link", "since", "last word", "tenders"), shown)
