"""Health over HTTP, of the real process as Prometheus, a supervisor and a person see it."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cloud.config import InfluxSettings
from cloud.health import serving
from cloud.watch import Watch
from deploy.demo.fleet import Cloud
from deploy.demo.servers import Broker, free_port
from deploy.demo.servers import Influx as InfluxServer
from shared import topics
from shared.messages import Status
from shared.settings import SettingsError
from tests.cloud.far_end import Machine
from tests.cloud.records import EPOCH, sale
from tests.helpers import eventually


class Observed(Cloud):
    """A cloud process that is asked for its health."""

    def __init__(self, folder: Path, broker_port: int, url: str, database: str, name: str = "cloud", *,
                 worker: bool = False) -> None:  # fmt: skip
        self.port = free_port()
        super().__init__(folder, broker_port, url, database, name=name, worker=worker, health_port=self.port)

    def get(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        try:
            with urlopen(Request(f"http://127.0.0.1:{self.port}{path}", method=method), timeout=5) as answer:
                return int(answer.status), answer.read()
        except HTTPError as error:
            return int(error.code), error.read()

    def answers(self) -> bool:
        try:
            return self.get("/live")[0] == 200
        except OSError:
            return False

    def ready(self) -> tuple[int, dict[str, Any]]:
        status, body = self.get("/ready")
        return status, json.loads(body)

    def figure(self, name: str, **labels: str) -> float:
        text = self.get("/metrics")[1].decode()
        (value,) = (
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f"vend_cloud_{name}" and sample.labels == labels
        )
        return value


@pytest.fixture
def cloud(tmp_path: Path, broker: Broker, influx: InfluxSettings) -> Iterator[Observed]:
    with Observed(tmp_path / "cloud", broker.port, influx.url, influx.database) as process:
        eventually(process.answers)
        yield process


def test_a_sale_and_rubbish_are_seen_in_the_figures(cloud: Observed, broker: Broker, machine: str) -> None:
    eventually(lambda: cloud.ready()[0] == 200)
    assert cloud.ready()[1] == {"ready": True, "words": "all is well", "troubles": []}
    online = Status(online=True, since_ns=1, epoch=EPOCH, software="1", tenders={})
    with Machine(machine, broker.port) as far:
        far.send_raw(online.model_dump_json().encode(), topics.STATUS)
        far.report(A1=150)
        far.send(sale(machine, 1), sale(machine, 2), sale(machine, 3, v=9))
        far.send_raw(b"\xc1")
        eventually(lambda: far.stored() == {1, 2} and far.refused())
        eventually(lambda: cloud.figure("receipts_total", outcome="sent") == 1)
        assert cloud.figure("records_stored_total") == 2
        assert cloud.figure("records_refused_total", code="unsupported_version") == 1
        eventually(lambda: cloud.figure("dead_letters_total", code="malformed") == 1)
        assert cloud.figure("messages_total", topic="sale") == 2
        assert cloud.figure("stored_lag_seconds_count", arrival="late") == 2
        assert cloud.figure("influx_write_seconds_count") in {1, 2}, "status and sales, together or not"
        assert cloud.figure("broker_connected") == 1
        files = (cloud.folder / "data" / "archive").iterdir()
        assert cloud.figure("archived_bytes_total") == sum(path.stat().st_size for path in files)
        eventually(lambda: cloud.figure("machines_online") == 1)
        cloud.command("prices", "set", "--all", "A1=1.60")
        eventually(lambda: cloud.figure("prices_waiting") == 0 and far.prices)
    assert machine not in cloud.get("/metrics")[1].decode()
    lines = [json.loads(line) for line in cloud.log.read_text().splitlines()]
    assert {"machine": machine, "code": "malformed", "count": 1}.items() <= lines[-1].items()


def test_why_it_is_not_ready(tmp_path: Path, machine: str) -> None:
    broker, influx = Broker(tmp_path / "broker"), InfluxServer(tmp_path / "influxd")
    with Observed(tmp_path / "cloud", broker.port, influx.url, influx.database) as cloud:
        eventually(cloud.answers)
        eventually(lambda: "refused" in cloud.ready()[1]["words"])
        status, body = cloud.ready()
        assert status == 503
        assert body["words"].startswith("broker: not connected: ")
        with broker, Machine(machine, broker.port) as far:
            eventually(lambda: cloud.ready()[0] == 200)
            far.send(sale(machine, 1))
            eventually(lambda: cloud.ready()[0] == 503)
            (trouble,) = cloud.ready()[1]["troubles"]
            assert trouble["part"] == "influx"
            assert influx.url.removeprefix("http://") in trouble["words"]
            assert cloud.figure("influx_retries_total", reason="away") >= 1
            assert cloud.get("/live")[0] == 200
            with influx:
                eventually(lambda: far.stored() == {1})
                assert cloud.ready()[1]["words"] == "all is well"
        eventually(lambda: {t["part"] for t in cloud.ready()[1]["troubles"]} >= {"broker"})
        assert cloud.figure("broker_reconnects_total") > 1


def test_other_requests_change_nothing_and_a_second_process_is_told_that_its_address_is_taken() -> None:
    address = ("127.0.0.1", free_port())

    async def test() -> None:
        async with (
            serving(address, Watch()),
            aiohttp.ClientSession("http://{}:{}".format(*address)) as person,
        ):
            for method, path, status in (("GET", "/", 404), ("POST", "/metrics", 405), ("GET", "/live", 200)):
                async with person.request(method, path) as answer:
                    assert answer.status == status, path
            with pytest.raises(SettingsError, match="every process needs its own"):
                async with serving(address, Watch()):
                    pass

    asyncio.run(test())


def test_without_an_address_nothing_listens() -> None:
    async def test() -> None:
        async with serving(None, Watch()):
            pass

    asyncio.run(test())
