"""`python -m tests.captures.record [NAME...]`: the captures of this folder and what comes of them, made anew.

Real machines' programs on simulated devices, a real broker, a real InfluxDB; the recorder of `vend-tap`. The
files have every byte: the keys and codes in them died with the folder in which the fleet lived.
"""

import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from cloud.commands.keys import make as make_key
from deploy.demo.fleet import Fleet, wait_for
from deploy.demo.machine import Books, SimulatedMachine
from deploy.demo.network import Link
from shared.answers import Answers
from shared.capture import Header, Message, read, read_header
from shared.capture.rotation import new
from shared.settings import MqttSettings
from shared.tap.link import Link as TapLink
from shared.tap.player import play
from shared.tap.recorder import Recorder
from tests.captures import outcome
from tests.captures.stories import KEY, STORIES, Stage

FOLDER = Path(__file__).parent


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(STORIES)))
@click.option("--results-only", is_flag=True, help="The captures stay; what comes of them is written anew.")
def main(names: Sequence[str], *, results_only: bool) -> None:
    """Record all stories, or those that are named, and write down what comes of them."""
    for name in names or STORIES:
        click.echo(f"{name} ...", err=True)
        with tempfile.TemporaryDirectory(prefix="vendlink-capture-") as folder:
            if results_only:
                known = json.loads((FOLDER / f"{name}.json").read_text())
                truth = {part: known[part] for part in ("hardware", "influx")}
            else:
                truth = record(name, Path(folder))
            results(name, truth, Path(folder))


def results(name: str, truth: dict[str, Any], folder: Path) -> None:
    path, scratch = FOLDER / f"{name}.mqtt.jsonl", folder / "outcome"
    scratch.mkdir()
    found = outcome.of(list(read(path)), read_header(path), scratch)
    (FOLDER / f"{name}.json").write_text(json.dumps({**truth, **found}, indent=1, sort_keys=True) + "\n")


def record(name: str, folder: Path) -> dict[str, Any]:
    """Returns what is in the real machines and in InfluxDB afterwards."""
    story, machines = STORIES[name]
    path = FOLDER / f"{name}.mqtt.jsonl"
    fresh = folder / path.name
    with Fleet(folder, ()) as fleet, ExitStack() as stack:
        keys = make_key(fleet.cloud.keys, KEY, "operator")
        broker = MqttSettings(host=fleet.broker.host, port=fleet.broker.port)
        heard = stack.enter_context(
            recording(broker, fresh, {"story": " ".join((story.__doc__ or "").split()), "command_keys": keys})
        )
        made = {machine: _machine(stack, fleet, folder, machine, keys) for machine in machines}
        for machine in made.values():
            wait_for(f"{machine.name} takes coins", machine.takes_coins)
            wait_for(f"{machine.name} is online", partial(_says, machine, "link_up", True))

        def say(topic: str, payload: bytes, qos: int) -> None:
            with TapLink(broker, _quiet) as link:
                retain = topic.endswith(("/prices", "/config", "/status"))
                play(link, [Message(0, 0, "out", topic, qos, retain, payload)], speed=None)

        story(Stage(fleet, made, heard, say))
        for machine in made.values():
            wait_for(f"nothing is owed by {machine.name}", partial(_says, machine, "owed", 0))
            wait_for(f"{machine.name} has no credit", partial(_says, machine, "phase", "idle"))
        stored = fleet.stored()
        truth = {m.name: asdict(m.hardware()) for m in made.values()}
        kept = {name: asdict(stored.get(name, Books(0, 0))) for name in truth}
        wait_for("the cloud has told everybody", lambda: _is_quiet(heard))
    path.write_bytes(fresh.read_bytes())
    return {"hardware": truth, "influx": kept}


def _machine(stack: ExitStack, fleet: Fleet, folder: Path, name: str, keys: str) -> SimulatedMachine:
    link = stack.enter_context(Link(fleet.broker.host, fleet.broker.port))
    machine = stack.enter_context(SimulatedMachine(name, folder / name, link, command_keys=keys))
    return machine.start()


@contextmanager
def recording(broker: MqttSettings, path: Path, about: dict[str, object]) -> Iterator[Answers]:
    """All that the broker carries for machines, in `path` and in what is yielded."""
    heard, over = Answers(), threading.Event()
    header = Header(
        time.time_ns(), "tests.captures.record", {"retain_as_published": True, "redacted": [], **about}
    )
    writer = new(path, header)

    def keep(messages: Sequence[Message]) -> None:
        writer.append(messages)
        heard.messages += messages

    with Recorder(broker, ["vend/v1/#"], keep, _quiet) as recorder:
        thread = threading.Thread(target=recorder.run, args=(over.is_set,), daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            over.set()
            thread.join()
            writer.close()


def _says(machine: SimulatedMachine, name: str, value: object) -> bool:
    return bool(machine.status().get(name) == value)


def _is_quiet(heard: Answers) -> bool:
    """Nothing came for a second."""
    return bool(heard.messages) and time.time_ns() - heard.messages[-1].at_ns > 10**9


def _quiet(_text: str) -> None:
    """Trouble that passes."""


if __name__ == "__main__":
    main()
