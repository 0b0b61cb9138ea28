"""Commands from the command line to a machine and back, through a real broker, in both protocols."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from click.testing import CliRunner

from cloud.__main__ import main
from cloud.commands.keys import make
from cloud.config import InfluxSettings
from deploy.demo.fleet import Cloud
from deploy.demo.machine import SimulatedMachine
from deploy.demo.network import Link
from deploy.demo.servers import Broker
from edge.technician import status
from edge.technician.trouble import EXIT_RESTART
from shared import capture
from tests.helpers import eventually


class Desk:
    """A cloud, and a machine that obeys its key `desk`."""

    def __init__(self, cloud: Cloud, machine: SimulatedMachine) -> None:
        self.cloud = cloud
        self.machine = machine

    def say(self, *words: str) -> Any:  # noqa: ANN401  # whatever that command prints
        done = CliRunner().invoke(main, ["--config", str(self.cloud.config), *words, "--json"])
        return json.loads(done.stdout)

    def command(self, *words: str) -> dict[str, Any]:
        row: dict[str, Any] = self.say("command", self.machine.name, *words)
        return row

    def state(self, command: str) -> str:
        (row,) = [row for row in self.say("commands") if row["id"] == command]
        return str(row["state"])


_P = TypeVar("_P", Cloud, SimulatedMachine)


def _speaking(protocol: str, program: _P) -> _P:
    """The program before its start, with this version of MQTT in its settings."""
    text = program.config.read_text().replace("[mqtt]\n", f'[mqtt]\nprotocol = "{protocol}"\n')
    program.config.write_text(text)
    return program


@pytest.fixture
def desk(
    request: pytest.FixtureRequest, tmp_path: Path, influx: InfluxSettings, machine: str
) -> Iterator[Desk]:
    with (
        Broker(tmp_path / "mosquitto") as broker,
        _speaking(
            request.param, Cloud(tmp_path / "cloud", broker.port, influx.url, influx.database)
        ) as cloud,
        Link(broker.host, broker.port) as link,
    ):
        keys = make(cloud.keys, "desk", "operator")
        with SimulatedMachine(machine, tmp_path / machine, link, 0.1, keys) as simulated:
            _speaking(request.param, simulated).start()
            made = Desk(cloud, simulated)
            eventually(lambda: [m for m in made.say("machines") if m["status"]])
            eventually(simulated.takes_coins)
            yield made


@pytest.mark.parametrize("desk", ["5"], indirect=True)
def test_a_day_at_the_desk(desk: Desk) -> None:
    machine = desk.machine
    given = desk.command("free-vend", "A1")
    assert (given["state"], given["code"], given["role"]) == ("done", "delivered", "operator")
    assert machine.hardware().sales == 1
    assert _correlated(desk.cloud.folder / "data" / "archive") == {given["id"]}
    assert desk.command("stock", "A1=7")["state"] == "done"
    assert machine.status()["stock"]["A1"] == 7

    assert desk.command("lock", "--reason", "flood")["state"] == "done"
    eventually(lambda: not machine.takes_coins())
    assert machine.status()["tenders"]["cash"]["reason"] == "flood"
    assert desk.command("free-vend", "A1")["text"] == "out of service: flood"
    assert desk.command("unlock")["state"] == "done"
    assert desk.command("lock", "B1", "--reason", "leaks")["state"] == "done"
    shown = status.text(machine.status())
    assert "B1  200 left at 1.00 EUR (not for sale: leaks)" in shown
    assert "refused: 1 not_now" in shown
    eventually(machine.takes_coins)

    eventually(lambda: machine.status()["owed"] == 0)
    assert desk.command("resend", "1..3")["result"] == {"records": 3}
    eventually(lambda: machine.status()["owed"] == 0)

    assert desk.command("restart")["state"] == "done"
    edge = machine._edge
    assert edge is not None
    assert edge.wait(10) == EXIT_RESTART
    assert "Traceback" not in (machine.folder / "edge.log").read_text()
    (machine.folder / "status.json").unlink()
    machine.start()  # as what supervises it does
    eventually(lambda: machine.status().get("devices", {}).get("changer") == "")
    said = desk.command("support")
    assert said["state"] == "done"
    assert "R,09" in said["result"]["recording"], "the changer was asked for its setup"


def _correlated(archive: Path) -> set[str]:
    """What the archived replies say that they answer."""
    messages = (message for path in archive.iterdir() for message in capture.read(path))
    correlated = (m.properties["CorrelationData_b64"] for m in messages if m.topic.endswith("/reply"))
    return {base64.b64decode(data).hex() for data in correlated}


@pytest.mark.parametrize("desk", ["3.1.1"], indirect=True)
def test_an_answer_comes_when_the_link_does(desk: Desk) -> None:
    """One waits for the link and is carried out; one is late by then, though the old protocol brings it."""
    machine = desk.machine
    machine.link.cut()
    eventually(lambda: not machine.status()["link_up"])
    late = desk.command("free-vend", "A1", "--deadline", "1", "--no-wait")
    given = desk.command("free-vend", "A2", "--no-wait")
    assert (late["state"], given["state"]) == ("waiting", "waiting")
    eventually(lambda: desk.state(late["id"]) == "no answer")
    machine.link.restore()
    eventually(lambda: desk.state(given["id"]) == "done")
    eventually(lambda: desk.state(late["id"]) == "expired")
    assert machine.hardware().sales == 1
