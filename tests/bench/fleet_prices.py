"""A price that changes at ten thousand machines: planned, applied, published by the cloud process.

Real broker, real cloud process, loopback; the machines are rows that said what they are, and one client that
counts what comes down.
"""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from cloud.database import make
from deploy.demo.fleet import Cloud, wait_for
from deploy.demo.servers import Broker
from shared import topics
from shared.messages import PriceList, Reported, SlotStock, Stock
from tests.bench.figures import Figure

MACHINES = 10_000
SLOTS = 40
AIM = "< 30 s"


@dataclass(frozen=True, slots=True)
class Change:
    """One fleet-wide change. `apply_s`: the command; `published_s`: from its start to the last message."""

    apply_s: float
    published_s: float
    command_mb: float
    cloud_mb: float
    messages: int


def measure(folder: Path) -> list[Figure]:
    change = fleet_wide_change(folder, MACHINES)
    how = f"{MACHINES:,} machines of {SLOTS} slots, one price of the fleet; from `vend-cloud apply`"
    return [
        Figure("fleet-wide price change, applied", (change.apply_s,), "s", f"{how} to its end", digits=1),
        Figure(
            "fleet-wide price change, published",
            (change.published_s,),
            "s",
            f"{how} to the last list at a subscriber",
            AIM,
            1,
        ),
        Figure("its command, memory", (change.command_mb,), "MB", "resident, at most", digits=0),
        Figure(
            "the cloud process meanwhile, memory", (change.cloud_mb,), "MB", "resident, at most", digits=0
        ),
    ]


def fleet_wide_change(folder: Path, machines: int) -> Change:
    """Measure one, after a first plan that every machine has followed."""
    with Broker(folder / "broker") as broker, _counting(broker.port) as counted:
        cloud = Cloud(folder / "cloud", broker.port, "http://127.0.0.1:9", "none")
        data = folder / "cloud" / "data"
        data.mkdir(parents=True)
        make(data / "store.db")
        _fill(data / "store.db", machines)
        path = folder / "plan.toml"
        path.write_text(_plan("1.50"))
        cloud.command("apply", str(path))
        with cloud:
            wait_for("the first lists", lambda: len(counted.versions) == machines, 120)
            path.write_text(_plan("1.60"))
            assert cloud._process is not None
            with _peak(cloud._process.pid) as cloud_mb:
                start_s = time.perf_counter()
                command_mb = _apply(cloud, path)
                apply_s = time.perf_counter() - start_s
                wait_for("every list", lambda: counted.at_least(2) == machines, 120)
                published_s = time.perf_counter() - start_s
        return Change(apply_s, published_s, command_mb, max(cloud_mb), counted.at_least(2))


def _plan(cola: str) -> str:
    slots = "\n".join(f'S{n} = {{ product = "p{n}", capacity = 10, par = 8 }}' for n in range(SLOTS))
    names = "\n".join(f'p{n} = "Product {n}"' for n in range(SLOTS))
    prices = "\n".join(f'p{n} = "{cola if n == 0 else "1.00"}"' for n in range(SLOTS))
    return (
        f"[products]\n{names}\n[planograms.std]\n{slots}\n"
        f'[fleet]\ncurrency = "EUR"\nplanogram = "std"\n[fleet.prices]\n{prices}\n'
    )


def _fill(path: Path, machines: int) -> None:
    prices = PriceList(version=0, currency="EUR", prices={f"S{n}": 100 for n in range(SLOTS)})
    reported = Reported(at_ns=1, prices=prices).model_dump_json()
    stock = Stock(
        at_ns=1,
        slots={f"S{n}": SlotStock(product=f"p{n}", count=5, capacity=10, par=8) for n in range(SLOTS)},
    ).model_dump_json()
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "INSERT INTO machine (machine, reported, stock) VALUES (?, ?, ?)",
            [(f"m{n:05}", reported, stock) for n in range(machines)],
        )


def _apply(cloud: Cloud, path: Path) -> float:
    """Run the command; its largest resident memory, MB."""
    command = [sys.executable, "-m", "cloud", "--config", str(cloud.config), "apply", str(path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process, _peak(process.pid) as memory:
        assert process.wait() == 0
    return max(memory)


@contextmanager
def _peak(pid: int) -> Iterator[list[float]]:
    """Resident memory of a process, looked at again and again."""
    seen, end = [0.0], threading.Event()

    def look() -> None:
        process = psutil.Process(pid)
        while not end.wait(0.05):
            try:
                seen.append(process.memory_info().rss / 1e6)
            except psutil.Error:
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join()


class _Counted:
    """The newest version of each machine's price list."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}

    def at_least(self, version: int) -> int:
        return sum(v >= version for v in list(self.versions.values()))

    def take(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        version = PriceList.model_validate_json(message.payload).version
        self.versions[message.topic] = max(version, self.versions.get(message.topic, 0))


@contextmanager
def _counting(port: int) -> Iterator[_Counted]:
    counted, subscribed = _Counted(), threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="counts", protocol=paho.MQTTv5)
    client.on_message = counted.take
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe(topics.PRICES.filter, 1)
    assert subscribed.wait(10)
    try:
        yield counted
    finally:
        client.disconnect()
        client.loop_stop()
