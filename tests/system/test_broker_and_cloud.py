"""Broker and cloud die under load: real processes, kill -9, and the books must still be equal."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from deploy.demo.fleet import Fleet
from deploy.demo.machine import Books, SimulatedMachine
from tests.backlog import owe_sales
from tests.helpers import eventually

SALES = 20_000
MOSQUITTO_DEFAULTS = "allow_anonymous true\npersistence true\n"  # 1,000 messages a queue, saved every 1,800 s


def _has_stored(machine: SimulatedMachine, count: int) -> bool:
    return bool(machine.status()["stored"] >= count)


def test_broker_killed_and_wiped_with_20000_sales_owed(tmp_path: Path) -> None:
    value_minor = owe_sales(tmp_path / "m1", "m1", SALES)
    with Fleet(tmp_path, ["m1"], MOSQUITTO_DEFAULTS) as fleet:
        machine = fleet.machines["m1"]
        eventually(lambda: machine.status().get("link_up"))
        eventually(lambda: any(r["reported"] for r in fleet.cloud.json("machines")))
        fleet.cloud.command("prices", "set", "--all", "A1=1.80")
        eventually(lambda: machine.status()["prices"]["A1"] == 180)
        for wanted in (2_000, 9_000):
            eventually(partial(_has_stored, machine, wanted))
            fleet.broker.kill()
            fleet.broker.wipe()
            fleet.broker.start()
        eventually(lambda: machine.status()["owed"] == 0, 60)
        assert machine.status()["parked"] == 0
        # A machine that starts from nothing gets its prices from the broker that had lost them.
        machine.stop()
        (machine.folder / "data" / "journal.db").unlink()
        machine.start()
        eventually(lambda: machine.status()["prices"]["A1"] == 180, 60)
        assert fleet.stored()["m1"] == Books(SALES, value_minor)


def test_cloud_killed_again_and_again_under_load(tmp_path: Path) -> None:
    value_minor = owe_sales(tmp_path / "m1", "m1", SALES)
    rng = random.Random(1)
    with Fleet(tmp_path, ["m1"]) as fleet:
        machine = fleet.machines["m1"]
        eventually(lambda: machine.status().get("stored", 0) > 100)
        for _ in range(4):
            before = machine.status()["stored"]
            goal = min(before + rng.randint(1, 3_000), SALES)
            eventually(partial(_has_stored, machine, goal), 70)
            fleet.cloud.kill()
            fleet.cloud.start()
        eventually(lambda: machine.status()["owed"] == 0, 90)
        assert fleet.stored()["m1"] == Books(SALES, value_minor)
        assert fleet.cloud.json("dead-letters") == []


def test_influxdb_killed_under_load(tmp_path: Path) -> None:
    value_minor = owe_sales(tmp_path / "m1", "m1", SALES)
    with Fleet(tmp_path, ["m1"]) as fleet:
        machine = fleet.machines["m1"]
        eventually(lambda: machine.status().get("stored", 0) > 100)
        fleet.influx.kill()
        fleet.influx.start()
        eventually(lambda: machine.status()["owed"] == 0, 90)
        assert fleet.stored()["m1"] == Books(SALES, value_minor)


@pytest.mark.parametrize("end", [SimulatedMachine.kill, SimulatedMachine.stop])
def test_status_of_a_machine_that_ends_is_offline(
    tmp_path: Path, end: Callable[[SimulatedMachine], None]
) -> None:
    with Fleet(tmp_path, ["m1"]) as fleet:
        machine = fleet.machines["m1"]
        eventually(lambda: machine.status().get("link_up"))
        eventually(lambda: [r["status"]["online"] for r in fleet.cloud.json("machines")] == [True])
        end(machine)
        eventually(lambda: [r["status"]["online"] for r in fleet.cloud.json("machines")] == [False])
