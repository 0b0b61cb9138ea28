"""Recorded from and replayed to a real Mosquitto: nothing lost, nothing changed."""

import itertools
import random
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.network import Link as Cable
from deploy.demo.servers import Broker
from shared.capture import Header, Message, read
from shared.capture.rotation import new
from shared.settings import MqttSettings
from shared.tap.link import Link, LinkError
from shared.tap.player import play
from shared.tap.recorder import Recorder
from shared.testing import TestBroker
from tests.tap.messages import START_NS, message, sales

COUNT = 100_000
ROOT = Path(__file__).parents[2]


def settings(port: int) -> MqttSettings:
    return MqttSettings(port=port, keepalive_s=5)


@contextmanager
def recording(port: int, path: Path, count: int) -> Iterator[Callable[[], None]]:
    """The program, in a process of its own. Yields what waits until so many messages are in the file."""
    command = [sys.executable, "-m", "shared.tap", "record", str(path), "--port", str(port), "--with-secrets"]
    with subprocess.Popen(
        [*command, "-t", "vend/#", "--count", str(count)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            assert "Ctrl-C ends" in process.stderr.readline()
            yield lambda: _ended(process)
        finally:
            process.kill()


def _ended(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    said = process.stderr.read()
    assert process.wait(200) == 0, said
    assert len(said.splitlines()) == 1, said


def replayed(port: int, messages: Iterable[Message]) -> list[str]:
    said: list[str] = []
    with Link(settings(port), said.append) as link:
        play(link, messages, speed=None)
    assert not link.refused
    assert not link.unconfirmed
    return said


def content(those: Iterator[Message]) -> Iterator[tuple[object, ...]]:
    """All that a broker carries of a message."""
    return ((m.topic, m.payload, m.qos, m.retain, m.properties) for m in those)


def everything(count: int) -> Iterator[Message]:
    """Every QoS, retained and not, all properties, empty, binary and large payloads."""
    noise = random.Random(7).randbytes(6_000)
    for number in range(count):
        properties: dict[str, Any] = {}
        if number % 2:
            properties["ContentType"] = "application/msgpack"
        if number % 10 == 0:
            properties |= {
                "ResponseTopic": f"vend/v1/m{number % 7}/reply",
                "CorrelationData_b64": "AP//IA==",
                "UserProperty": [["b", "1"], ["a", "é"], ["b", "2"]],
                "PayloadFormatIndicator": 0,
            }
        size = 5_000 if number % 1_000 == 0 else (0, 1, 60, 212)[number % 4]
        yield message(
            f"vend/v1/m{number % 7}/{'prices' if number % 50 == 0 else 'sale'}",
            b"" if number % 500 == 1 else number.to_bytes(4, "big") + noise[number % 900 :][:size],
            t_ns=number,
            qos=1 if number % 20 else number // 20 % 3,
            retain=number % 50 == 0,
            **properties,
        )


@pytest.mark.timeout(300)
def test_many_messages_are_recorded_and_replayed_unchanged(vend_broker: TestBroker, tmp_path: Path) -> None:
    """In order too, as MQTT has it: among those of one quality of service."""
    original, heard = tmp_path / "original.mqtt.jsonl", tmp_path / "heard.mqtt.jsonl.gz"
    writer = new(original, Header(START_NS, "test"))
    source = everything(COUNT)
    while batch := list(itertools.islice(source, 1_000)):
        writer.append(batch)
    writer.close()
    with recording(vend_broker.port, heard, COUNT) as wait:
        assert replayed(vend_broker.port, read(original)) == [], "the connection was never lost"
        wait()
    for qos in range(3):
        sent, got = (content(m for m in those if m.qos == qos) for those in (everything(COUNT), read(heard)))
        wrong = [number for number, (a, b) in enumerate(itertools.zip_longest(sent, got)) if a != b]
        assert not wrong
    times = [m.t_ns for m in read(heard)]
    assert times == sorted(times)


def test_a_cut_connection_loses_nothing_that_has_a_quality_of_service(broker: Broker, tmp_path: Path) -> None:
    sent = [sales("m1", n) for n in range(2_000)]
    with Cable(broker.host, broker.port) as to_recorder, Cable(broker.host, broker.port) as to_player:
        heard: list[Message] = []
        said: list[str] = []
        last = sent[-1].payload
        is_over = threading.Event()

        def keep(messages: Sequence[Message]) -> None:
            heard.extend(messages)
            if any(m.payload == last for m in messages):
                is_over.set()

        ready = threading.Event()

        def run() -> None:
            with Recorder(settings(to_recorder.port), ["vend/#"], keep, said.append) as recorder:
                ready.set()
                recorder.run(is_over.is_set)

        thread = threading.Thread(target=run)
        thread.start()
        assert ready.wait(10)

        def messages() -> Iterator[Message]:
            for number, one in enumerate(sent):
                if number in {500, 1_500}:
                    to_player.cut()
                    to_player.restore()
                if number == 1_000:
                    to_recorder.cut()
                    to_recorder.restore()
                yield one

        replayed(to_player.port, messages())
        thread.join(30)
        assert not thread.is_alive()
    first: dict[bytes, int] = {}
    for place, one in enumerate(heard):
        first.setdefault(one.payload, place)
    assert list(first) == [m.payload for m in sent]
    assert any("connected again" in text for text in said)
    assert not any("forgotten" in text for text in said)


def test_a_broker_that_has_forgotten_the_recorder_is_said_and_recording_goes_on(broker: Broker) -> None:
    heard: list[Message] = []
    said: list[str] = []
    with Recorder(settings(broker.port), ["vend/#"], heard.extend, said.append) as recorder:
        broker.kill()
        broker.start()
        recorder.run(lambda: any("forgotten" in text for text in said))
        replayed(broker.port, [sales("m1", 1)])
        recorder.run(lambda: bool(heard))
    assert [m.payload for m in heard] == [sales("m1", 1).payload]
    assert "the connection is lost" in said[0]


def test_another_client_of_the_same_name_ends_it_with_a_word(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that take turns at one name would both be deaf half of the time."""
    monkeypatch.setattr("secrets.token_hex", lambda _bytes: "same")
    with Link(settings(broker.port), print) as first, Link(settings(broker.port), print) as second:

        def take_turns() -> None:
            for _ in range(100):
                first.turn(0.3)
                second.turn(0.3)

        with pytest.raises(LinkError, match="another program under our name"):
            take_turns()


def test_a_message_is_acknowledged_when_it_was_kept_and_not_before(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a recorder that dies leaves to the broker what is not on its disk."""
    steps: list[str] = []

    def keep(messages: Sequence[Message]) -> None:
        if not steps:
            steps.append("full disk")
            raise OSError(28, "No space left on device")
        steps.extend("kept" for _ in messages)

    said: list[str] = []
    with Recorder(settings(broker.port), ["vend/#"], keep, said.append, most=3) as recorder:
        real = recorder.link.acknowledge

        def acknowledge(mid: int, qos: int, connection: int) -> None:
            steps.append("acknowledged")
            real(mid, qos, connection)

        monkeypatch.setattr(recorder.link, "acknowledge", acknowledge)
        replayed(broker.port, [sales("m1", n) for n in range(3)])
        recorder.run(lambda: False)
    assert "No space left" in said[0]
    kept = [place for place, step in enumerate(steps) if step == "kept"]
    done = [place for place, step in enumerate(steps) if step == "acknowledged"]
    assert len(kept) == len(done) == 3
    assert all(before < after for before, after in zip(kept, done, strict=True))


def test_retained_messages_are_told_from_news(broker: Broker, tmp_path: Path) -> None:
    old = message("vend/v1/m1/prices", b"old", retain=True)
    new_one = message("vend/v1/m1/config", b"new", retain=True)
    replayed(broker.port, [old])
    with recording(broker.port, tmp_path / "r.mqtt.jsonl", 3) as wait:
        replayed(broker.port, [new_one, sales("m1", 1)])
        wait()
    assert [m.retain for m in read(tmp_path / "r.mqtt.jsonl")] == [True, True, False]


def test_the_old_protocol_is_spoken_too(broker: Broker) -> None:
    old = MqttSettings(port=broker.port, keepalive_s=5, protocol="3.1.1")
    heard: list[Message] = []
    with Recorder(old, ["vend/#"], heard.extend, print, most=3) as recorder, Link(old, print) as link:
        play(link, [sales("m1", n) for n in range(3)], speed=None)
        recorder.run(lambda: False)
    assert [(m.payload, m.properties) for m in heard] == [(sales("m1", n).payload, {}) for n in range(3)]


def test_speed_paces_what_was_minutes_apart(broker: Broker) -> None:
    """10 virtual minutes at a thousand times their speed take 0.6 s, and as fast as it goes takes less."""
    spread = [sales("m1", n, t_ns=n * 100 * 10**9) for n in range(7)]
    with Link(settings(broker.port), print) as link:
        begin = time.monotonic()
        assert play(link, spread, speed=1_000.0) == 7
        paced_s = time.monotonic() - begin
        begin = time.monotonic()
        assert play(link, spread, speed=None) == 7
        assert time.monotonic() - begin < paced_s
        assert paced_s >= 0.6
    assert link.unheard == 14


def test_what_no_broker_carries_is_said_and_the_rest_goes_on(broker: Broker, tmp_path: Path) -> None:
    bad = [
        *(message("vend/+/x", b"1"), message("vend/x", b"2", Unknown="x"), message("", b"3")),
        message("vend/x", bytes(300_000)),  # over it the broker would end the connection, each time anew
    ]
    with recording(broker.port, tmp_path / "r.mqtt.jsonl", 1) as wait:
        with Link(settings(broker.port), print) as link:
            play(link, [*bad, sales("m1", 1)], speed=None)
        wait()
    assert link.refused.total() == 4
    assert [m.topic for m in read(tmp_path / "r.mqtt.jsonl")] == ["vend/v1/m1/sale"]


def test_a_broker_that_is_not_there_is_said() -> None:
    with pytest.raises(LinkError, match="is the broker there"), Link(settings(9), print):
        pass


def test_memory_does_not_grow_with_the_length_of_a_capture(broker: Broker, tmp_path: Path) -> None:
    peaks = []
    for count in (500, 4_000):
        path = tmp_path / f"{count}.mqtt.jsonl"
        writer = new(path, Header(START_NS, "test"))
        writer.append([message("x/y", bytes(1_000)) for _ in range(count)])
        writer.close()
        tracemalloc.start()
        replayed(broker.port, read(path))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5, peaks
