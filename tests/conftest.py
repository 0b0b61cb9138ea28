"""Real servers for the tests. Environment variables point them at another InfluxDB or Mosquitto.

VEND_TEST_INFLUX_URL, _DATABASE, _USERNAME, _SECRET name an InfluxDB of any generation;
VEND_MOSQUITTO and VEND_INFLUXD name other programs than Debian's.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pydantic import SecretStr

from cloud.config import InfluxSettings
from deploy.demo.servers import Broker, Influx

settings.register_profile("vendlink", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("vendlink")


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxSettings]:
    """A running InfluxDB, shared: tests use machine names of their own."""
    url = os.environ.get("VEND_TEST_INFLUX_URL")
    if url:
        secret = os.environ.get("VEND_TEST_INFLUX_SECRET")
        yield InfluxSettings(
            url=url,
            database=os.environ.get("VEND_TEST_INFLUX_DATABASE", "vending"),
            username=os.environ.get("VEND_TEST_INFLUX_USERNAME"),
            secret=SecretStr(secret) if secret else None,
        )
        return
    with Influx(tmp_path_factory.mktemp("influxd")) as server:
        yield InfluxSettings(url=server.url, database=server.database)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "mosquitto") as server:
        yield server


@pytest.fixture
def machine() -> str:
    """A machine name nobody else uses."""
    return f"t-{secrets.token_hex(4)}"
