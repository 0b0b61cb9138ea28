"""Trouble at a real machine, written down by both commands and replayed by whoever gets the files."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from cloud.replay import IngestHandler
from cloud.replay import reported as judged
from deploy.demo.fleet import Fleet, buy, wait_for
from deploy.demo.machine import SLOTS, SimulatedMachine
from edge.replay import CoreHandler
from edge.replay import reported as machine_of
from edge.sim.motors import Outcome
from shared import topics
from shared.answers import Answers
from shared.capture import Message, read
from shared.messages import PriceList
from shared.replay import replay
from shared.settings import MqttSettings
from shared.tap.link import Link
from shared.tap.player import play


def test_both_reports_come_to_the_state_that_they_tell_of(tmp_path: Path) -> None:
    with Fleet(tmp_path, ("m1",)) as fleet:
        (machine,) = fleet.machines.values()
        wait_for("m1 takes coins", machine.takes_coins)
        wait_for("m1 is online", lambda: machine.status().get("link_up"))
        _trouble(fleet, machine)
        said = machine.status()
        at_edge, at_cloud = tmp_path / "edge.mqtt.jsonl", tmp_path / "cloud.mqtt.jsonl"
        words = ("--config", str(machine.config), "support", "--out", str(at_edge))
        subprocess.run([sys.executable, "-m", "edge", *words], check=True, capture_output=True)
        fleet.cloud.command("support", "--machine", "m1", "--out", str(at_cloud))
        stored = fleet.stored()["m1"]
        letters = Counter(row["code"] for row in fleet.cloud.json("dead-letters"))
    _the_machine(at_edge, tmp_path / "again", said)
    (tmp_path / "judged").mkdir()
    with judged(at_cloud, tmp_path / "judged") as (ingest, store, memory):
        replay(read(at_cloud), IngestHandler(ingest))
        sales = [fields for (series, _), fields in memory.points.items() if series.startswith("sale,")]
        assert len(sales) == stored.sales == 1
        assert Counter(row["code"] for row in store.dead_letters(100)) == letters == {"malformed": 1}


def _trouble(fleet: Fleet, machine: SimulatedMachine) -> None:
    """A sale, a jam and its coins back, a price list that cannot be, and a message that nobody can read."""
    buy(machine, "A1", (200,))
    machine.board.plan(SLOTS["A2"][0], Outcome.JAMMED)
    wait_for("m1 takes coins", machine.takes_coins)
    machine.insert(100)
    wait_for("m1 credits", lambda: machine.status()["credit_minor"] == 100)
    machine.press("A2")
    wait_for("the jam", lambda: machine.board.truth().runs.get(SLOTS["A2"][0]) == 1)
    wait_for("the credit is back", lambda: machine.status()["phase"] == "credit")
    machine.changer.press_lever()
    wait_for("the coins", lambda: machine.status()["phase"] == "idle")
    fleet.cloud.command("prices", "set", "--all", "A1=1.80")
    wait_for("the new price", lambda: machine.status()["prices"]["A1"] == 180)
    wrong = PriceList(version=9, currency="EUR", prices={"A1": 100})
    broker = MqttSettings(host=fleet.broker.host, port=fleet.broker.port)
    with Link(broker, lambda _text: None) as link:
        for topic, payload in (
            (topics.PRICES, wrong.model_dump_json().encode()),
            (topics.SALE, b"\xc1"),
        ):
            play(link, [Message(0, 0, "out", topic.of("m1"), topic.qos, topic.retained, payload)], speed=None)
    wait_for("the letter", lambda: fleet.cloud.json("dead-letters"))
    wait_for("m1 owes nothing", lambda: machine.status()["owed"] == 0)


def _the_machine(path: Path, folder: Path, said: dict[str, Any]) -> None:
    folder.mkdir()
    with machine_of(path, folder) as core:
        answers = replay(read(path), CoreHandler(core))
        assert core.state.prices.version == said["price_version"]
        assert {slot: core.state.price_minor(slot, "cash") for slot in SLOTS} == said["prices"]
        journal = Answers(read(path)).on("vend/v1/m1/event", kind="vend_failed")
        assert len(journal) >= 1, "the jam is in the file"
        kept = core.journal.between(1, said["stored"])
        assert Counter(one.state for one in kept) == {"stored": said["stored"]}
    (refused,) = {json.dumps(r["refused"]) for r in answers.on("vend/v1/m1/reported") if r["refused"]}
    assert "slot A2 has no price" in refused
