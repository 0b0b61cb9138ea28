"""The live table of the demo: what each machine says about itself, and the story so far."""

from collections.abc import Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from deploy.demo.fleet import Fleet
from shared import money


def draw(fleet: Fleet, told: Sequence[str], console: Console) -> Group:
    """As much of the story as the terminal has room for below the table."""
    table = Table(
        "machine", "link", "credit", "sales", "value", "owed", "stored", "pays with", title="Vendlink"
    )
    for name, machine in fleet.machines.items():
        status = machine.status()
        if not status:
            table.add_row(name, "starting")
            continue
        currency = status["currency"]
        can = [
            f"[green]{t}[/]" if a["available"] else f"[red]no {t}[/]: {a['reason']}"
            for t, a in status["tenders"].items()
        ]
        table.add_row(
            name,
            "[green]up[/]" if status["link_up"] else "[red]down[/]",
            money.text(status["credit_minor"], currency),
            str(status["sales"]),
            money.text(status["sold_minor"], currency),
            str(status["owed"]),
            str(status["stored"]),
            ", ".join(can),
        )
    room = max(1, console.height - len(console.render_lines(table)) - 1)
    return Group(table, *(Text(f"• {line}", no_wrap=True, overflow="ellipsis") for line in told[-room:]))
