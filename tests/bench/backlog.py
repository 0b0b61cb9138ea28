"""Machines that come back with many owed sales: how fast they are stored and confirmed."""

import subprocess
import sys
import time
from pathlib import Path

from deploy.demo.fleet import Fleet, wait_for
from deploy.demo.machine import Books
from deploy.demo.network import Link
from deploy.demo.servers import die_with_parent
from tests.backlog import owe_sales
from tests.bench.figures import Figure

SALES = 20_000
FIFTY = 50
RUNS = 3
AIM = "10,000/s"


def one_machine(folder: Path) -> list[Figure]:
    """The edge program itself, with its simulated hardware."""
    rates, ups, downs = zip(*(_one_machine(folder / str(run)) for run in range(RUNS)), strict=True)
    how = f"{SALES:,} sales owed by one machine, from the first receipt to the last; median of {RUNS} runs"
    wire = "TCP payload, all sales in messages of up to 100"
    return [
        Figure("backlog of one machine, stored and receipted", rates, "sales/s", how, AIM),
        Figure("backlog sale on the wire, up", ups, "B", wire, digits=1),
        Figure("backlog sale on the wire, down", downs, "B", wire, digits=1),
    ]


def _one_machine(folder: Path) -> tuple[float, float, float]:
    value_minor = owe_sales(folder / "m1", "m1", SALES)
    with Fleet(folder, ["m1"]) as fleet:
        machine = fleet.machines["m1"]
        wait_for("the first receipt", lambda: machine.status().get("stored"))
        start_s, before = time.perf_counter(), machine.status()["stored"]
        wait_for("nothing owed", lambda: machine.status()["owed"] == 0, 120)
        rate = (machine.status()["stored"] - before) / (time.perf_counter() - start_s)
        assert fleet.stored()["m1"] == Books(SALES, value_minor)
        return rate, machine.link.sent_bytes / SALES, machine.link.received_bytes / SALES


def fifty_machines(folder: Path) -> list[Figure]:
    """Fifty machines' journals, outboxes and uplinks in two processes, all connecting at once."""
    how = f"{FIFTY} machines, {SALES // FIFTY} sales each, from the order to connect to the last receipt"
    return [
        Figure(
            f"backlog of fifty machines, stored and receipted{by}",
            tuple(_fifty_machines(folder / f"{workers}-{run}", workers) for run in range(RUNS)),
            "sales/s",
            how,
            AIM,
        )
        for workers, by in ((0, ""), (1, " by two processes"))
    ]


def _fifty_machines(folder: Path, workers: int) -> float:
    names = [f"m{number:02}" for number in range(FIFTY)]
    each = SALES // FIFTY
    values = {name: owe_sales(folder / name, name, each) for name in names}
    with Fleet(folder, [], workers=workers) as fleet, Link(fleet.broker.host, fleet.broker.port) as link:
        command = [sys.executable, "-m", "tests.bench.uplinks", str(link.port), str(folder)]
        halves = [Half([*command, *half]) for half in (names[: FIFTY // 2], names[FIFTY // 2 :])]
        for half in halves:
            half.hears("ready")
        start_s = time.perf_counter()
        for half in halves:
            half.go()
        for half in halves:
            half.hears("nothing owed")
        rate = SALES / (time.perf_counter() - start_s)
        for half in halves:
            half.end()
        assert fleet.stored() == {name: Books(each, value) for name, value in values.items()}
    return rate


class Half:
    """A process with half of the machines (tests/bench/uplinks.py)."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # one call into libc, no locks
        )

    def hears(self, word: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == f"{word}\n"

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def end(self) -> None:
        self._process.communicate()
