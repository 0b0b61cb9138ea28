"""One InfluxDB with the world in it, for all tests of a process."""

import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from deploy.demo import servers
from tests.grafana import world
from tests.grafana.asked import Influx


@dataclass(frozen=True, slots=True)
class World:
    influx: Influx
    now_ms: int


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Influx]:
    if "VEND_TEST_INFLUX_URL" in os.environ:
        pytest.skip("these tests make databases of their own; VEND_TEST_INFLUX_URL names one that is given")
    with servers.Influx(tmp_path_factory.mktemp("grafana") / "influxd") as running:
        yield running


@pytest.fixture(scope="session")
def seeded(server: servers.Influx, tmp_path_factory: pytest.TempPathFactory) -> World:
    now_ns = time.time_ns()
    world.build(tmp_path_factory.mktemp("world"), server.url, "seeded", now_ns)
    return World(Influx(server.url, "seeded"), now_ns // 10**6)


@pytest.fixture
def influx(server: servers.Influx) -> Influx:
    """A database of the test's own."""
    made = Influx(server.url, f"a{secrets.token_hex(4)}")
    made.make()
    return made
