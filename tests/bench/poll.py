"""How evenly the three payment peripherals are polled while a motor runs, with the edge on one core."""

import itertools
import os
import threading
import time
from collections import defaultdict
from pathlib import Path

from deploy.demo.fleet import Fleet, wait_for
from deploy.demo.machine import SimulatedMachine
from edge.mdb.frame import Address, Block, Reply
from tests.bench.figures import Figure, percentile

WATCH_S = 20.0
LONGEST_MS = 200  # MDB/ICP 4.2 appendix 3: 125 to 200 ms, and 20 ms after a reply that told something
PERIPHERALS = {Address.CHANGER: "changer", Address.VALIDATOR: "validator", Address.CASHLESS_1: "reader"}


def measure(folder: Path) -> list[Figure]:
    with Fleet(folder, ["m1"]) as fleet:
        machine = fleet.machines["m1"]
        wait_for("m1 takes coins", machine.takes_coins)
        wait_for("m1 takes cards", lambda: machine.status()["devices"]["reader_1"] == "")
        os.sched_setaffinity(machine.pid, {0})
        at_s = _watch(machine)
    how = f"between two questions, in {WATCH_S:.0f} s of selling, edge pinned to one core"
    figures = []
    for name, times_s in sorted(at_s.items()):
        gaps_ms = [(b - a) * 1_000 for a, b in itertools.pairwise(times_s)]
        late = sum(gap > LONGEST_MS for gap in gaps_ms) / len(gaps_ms)
        figures += [
            Figure(f"{name} asked every, p50", (percentile(gaps_ms, 0.5),), "ms", how, "125 to 200 ms"),
            Figure(f"{name} asked every, p99", (percentile(gaps_ms, 0.99),), "ms", how, "at most 200 ms"),
            Figure(f"{name} asked later than 200 ms", (late * 100,), "%", how, digits=1),
        ]
    return figures


def _watch(machine: SimulatedMachine) -> dict[str, list[float]]:
    """When each peripheral was asked something, while customers keep the motor busy."""
    at_s: dict[str, list[float]] = defaultdict(list)
    exchange = machine.bus.exchange

    def timed(block: Block, now_s: float) -> Reply:
        at_s[PERIPHERALS[Address(block.address)]].append(time.monotonic())
        return exchange(block, now_s)

    machine.bus.exchange = timed  # type: ignore[method-assign]
    until_s = time.monotonic() + WATCH_S
    pace = threading.Event()
    while time.monotonic() < until_s:
        if machine.takes_coins():
            machine.insert(100)
        machine.press("B1")
        pace.wait(0.5)
    machine.bus.exchange = exchange  # type: ignore[method-assign]
    return at_s
