"""A whole machine says how it is: real bytes from changer and board, real threads, a real broker."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from deploy.demo.machine import COINS_MINOR, SimulatedMachine
from deploy.demo.network import Link
from deploy.demo.servers import Broker
from tests.helpers import eventually

TUBES = (60, 60, 60, 60)
TOPIC = "vend/v1/m1/health"


@contextmanager
def healths(broker: Broker) -> Iterator[list[dict[str, Any]]]:
    """What the machine says of itself, as it comes in."""
    heard: list[dict[str, Any]] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda client, *_: client.subscribe(TOPIC, qos=1)
    client.on_message = lambda _client, _data, message: heard.append(json.loads(message.payload))
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_machine_that_is_back_tells_the_cloud_all_that_the_hardware_holds(tmp_path: Path) -> None:
    with (
        Broker(tmp_path / "mosquitto") as broker,
        healths(broker) as heard,
        Link(broker.host, broker.port) as link,
        SimulatedMachine("m1", tmp_path / "m1", link, motor_run_s=0.1) as machine,
    ):
        machine.config.write_text(machine.config.read_text() + "[xy]\nmachine_status = true\n")
        machine.board.degrees = 6
        machine.start()
        eventually(machine.takes_coins)
        machine.insert(200)  # has no tube
        eventually(lambda: machine.status()["credit_minor"] == 200)
        machine.press("B1")
        eventually(lambda: machine.status()["sales"] == 1 and machine.status()["phase"] == "idle")
        link.cut()
        machine.board.door_open = True
        eventually(lambda: machine.status()["visit"])
        link.restore()
        said = eventually(lambda: next((one for one in heard if one.get("door_open")), None))
        assert said is not None
        float_minor = sum(n * value for n, value in zip(TUBES, COINS_MINOR, strict=False))
        assert (said["cashbox_minor"], said["stacker_minor"]) == (200, 0)
        assert said["stacker_notes"] > 0, "the validator's own count, which no collection resets"
        assert said["cashbox_minor"] + said["tubes_minor"] - float_minor == machine.hardware().value_minor
        assert {tube["coin_minor"]: tube["count"] for tube in said["tubes"]} == {
            5: 60,
            10: 60,
            20: 60,
            50: 58,
        }
        assert said["temperatures"] == {"board": 6.0}
        assert "recycler_minor" not in said
        assert said["disk_free_mb"] > 0
        assert said["link"]["reconnects_24h"] >= 1
        assert machine.status()["temperatures"] == {"board": 6.0}
        eventually(lambda: machine.status()["round_trip_ms"])
