"""The tap: how fast a capture is replayed while another process records it, and what memory that takes."""

import itertools
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

from shared import codec, topics
from shared.capture import Header, Message, read
from shared.capture.rotation import new
from shared.servers import Mosquitto
from shared.settings import MqttSettings
from shared.tap.link import Link
from shared.tap.player import play
from tests.bench.figures import Figure

COUNT = 100_000
ROOT = Path(__file__).parents[2]
SALE = codec.pack([{"seq": 1, "filler": "x" * 190}])
RUNS = 3


def measure(folder: Path) -> list[Figure]:
    with Mosquitto(folder / "mosquitto") as broker:
        rates = tuple(_recorded(folder / f"run-{run}", broker.port) for run in range(RUNS))
        growth = _peak(folder, broker.port, 20_000) / _peak(folder, broker.port, 2_000)
    how = f"{COUNT:,} sales, QoS 1, recorded by another process at the same time; nothing lost or changed"
    return [
        Figure("capture replayed to a broker", rates, "messages/s", how, "> 5,000"),
        Figure("memory for a capture ten times as long", (growth,), "times", "peak of allocations", "1", 2),
    ]


def _write(path: Path, count: int) -> None:
    writer = new(path, Header(0, "bench"))
    properties = {"ContentType": "application/msgpack"}
    topic = topics.SALE.of("m1")
    source = (
        Message(n, n, "in", topic, 1, False, SALE + bytes(str(n), "ascii"), properties) for n in range(count)
    )
    while batch := list(itertools.islice(source, 1_000)):
        writer.append(batch)
    writer.close()


def _recorded(folder: Path, port: int) -> float:
    """Messages a second until the recorder has the last one on its disk."""
    folder.mkdir()
    source, heard = folder / "source.mqtt.jsonl", folder / "heard.mqtt.jsonl"
    _write(source, COUNT)
    command = [
        sys.executable,
        "-m",
        "shared.tap",
        "record",
        str(heard),
        "--port",
        str(port),
        "--with-secrets",
    ]
    with subprocess.Popen(
        [*command, "--count", str(COUNT)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        begin_s = time.monotonic()
        _play(source, port)
        process.wait()
        seconds = time.monotonic() - begin_s
    pairs = itertools.zip_longest(read(source), read(heard))
    assert all(
        (a.topic, a.payload, a.qos, a.retain, a.properties)
        == (b.topic, b.payload, b.qos, b.retain, b.properties)
        for a, b in pairs
    )
    return COUNT / seconds


def _play(path: Path, port: int) -> None:
    with Link(MqttSettings(port=port), print) as link:
        play(link, read(path), speed=None)
    assert not link.refused


def _peak(folder: Path, port: int, count: int) -> int:
    path = folder / f"{count}.mqtt.jsonl"
    _write(path, count)
    tracemalloc.start()
    _play(path, port)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
