"""One machine's process under kill -9, a full disk, a second process, bad price lists."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.fleet import Fleet
from deploy.demo.machine import SimulatedMachine
from deploy.demo.network import Link
from deploy.demo.servers import Broker
from tests.helpers import eventually


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[SimulatedMachine]:
    """A machine whose network is down."""
    with Broker(tmp_path / "mosquitto") as broker, Link(broker.host, broker.port) as link:
        link.cut()
        with SimulatedMachine("m1", tmp_path / "m1", link, motor_run_s=0.1) as machine:
            yield machine


def _shop(machine: SimulatedMachine, rng: random.Random, until_s: float) -> None:
    """A customer who does not care whether the machine is alive, and needs a moment for each coin."""
    pace = threading.Event()
    while time.monotonic() < until_s:
        if rng.random() < 0.05:
            machine.reader.show_card()
        elif machine.takes_coins():
            machine.insert(rng.choice((50, 20, 10)))
            if rng.random() < 0.1:
                machine.insert_note(500)
        if rng.random() < 0.15:  # the board passes on five keys a second at most
            machine.press(rng.choice(("A1", "A2", "B1")))
        pace.wait(0.05)


@pytest.mark.timeout(300)  # six lives, a vend in doubt, and a reconnect whose pause has grown
def test_killed_at_any_moment_while_selling_offline(tmp_path: Path) -> None:
    rng, kills = random.Random(3), 6
    with Fleet(tmp_path, ["m1"]) as fleet:
        machine = fleet.machines["m1"]
        eventually(machine.takes_coins)
        machine.link.cut()
        for _ in range(kills):
            _shop(machine, rng, time.monotonic() + rng.uniform(1.0, 8.0))  # starting up takes about 2 s of it
            machine.kill()
            machine.start()
        (machine.folder / "status.json").unlink(missing_ok=True)
        eventually(lambda: machine.status().get("tenders", {}).get("cash", {}).get("available"), 60)
        # Coins that were in the customer's hand when the last life ended fall one after the other.
        eventually(lambda: machine.changer.truth().quiet_polls > 1, 60)
        eventually(lambda: machine.status()["phase"] in {"idle", "credit"}, 60)
        assert not machine.status()["link_up"]
        machine.link.restore()
        eventually(lambda: machine.status()["owed"] == 0, 60)
        status = machine.status()
        machine.stop()

        records = machine.records()
        sales = [record for record in records if record["kind"] == "sale"]
        doubtful = [record for record in sales if record["outcome"] == "doubtful"]
        assert sales  # a vend in doubt waits 20 s for the board's word, longer than most lives here
        assert len(doubtful) <= kills
        assert len(sales) - len(doubtful) <= machine.hardware().sales <= len(sales)
        # Every cent is a sale, was paid back, is owed, or is still credit. What a reader charged in the
        # moment when nobody was there to hear of it is named.
        sold_minor = sum(sale["paid_minor"] for sale in sales)
        owed_minor = sum(record["amount_minor"] for record in records if record["kind"] == "owed")
        unheard = [r for r in records if r["kind"] == "fault" and r["code"] == "authorisation_in_doubt"]
        unknown_minor = machine.hardware().value_minor - sold_minor - owed_minor - status["credit_minor"]
        assert unknown_minor >= 0
        assert unknown_minor <= 150 * len(unheard)
        # And the cloud has each sale once, in order, with its own time.
        rows = fleet.query('SELECT "seq", "price_minor", "outcome" FROM "sale"')
        names = ("seq", "price_minor", "outcome")
        assert [(row["time"], *(row[n] for n in names)) for row in rows] == [
            (sale["at_ns"], *(sale[n] for n in names)) for sale in sales
        ]


def test_inserted_credit_survives_a_kill(offline: SimulatedMachine) -> None:
    machine = offline.start()
    eventually(machine.takes_coins)
    machine.insert(50)
    eventually(lambda: machine.status()["credit_minor"] == 50)
    machine.kill()
    (machine.folder / "status.json").unlink()
    machine.start()
    eventually(lambda: machine.status().get("credit_minor") == 50)


def test_a_second_process_is_refused(offline: SimulatedMachine) -> None:
    machine = offline.start()
    eventually(machine.takes_coins)
    second = subprocess.run(
        [sys.executable, "-m", "edge", "--config", str(machine.config), "run"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 4
    assert "in use by another process" in second.stderr
    assert machine.takes_coins()


def test_full_disk_stops_sales_with_a_reason_and_room_resumes_them(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("a small disk needs a mount namespace, which this container or chroot does not give")
    disk = tmp_path / "disk"
    disk.mkdir()
    with (
        Broker(tmp_path / "mosquitto") as broker,
        Link(broker.host, broker.port) as link,
        SimulatedMachine("m1", tmp_path / "m1", link, motor_run_s=0.1) as machine,
    ):
        settings = machine.config.read_text().replace(f"{machine.folder}/data", str(disk))
        machine.config.write_text(settings)
        script = 'mount -t tmpfs -o size=24m none "$1" && shift && exec "$@"'
        edge = [sys.executable, "-m", "edge", "--config", str(machine.config), "run"]
        process = subprocess.Popen(
            ["unshare", "-rm", "sh", "-c", script, "sh", str(disk), *edge], stderr=subprocess.DEVNULL
        )
        try:
            inside = Path(f"/proc/{process.pid}/root{disk}")
            eventually(machine.takes_coins)
            machine.insert(100)
            eventually(lambda: machine.status()["credit_minor"] == 100)
            filler = inside / "filler"
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, 20 * 1024 * 1024)
            eventually(lambda: machine.status()["tenders"]["cash"]["reason"] == "journal disk full")
            eventually(lambda: not machine.takes_coins())
            machine.press("B1")
            eventually(lambda: machine.status()["message"] == "out of service: journal disk full")
            filler.unlink()
            eventually(machine.takes_coins)
            assert machine.status()["credit_minor"] == 100
            machine.press("B1")
            eventually(lambda: machine.status()["sales"] == 1)
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", None),  # a broker delivers an empty retained message as such only while it is live
        (b"{not json", "Invalid JSON"),
        (b'{"v":1,"version":9,"currency":"EUR","prices":{}}', "at least 1 item"),
        (b'{"v":1,"version":0,"currency":"EUR","prices":{"A1":1,"A2":1,"B1":1}}', "not newer"),
        (b'{"v":1,"version":9,"currency":"EUR","prices":{"A1":1,"A2":1,"B1":-5}}', "greater than"),
        (b'{"v":1,"version":9,"currency":"EUR","prices":{"A1":1,"Z9":1,"A2":1,"B1":1}}', "Z9 does not exist"),
    ],
)
def test_a_bad_price_list_is_refused_with_a_reason(
    tmp_path: Path, payload: bytes, reason: str | None
) -> None:
    import paho.mqtt.publish as mqtt_publish

    with Fleet(tmp_path, ["m1"]) as fleet:
        machine = fleet.machines["m1"]
        eventually(lambda: machine.status().get("link_up"))
        eventually(lambda: [r["reported"] for r in fleet.cloud.json("machines") if r["reported"]])
        mqtt_publish.single(
            "vend/v1/m1/prices", payload, qos=1, hostname=fleet.broker.host, port=fleet.broker.port
        )

        def refused() -> str | None:
            (row,) = fleet.cloud.json("machines")
            said = row["reported"]["refused"]
            return None if said is None else str(said["reason"])

        said = eventually(refused)
        assert said is not None
        assert (reason or "never cleared") in said
        assert machine.status()["prices"] == {"A1": 150, "A2": 90, "B1": 100}


def test_settings_mistakes_are_said_in_words(tmp_path: Path) -> None:
    config = tmp_path / "edge.toml"
    config.write_text('machine = "M 1"\ncolour = "red"\n')
    done = subprocess.run(
        [sys.executable, "-m", "edge", "--config", str(config), "run"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "colour" in done.stderr
    assert "machine" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.dumps(done.stdout) == '""'
