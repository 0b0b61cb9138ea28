"""One machine that sells while it is connected: how soon a sale can be queried, and what it costs."""

import sys
import time
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import psutil
from rich.console import Console
from rich.progress import track

from deploy.demo.fleet import Fleet, wait_for
from deploy.demo.machine import SimulatedMachine
from tests.bench.figures import Figure, percentile

SALES = 100
IDLE_S = 10.0
SLOT = "B1"  # 1.00 EUR: one coin, no change


def measure(folder: Path) -> list[Figure]:
    with Fleet(folder, ["m1"]) as fleet:
        machine = fleet.machines["m1"]
        wait_for("m1 online", lambda: machine.status().get("link_up"))
        wait_for("m1 takes coins", machine.takes_coins)
        wait_for("nothing owed", lambda: machine.status()["owed"] == 0)
        idle = _idle(machine)
        sent, received = machine.link.sent_bytes, machine.link.received_bytes
        customers = track(
            range(SALES), "selling", console=Console(stderr=True), disable=not sys.stderr.isatty()
        )
        latencies_ms = [_sell(fleet, machine) for _ in customers]
        wait_for("nothing owed", lambda: machine.status()["owed"] == 0)
        up = (machine.link.sent_bytes - sent) / SALES
        down = (machine.link.received_bytes - received) / SALES
    how = (
        f"{SALES} sales; about 100 ms of it pass before the board, which polls every 200 ms, reports the stop"
    )
    wire = "TCP payload with all that belongs to a sale: coin, sale, stock, PUBACKs; receipts"
    return [
        Figure("motor stop to queryable, p50", (percentile(latencies_ms, 0.5),), "ms", how, "< 250 ms"),
        Figure("motor stop to queryable, p99", (percentile(latencies_ms, 0.99),), "ms", how, "< 250 ms"),
        Figure("live sale on the wire, up", (up,), "B", wire),
        Figure("live sale on the wire, down", (down,), "B", wire),
        *idle,
    ]


def _idle(machine: SimulatedMachine) -> list[Figure]:
    process = psutil.Process(machine.pid)
    process.cpu_percent()
    cpu = process.cpu_percent(IDLE_S)
    how = f"edge process, connected, polling changer and board, over {IDLE_S:.0f} s"
    resident = process.memory_info().rss / 1e6
    return [
        Figure("edge process memory", (resident,), "MB", "resident", "< 60 MB", 1),
        Figure("edge process CPU, idle", (cpu,), "% of a core", how, digits=1),
    ]


def _sell(fleet: Fleet, machine: SimulatedMachine) -> float:
    """Milliseconds from the drop to the first query that finds the sale."""
    sold = machine.status()["sales"]
    dropped = machine.hardware().sales
    wait_for("coins taken", machine.takes_coins)
    machine.insert(100)
    wait_for("credit", lambda: machine.status()["credit_minor"] == 100)
    machine.press(SLOT)
    while machine.hardware().sales == dropped:
        time.sleep(0.001)
    start_s = time.perf_counter()
    while _stored(fleet) == sold:
        pass
    taken_ms = (time.perf_counter() - start_s) * 1_000
    wait_for("thanks", lambda: machine.status()["phase"] == "idle")
    return taken_ms


def _stored(fleet: Fleet) -> int:
    query = urlencode({"db": fleet.influx.database, "q": 'SELECT count("seq") FROM "sale"'})
    with urlopen(f"{fleet.influx.url}/query?{query}") as answer:
        text = answer.read().decode()
    return int(text.rsplit(",", 1)[1].split("]")[0]) if "series" in text else 0
