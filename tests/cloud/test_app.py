"""The cloud process between a real broker and a real database, and its command line."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from aiomqtt import MqttError

from cloud import app, service
from cloud.config import CloudSettings, InfluxSettings
from cloud.influx import Influx
from deploy.demo.fleet import Cloud
from deploy.demo.servers import Broker
from deploy.demo.servers import Influx as InfluxServer
from shared import capture, codec, topics
from tests.cloud.far_end import Machine
from tests.cloud.records import boot, sale
from tests.helpers import eventually


@pytest.fixture
def cloud(tmp_path: Path, broker: Broker, influx: InfluxSettings) -> Iterator[Cloud]:
    with Cloud(tmp_path / "cloud", broker.port, influx.url, influx.database) as process:
        yield process


@pytest.fixture
def far(broker: Broker, machine: str) -> Iterator[Machine]:
    with Machine(machine, broker.port) as client:
        yield client


def is_listening(cloud: Cloud) -> bool:
    return "connected to" in (cloud.folder / "cloud.log").read_text()


def seqs_in(influx: InfluxSettings, machine: str, measurement: str = "sale") -> list[int]:
    async def ask() -> list[dict[str, Any]]:
        async with Influx(influx) as client:
            return await client.query(f'SELECT "seq" FROM "{measurement}" WHERE "machine" = \'{machine}\'')

    return [row["seq"] for row in asyncio.run(ask())]


def sales_of_hours(influx: InfluxSettings, machine: str) -> list[int]:
    async def run() -> list[int]:
        async with Influx(influx) as client:
            rows = await client.query(f'SELECT "sales" FROM "sales_hour" WHERE "machine" = \'{machine}\'')
        return [row["sales"] for row in rows]

    return asyncio.run(run())


def archived(cloud: Cloud) -> list[bytes]:
    files = sorted((cloud.folder / "data" / "archive").iterdir())
    return [message.payload for path in files for message in capture.read(path)]


def test_poison_in_the_middle_harms_nothing_else(
    cloud: Cloud, far: Machine, machine: str, influx: InfluxSettings
) -> None:
    eventually(lambda: is_listening(cloud))
    far.send(sale(machine, 1), sale(machine, 2))
    far.send_raw(b"\xc1 no msgpack")
    far.send_raw(bytes(codec.MAX_MESSAGE_BYTES + 1))
    far.send(
        sale(machine, 3),
        {**sale(machine, 4), "v": 9},
        {**sale(machine, 5), "price_minor": -1},
        sale(machine, 6),
    )
    far.send(sale(machine, 7), topic=topics.EVENT)
    far.send(boot(machine, 8), topic=topics.EVENT)
    far.send(sale(machine, 9))
    eventually(lambda: far.stored() | far.refused().keys() >= set(range(1, 10)))
    assert far.stored() == {1, 2, 3, 6, 8, 9}
    assert far.refused() == {4: "unsupported_version", 5: "bad_body", 7: "wrong_topic"}
    assert seqs_in(influx, machine) == [1, 2, 3, 6, 9]
    assert seqs_in(influx, machine, "boot") == [8]
    letters = cloud.json("dead-letters")
    assert sorted(letter["code"] for letter in letters) == [
        "bad_body",
        "malformed",
        "too_large",
        "unsupported_version",
        "wrong_topic",
    ]
    far.send({**sale(machine, 5), "price_minor": -1})
    eventually(lambda: [x["count"] for x in cloud.json("dead-letters") if x["seq"] == 5] == [2])
    assert len(cloud.json("dead-letters", "--limit", "2")) == 2
    assert b"\xc1 no msgpack" in archived(cloud)


POISON = {
    "undecodable": b"\xc1 no msgpack",
    "oversized": bytes(codec.MAX_MESSAGE_BYTES + 1),
    "from the future": codec.pack([{**sale("m1", 1), "v": 9}]),
}


@pytest.mark.parametrize("payload", POISON.values(), ids=POISON.keys())
def test_the_message_behind_a_poisonous_one_is_stored_within_a_second(
    cloud: Cloud, far: Machine, machine: str, influx: InfluxSettings, payload: bytes
) -> None:
    eventually(lambda: is_listening(cloud))
    far.send(sale(machine, 1))
    eventually(lambda: far.stored() == {1})
    far.send_raw(payload)
    far.send(sale(machine, 2))
    eventually(lambda: far.stored() == {1, 2}, 1.0)
    assert seqs_in(influx, machine) == [1, 2]
    (letter,) = cloud.json("dead-letters")
    assert letter["reason"]


def test_sent_again_it_is_receipted_again_and_stored_once(
    cloud: Cloud, far: Machine, machine: str, influx: InfluxSettings
) -> None:
    eventually(lambda: is_listening(cloud))
    for _ in range(3):
        far.send(sale(machine, 1))
    far.send(sale(machine, 2))
    eventually(lambda: 2 in far.stored())
    assert all(receipt.stored[0][0] == 1 for receipt in far.receipts[:-1])
    assert seqs_in(influx, machine) == [1, 2]
    eventually(lambda: sales_of_hours(influx, machine) == [2])


def test_without_a_database_nothing_is_confirmed_and_nothing_is_lost(tmp_path: Path, broker: Broker) -> None:
    server = InfluxServer(tmp_path / "influxd")
    cloud = Cloud(tmp_path / "cloud", broker.port, server.url, server.database)
    with cloud, Machine("m1", broker.port) as far:
        eventually(lambda: is_listening(cloud))
        far.send(sale("m1", 1))
        eventually(lambda: "InfluxDB is away" in (cloud.folder / "cloud.log").read_text())
        far.send(sale("m1", 2))
        assert not far.receipts
        with server:
            eventually(lambda: far.stored() == {1, 2})
            assert seqs_in(InfluxSettings(url=server.url), "m1") == [1, 2]
            server.kill()
            far.send(sale("m1", 3))
            server.start()
            eventually(lambda: far.stored() == {1, 2, 3})


def test_a_price_goes_down_and_comes_back_after_the_broker_lost_everything(
    cloud: Cloud, far: Machine, machine: str, broker: Broker
) -> None:
    eventually(lambda: is_listening(cloud))
    far.report(A1=150, B2=90)
    eventually(lambda: cloud.json("prices", "show"))
    assert cloud.command("prices", "set", "--machine", machine, "A1=1.60") == (
        f"{machine}: price list version 1 wanted\n"
    )
    eventually(lambda: far.prices, 1.5)
    assert far.prices[0][0].prices == {"A1": 160, "B2": 90}
    rows = {row["slot"]: row for row in cloud.json("prices", "show", "--machine", machine)}
    assert (rows["A1"]["wanted_minor"], rows["A1"]["applied_minor"], rows["A1"]["agrees"]) == (
        160,
        150,
        False,
    )
    assert rows["B2"]["agrees"]

    broker.kill()
    broker.wipe()
    broker.start()

    def retained() -> list[int]:
        with Machine(machine, broker.port) as fresh:
            eventually(lambda: fresh.prices)
            return [prices.version for prices, is_retained in fresh.prices if is_retained]

    eventually(lambda: retained() == [1])


def test_the_broker_is_waited_for(tmp_path: Path, influx: InfluxSettings, machine: str) -> None:
    broker = Broker(tmp_path / "broker")
    with Cloud(tmp_path / "cloud", broker.port, influx.url, influx.database) as cloud:
        eventually(lambda: "connecting again" in (cloud.folder / "cloud.log").read_text())
        with broker, Machine(machine, broker.port) as far:
            eventually(lambda: is_listening(cloud))
            far.send(sale(machine, 1))
            eventually(lambda: far.stored() == {1})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("database", ["up", "down"])
def test_it_ends_when_it_is_told_to(
    tmp_path: Path,
    broker: Broker,
    influx: InfluxSettings,
    machine: str,
    number: signal.Signals,
    database: str,
) -> None:
    url = influx.url if database == "up" else "http://127.0.0.1:9"
    with (
        Cloud(tmp_path / "cloud", broker.port, url, influx.database) as cloud,
        Machine(machine, broker.port) as far,
    ):
        eventually(lambda: is_listening(cloud))
        far.send(sale(machine, 1))
        eventually(lambda: archived(cloud))
        process = cloud._process
        assert process is not None
        process.send_signal(number)
        assert process.wait(5) == 0
        assert "Traceback" not in (cloud.folder / "cloud.log").read_text()


def test_it_ends_though_the_broker_is_lost_at_that_very_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM comes between the loss and the end of what was under way on that connection."""

    class Losing:
        waiting = (0, 0)

        def __init__(self, *_words: object) -> None: ...

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_error: object) -> None: ...

        async def subscribe(self, _pattern: str, _qos: int) -> None: ...

        async def lost(self) -> None:
            raise MqttError("lost")

        async def receive(self, _most: int, _most_bytes: int) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.sleep(0)
                await asyncio.sleep(0)

    monkeypatch.setattr(service, "Connection", Losing)
    settings = CloudSettings(data_dir=tmp_path, influx=InfluxSettings(url="http://127.0.0.1:9"))

    async def ends() -> bool:
        running = asyncio.create_task(app.run(settings, worker=True))
        done, _ = await asyncio.wait({running}, timeout=10)
        return bool(done)

    assert asyncio.run(ends())
