"""The seven dashboards, in the order of the menu."""

from deploy.grafana.boards import cash, inventory, machine, machines, sales, system, today
from deploy.grafana.rows import Dashboard, Look


def dashboards(look: Look) -> tuple[Dashboard, ...]:
    return tuple(
        module.dashboard(look) for module in (today, sales, machines, machine, inventory, cash, system)
    )
