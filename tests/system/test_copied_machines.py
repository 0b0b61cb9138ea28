"""A backup is put back; a card is cloned and both run: real broker, real database, simulated hardware."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.fleet import Fleet, buy
from deploy.demo.machine import Books, SimulatedMachine
from deploy.demo.network import Link
from tests.helpers import eventually

NOTICED_LIMIT_S = 10.0


def sell(machine: SimulatedMachine) -> None:
    eventually(lambda: machine.takes_coins() and machine.status().get("devices", {}).get("board") == "")
    buy(machine, "B1", (100,))


def start(machine: SimulatedMachine) -> None:
    (machine.folder / "status.json").unlink(missing_ok=True)  # the last run's word
    machine.start()


def owes_nothing(machine: SimulatedMachine) -> bool:
    status = machine.status()
    return bool(status.get("link_up") and not status["owed"] and not status["parked"])


def has_told_all(machine: SimulatedMachine) -> bool:
    return not machine.status()["owed"] and not machine.status()["parked"]


def books(fleet: Fleet) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = fleet.cloud.json("books")
    return shown


def alarms(fleet: Fleet) -> list[dict[str, Any]]:
    return fleet.query('SELECT "detail", "code" FROM "fault" WHERE "device" = \'journal\'')


def twice(fleet: Fleet) -> list[tuple[str, int]]:
    rows = fleet.query('SELECT "seq" FROM "sale" GROUP BY "epoch"')
    numbers = [(row["epoch"], row["seq"]) for row in rows]
    return sorted(number for number in set(numbers) if numbers.count(number) > 1)


def test_a_backup_put_back_is_noticed_and_every_sale_counts_once(tmp_path: Path) -> None:
    with Fleet(tmp_path, ["m1"]) as fleet:
        machine = fleet.machines["m1"]
        sell(machine)
        machine.link.cut()
        sell(machine)  # owed when the backup is made, uploaded by the original later
        machine.stop()
        shutil.copytree(machine.folder / "data", tmp_path / "backup")
        machine.link.restore()
        start(machine)
        sell(machine)
        eventually(lambda: owes_nothing(machine))
        epoch = machine.status()["epoch"]
        machine.stop()
        before = fleet.query('SELECT "seq", "slot" FROM "sale"')

        shutil.rmtree(machine.folder / "data")
        shutil.copytree(tmp_path / "backup", machine.folder / "data")
        start(machine)
        eventually(lambda: machine.status().get("link_up"))
        eventually(lambda: machine.status()["epoch"] != epoch, NOTICED_LIMIT_S)
        sell(machine)
        eventually(lambda: owes_nothing(machine))
        (alarm,) = eventually(lambda: alarms(fleet))
        assert (alarm["code"], epoch in alarm["detail"]) == ("journal_forked", True)
        after = fleet.query('SELECT "seq", "slot" FROM "sale"')
        assert all(row in after for row in before)
        assert fleet.stored()["m1"] == Books(4, 400) == machine.hardware()
        assert not twice(fleet)
        old, new = sorted(books(fleet), key=lambda row: row["epoch"] != epoch)
        assert (old["current"], new["current"]) == (False, True)
        assert all(not row["missing"] and row["proven_to"] and not row["trouble"] for row in (old, new))

        # A sale that is lost in InfluxDB is named.
        sale = before[0]
        fleet.query(f'DELETE FROM "sale" WHERE time = {sale["time"]}')
        with pytest.raises(subprocess.CalledProcessError) as failed:
            fleet.cloud.command("books", "--machine", "m1")
        assert failed.value.returncode == 1
        assert "InfluxDB holds" in failed.value.stdout
        day = datetime.fromtimestamp(sale["time"] / 1e9, UTC).strftime("%Y-%m-%d")
        with pytest.raises(subprocess.CalledProcessError) as failed:
            fleet.cloud.command("books", "--day", day, "--json")
        journals = json.loads(failed.value.stdout)["journals"]
        (wrong,) = [row["differences"] for row in journals if row["differences"]]
        lost = {row["total"]: row["counted"] - row["stored"] for row in wrong}
        assert lost["sold_minor of slot B1"] == lost["sold_minor"] == 100


@pytest.mark.timeout(400)
def test_a_cloned_card_is_noticed_while_both_run(tmp_path: Path) -> None:
    with Fleet(tmp_path, ["m1"]) as fleet, Link(fleet.broker.host, fleet.broker.port) as link:
        machine = fleet.machines["m1"]
        sell(machine)
        machine.stop()
        with SimulatedMachine("m1", tmp_path / "clone", link) as clone:
            shutil.copytree(machine.folder / "data", clone.folder / "data")
            start(machine)
            clone.start()
            for one in (machine, clone):
                sell(one)
            # One takes the other's connection again and again; each of them gets its turns.
            eventually(lambda: machine.status()["epoch"] != clone.status()["epoch"], 60)
            for one in (machine, clone):
                sell(one)
            for one in (machine, clone):
                eventually(
                    partial(has_told_all, one), 150
                )  # a loser's pause grows to 60 s, and it needs turns
            assert alarms(fleet)
            together = [one.hardware() for one in (machine, clone)]
            assert fleet.stored()["m1"] == Books(5, 500)
            assert (sum(b.sales for b in together), sum(b.value_minor for b in together)) == (5, 500)
            assert not twice(fleet)
