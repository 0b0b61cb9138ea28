"""A backlog through links as machines have them: how much of the line is sales, and how many connections."""

import time
from pathlib import Path

from deploy.demo.fleet import Fleet, wait_for
from deploy.demo.machine import Books, SimulatedMachine
from deploy.demo.network import Link
from tests.backlog import owe_sales
from tests.bench.figures import Figure

LINKS = ((300, 0.0, 20), (4_000, 0.3, 400))  # bytes/s, latency, sales owed
LIMIT_S = 300.0


def measure(folder: Path) -> list[Figure]:
    return [figure for link in LINKS for figure in _through(folder / str(link[0]), *link)]


def _through(folder: Path, bytes_s: int, latency_s: float, sales: int) -> list[Figure]:
    value_minor = owe_sales(folder / "m1", "m1", sales)
    with Fleet(folder, []) as fleet, Link(fleet.broker.host, fleet.broker.port) as link:
        link.slow(bytes_s, latency_s)
        with SimulatedMachine("m1", folder / "m1", link, keepalive_s=30) as machine:
            start_s = time.perf_counter()
            machine.start()
            wait_for("nothing owed", lambda: machine.status().get("owed") == 0, LIMIT_S)
            took_s = time.perf_counter() - start_s
            assert fleet.stored()["m1"] == Books(sales, value_minor)
        line = f"{bytes_s} bytes/s and {latency_s:g} s"
        used = 100 * link.sent_bytes / bytes_s / took_s
        how = f"{sales} sales owed, from the start of the program to the last receipt"
        return [
            Figure(f"backlog through {line}", (took_s,), "s", how, digits=1),
            Figure(f"connections for it through {line}", (link.connections,), "", how, "1"),
            Figure(f"of that line used through {line}", (used,), "%", how),
        ]
