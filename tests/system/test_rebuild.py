"""InfluxDB and the archive are lost: the machine's journal is sent again by command, even if killed."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cloud.__main__ import main
from cloud.commands.keys import make
from cloud.influx import NoDatabaseError
from deploy.demo.fleet import Cloud, stored
from deploy.demo.machine import SimulatedMachine
from deploy.demo.network import Link
from deploy.demo.servers import Broker, Influx, die_with_parent
from tests.backlog import owe_sales
from tests.helpers import eventually

SALES = 1_500


class Desk:
    def __init__(self, cloud: Cloud, machine: SimulatedMachine, influx: Influx, value_minor: int) -> None:
        self.cloud = cloud
        self.machine = machine
        self.influx = influx
        self.value_minor = value_minor

    def call(self, *words: str) -> tuple[int, Any]:
        done = CliRunner().invoke(main, ["--config", str(self.cloud.config), *words, "--json"])
        return done.exit_code, json.loads(done.stdout)

    def stored(self) -> tuple[int, int]:
        try:
            books = stored(self.influx.url, self.influx.database).get(self.machine.name)
        except NoDatabaseError:  # the cloud makes it when it starts
            books = None
        return (books.sales, books.value_minor) if books else (0, 0)

    def lose(self) -> None:
        """InfluxDB's disk, and the archive."""
        self.influx.kill()
        self.influx.wipe()
        shutil.rmtree(self.cloud.folder / "data" / "archive")
        self.cloud.stop()
        self.influx.start()
        self.cloud.start()
        eventually(lambda: "connected to" in self.cloud.log.read_text().rpartition("stopping")[2])

    def resends(self) -> int:
        return sum(row["name"] == "resend" for row in self.call("commands", "--limit", "1000")[1])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    value_minor = owe_sales(tmp_path / "m1", "m1", SALES)
    with (
        Broker(tmp_path / "mosquitto") as broker,
        Influx(tmp_path / "influxd") as influx,
        Cloud(tmp_path / "cloud", broker.port, influx.url, influx.database) as cloud,
        Link(broker.host, broker.port) as link,
    ):
        keys = make(cloud.keys, "desk", "operator")
        with SimulatedMachine("m1", tmp_path / "m1", link, 0.1, keys) as machine:
            machine.start()
            made = Desk(cloud, machine, influx, value_minor)
            eventually(lambda: made.stored() == (SALES, value_minor))
            eventually(lambda: machine.status().get("owed") == 0)
            yield made


def test_everything_the_machine_keeps_comes_back(desk: Desk) -> None:
    desk.lose()
    assert desk.stored() == (0, 0)
    words = [*("-m", "cloud", "--config", str(desk.cloud.config)), "rebuild", "--from-machines"]
    first = subprocess.Popen([sys.executable, *words], preexec_fn=die_with_parent)  # noqa: PLW1509
    eventually(desk.resends)
    first.kill()
    first.wait()

    code, (said,) = desk.call("rebuild", "--from-machines", "--machine", "m1")
    assert (code, said["missing"], said["gone"], said["trouble"]) == (0, [], 0, "")
    assert desk.stored() == (SALES, desk.value_minor)
    before = desk.resends()
    assert desk.call("rebuild", "--from-machines")[0] == 0  # nothing is missing: nothing is asked for
    assert desk.resends() == before
    assert desk.call("rebuild", "--from-machines", "--all-kept")[0] == 0
    assert desk.resends() == before + 1

    # What a machine no longer keeps is told, not waited for.
    desk.machine.stop()
    with closing(sqlite3.connect(desk.machine.folder / "data" / "journal.db")) as journal, journal:
        journal.execute("DELETE FROM record WHERE seq <= 100 OR seq BETWEEN 200 AND 204")
    desk.machine.start()
    desk.lose()
    code, (said,) = desk.call("rebuild", "--from-machines")
    assert (code, said["kept_from"], said["gone"], said["missing"]) == (1, 101, 100, [[200, 204]])
    assert desk.stored()[0] == SALES - 105
