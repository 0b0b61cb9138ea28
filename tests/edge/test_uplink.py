"""The link to a real broker, and how long a machine waits before it connects again."""

import queue
import random
import threading
from itertools import pairwise

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from deploy.demo.servers import Broker
from edge.lineage import WATERMARK_WAIT_S
from edge.link_events import Connected, Disconnected, PubAcked, Publish
from edge.uplink import Uplink, UplinkEvent, next_pause_s
from shared.settings import MqttSettings
from tests.helpers import eventually

STEADY_S = 60.0
STATUS = Publish("vend/v1/m-1/status", b"{}", 1, True, "application/json")
PUBLISHED = 200


def raise_it(error: BaseException) -> None:
    raise error


def test_one_thread_alone_touches_the_socket_whoever_publishes(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers: set[str] = set()
    send = mqtt.Client._sock_send

    def spy(client: mqtt.Client, data: bytes) -> int:
        writers.add(threading.current_thread().name)
        return send(client, data)

    monkeypatch.setattr(mqtt.Client, "_sock_send", spy)
    events: queue.Queue[UplinkEvent] = queue.Queue()
    uplink = Uplink(MqttSettings(port=broker.port), "m-1", lambda: STATUS, events.put, raise_it)
    uplink.start()
    assert isinstance(events.get(timeout=10), Connected)
    for token in range(PUBLISHED):
        uplink.publish(Publish("vend/v1/m-1/sale", bytes(2_000), 1, False, "application/msgpack", token))
    acked = [events.get(timeout=10) for _ in range(PUBLISHED)]
    uplink.stop()
    assert {event.token for event in acked if isinstance(event, PubAcked)} == set(range(PUBLISHED))
    assert isinstance(events.get(timeout=10), Disconnected)
    assert writers == {"uplink"}


def test_a_machine_that_ends_is_offline_for_all(broker: Broker) -> None:
    """A goodbye would take the will back, and the status that was said last would stay."""
    events: queue.Queue[UplinkEvent] = queue.Queue()
    uplink = Uplink(MqttSettings(port=broker.port), "m-1", lambda: STATUS, events.put, raise_it)
    uplink.start()
    assert isinstance(events.get(timeout=10), Connected)
    uplink.publish(Publish(STATUS.topic, b"online", 1, True, "application/json", 1))
    assert isinstance(events.get(timeout=10), PubAcked)
    uplink.stop()
    heard: queue.Queue[bytes] = queue.Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "reader")
    client.on_message = lambda _client, _data, message: heard.put(bytes(message.payload))
    client.connect(broker.host, broker.port)
    client.subscribe(STATUS.topic, 1)
    client.loop_start()
    eventually(lambda: heard.get(timeout=10) == STATUS.payload)
    client.disconnect()
    client.loop_stop()


def test_a_steady_link_that_breaks_is_tried_again_at_once_and_then_ever_less_often() -> None:
    pauses_s = [next_pause_s(30.0, STEADY_S)]
    for _ in range(10):
        pauses_s.append(next_pause_s(pauses_s[-1], 0.0))
    assert pauses_s[0] <= 0.5
    assert all(earlier < later or later == pauses_s[-1] for earlier, later in pairwise(pauses_s))
    assert pauses_s[-1] == 30.0


@pytest.mark.parametrize("seed", range(20))
def test_two_clones_that_take_the_link_from_one_another_both_have_turns_to_be_heard(seed: int) -> None:
    """In virtual time: who connects throws the other one out, who then waits its pause."""
    rng = random.Random(seed)
    pause_s = {"one": 0.0, "other": 0.0}
    returns_s = {"one": 0.0, "other": rng.random()}
    turns_s: dict[str, list[float]] = {"one": [], "other": []}
    holder, since_s = "", 0.0
    for _ in range(30):
        comer = min(returns_s, key=lambda name: returns_s[name])
        now_s = returns_s.pop(comer)
        if holder:
            turns_s[holder].append(now_s - since_s)
            pause_s[holder] = next_pause_s(pause_s[holder], now_s - since_s)
            returns_s[holder] = now_s + pause_s[holder] * rng.uniform(0.5, 1.0)
        holder, since_s = comer, now_s
    for lasted_s in turns_s.values():
        # Nothing is sent before the watermark's wait is over; a slow cloud needs as long again for receipts.
        assert sum(turn_s > 3 * WATERMARK_WAIT_S for turn_s in lasted_s) >= 2
