"""A machine's uplink, the production broker and the signer: the next certificate comes by itself."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

import pytest

from cloud.identity.signer import renewals
from deploy.demo.servers import Broker
from edge.identity.keeper import Keeper
from edge.link_events import Connected, Publish
from edge.uplink import Uplink, UplinkEvent
from shared import certificates as certs
from shared.clock import Now
from shared.settings import MqttSettings, TlsSettings
from tests.cloud.identity.rig import desk
from tests.helpers import eventually
from tests.mosquitto.conftest import CLOUD, SIGNER
from tests.mosquitto.site import ProductionBroker, Site

DAY_NS = 24 * 3600 * 10**9


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    made = Site(folder)
    with closing(made.register):
        made.give(CLOUD, SIGNER)
        yield made


@pytest.fixture
def broker(tmp_path: Path, site: Site) -> Iterator[Broker]:
    with ProductionBroker(tmp_path / "mosquitto", site) as server:
        yield server


@contextmanager
def signing(settings: MqttSettings, site: Site) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    task = loop.create_task(renewals(settings, site.desk))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        eventually(task.done)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class Machine:
    """An uplink and its certificate, which is old enough to be renewed."""

    def __init__(self, folder: Path, site: Site, port: int) -> None:
        folder.mkdir()
        self.path, self.next = folder / "machine.pem", folder / "machine.pem.next"
        issued, key = site.desk.provision("m-1", time.time_ns() - 25 * DAY_NS)
        self.first = issued.serial
        self.path.write_bytes(issued.pem.encode() + key)
        tls = TlsSettings(ca=site.folder / "ca.crt", certificate=self.path)
        settings = MqttSettings(port=port, keepalive_s=5, tls=tls)
        self.events: list[UplinkEvent] = []
        keeper = Keeper(tls, "m-1", lambda: Now(time.time_ns(), time.monotonic(), "synced"))
        will = Publish("vend/v1/m-1/status", b"{}", 1, True, "application/json")
        self.uplink = Uplink(settings, "m-1", lambda: will, self.events.append, self._crashed, keeper)
        self.crash: BaseException | None = None

    def _crashed(self, error: BaseException) -> None:
        self.crash = error

    @property
    def connects(self) -> int:
        return sum(isinstance(event, Connected) for event in self.events)

    def serial(self) -> str:
        return certs.read(self.path.read_bytes()).serial

    def __enter__(self) -> Self:
        self.uplink.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.uplink.stop()
        assert self.crash is None


def test_the_next_certificate_comes_and_is_used(tmp_path: Path, site: Site, broker: Broker) -> None:
    machine = Machine(tmp_path / "m-1", site, broker.port)
    with signing(site.mqtt(broker.port, SIGNER), site):
        eventually(lambda: f"as {SIGNER}" in broker._log_tail())
        with machine:
            eventually(lambda: machine.serial() != machine.first)
            eventually(lambda: machine.connects == 2)
    newest, oldest = site.register.of("m-1")
    assert (newest.serial, newest.how, newest.who) == (machine.serial(), "renewal", "m-1")
    assert oldest.serial == machine.first
    assert not machine.next.exists()


def test_one_that_the_broker_refuses_leaves_the_old_one_in_force(
    tmp_path: Path, site: Site, broker: Broker
) -> None:
    machine = Machine(tmp_path / "m-1", site, broker.port)
    (tmp_path / "other").mkdir()
    with desk(tmp_path / "other") as stranger:
        issued, key = stranger.provision("m-1", time.time_ns())
    machine.next.write_bytes(issued.pem.encode() + key)
    with machine:
        eventually(lambda: machine.connects == 1)
        eventually(lambda: issued.pem.encode() not in machine.next.read_bytes())  # a new key, to ask with
    assert machine.serial() == machine.first


def test_a_machine_without_its_files_runs_and_comes_in_when_they_are_there(
    tmp_path: Path, site: Site, broker: Broker
) -> None:
    machine = Machine(tmp_path / "m-1", site, broker.port)
    pem = machine.path.read_bytes()
    machine.path.unlink()
    with machine:
        eventually(machine.uplink._thread.is_alive)
        machine.path.write_bytes(pem)  # `vend-edge join` while it runs
        eventually(lambda: machine.connects == 1)
