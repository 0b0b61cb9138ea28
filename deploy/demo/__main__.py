"""`make demo`: three simulated machines, a real broker, a real InfluxDB, and a network that fails."""

import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from deploy.demo.fleet import Fleet
from deploy.demo.story import balanced, play
from deploy.demo.view import draw
from shared import money

_MACHINES = ("m1", "m2", "m3")


@click.command()
@click.option("--once", is_flag=True, help="Play the story once and end.")
@click.option("--json", "as_json", is_flag=True, help="No live view; the result as one JSON object, last.")
def main(*, once: bool, as_json: bool) -> None:
    """Sell, cut the network, go on selling, change a price, come back, close the books."""
    with tempfile.TemporaryDirectory(prefix="vendlink-demo-") as folder:
        try:
            with Fleet(Path(folder), _MACHINES) as fleet:
                result = _watch(fleet, live=not as_json and sys.stdout.isatty(), stay=not once)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            sys.exit(130)
    if as_json:
        click.echo(json.dumps(result))
    else:
        _show(result, Console())
    sys.exit(0 if balanced(result) else 1)


def _watch(fleet: Fleet, *, live: bool, stay: bool) -> dict[str, Any]:
    if not live:
        return play(fleet, lambda line: click.echo(line, err=True))
    told: list[str] = []
    ended = threading.Event()
    console = Console()
    with Live(get_renderable=lambda: draw(fleet, told, console), console=console, refresh_per_second=5):
        result = play(fleet, told.append)
        _show(result, console)
        if stay:
            for machine in fleet.machines.values():
                machine.start()  # they were stopped for their books
            console.print("The machines run on. In another terminal:")
            for words in (f"command {_MACHINES[0]} free-vend A1", "books", "disagreements"):
                console.print(f"  .venv/bin/vend-cloud --config {fleet.cloud.config} {words}", soft_wrap=True)
            told.append("Ctrl-C stops everything")
            try:
                while not ended.wait(1.0):
                    pass
            except KeyboardInterrupt:
                time.sleep(0)  # the end that was asked for; the books decide the exit status
    return result


def _show(result: dict[str, Any], console: Console) -> None:
    table = Table("machine", "hardware", "journal", "InfluxDB", title="The books")
    rows = {**result["machines"], "all": {k: result[k] for k in ("hardware", "journal", "influx")}}
    for name, books in rows.items():
        cells = [
            f"{b['sales']} sales, {money.text(b['value_minor'], 'EUR')}"
            for b in (books["hardware"], books["journal"], books["influx"])
        ]
        table.add_row(name, *cells)
    console.print(table)
    console.print(f"owed {result['owed']}, sold offline {result['offline_sales']}, {result['seconds']} s")


if __name__ == "__main__":
    main()
