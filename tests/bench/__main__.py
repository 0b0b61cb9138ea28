"""`make bench`: measured figures as a table, beside what is aimed for. Nothing here passes or fails."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from tests.bench import backlog, commit, fleet_prices, live, panels, poll, replay, slow_link
from tests.bench.figures import Figure

BENCHMARKS: dict[str, Callable[[Path], list[Figure]]] = {
    "commit": commit.measure,
    "live": live.measure,
    "poll": poll.measure,
    "backlog-1": backlog.one_machine,
    "backlog-50": backlog.fifty_machines,
    "slow-link": slow_link.measure,
    "fleet-prices": fleet_prices.measure,
    "panels": panels.measure,
    "replay": replay.measure,
}


@click.command()
@click.option("--only", type=click.Choice(list(BENCHMARKS)), multiple=True, help="Some of them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a figure.")
def main(only: tuple[str, ...], *, as_json: bool) -> None:
    """Measure on this machine, with broker, database, cloud and machines sharing its cores."""
    table = Table("figure", "measured", "aim", "how", title="Measured here")
    for name in only or BENCHMARKS:
        click.echo(f"{name} ...", err=True)
        with tempfile.TemporaryDirectory(prefix="vendlink-bench-") as folder:
            figures = BENCHMARKS[name](Path(folder))
        for figure in figures:
            table.add_row(figure.name, figure.text(), figure.aim, figure.how)
            if as_json:
                click.echo(json.dumps(figure.as_json()))
    if not as_json:
        Console().print(table)


if __name__ == "__main__":
    main()
