"""Real servers for the tests. Environment variables point them at others than Debian's.

VEND_TEST_INFLUX_URL, _DATABASE, _USERNAME, _SECRET name a running InfluxDB of any generation;
VEND_TEST_MOSQUITTO names another Mosquitto program.
"""

import os
import secrets
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pydantic import SecretStr

from cloud.config import InfluxSettings
from deploy.demo.servers import Broker, Influx

pytest_plugins = ["pytester", "shared.pytest_vendlink"]  # where the package is not installed anew

_LAST_LINES = 60  # of each program's log, under the report of a test that fails

settings.register_profile("vendlink", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("vendlink")

if "VEND_TEST_MOSQUITTO" in os.environ:
    os.environ["VEND_MOSQUITTO"] = os.environ["VEND_TEST_MOSQUITTO"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What its programs said goes with a test that fails: it may not fail again."""
    report = yield
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.failed and isinstance(folder, Path):
        for path in sorted([*folder.rglob("*.log"), *folder.rglob("status.json")]):
            lines = path.read_text(errors="replace").splitlines()[-_LAST_LINES:]
            report.sections.append((str(path.relative_to(folder)), "\n".join(lines)))
    return report


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
def own_influx(tmp_path: Path) -> Iterator[Influx]:
    """An InfluxDB of the test's own, to be killed, wiped and started again."""
    if "VEND_TEST_INFLUX_URL" in os.environ:
        pytest.skip("VEND_TEST_INFLUX_URL names an InfluxDB that is not ours to kill")
    with Influx(tmp_path / "influxd") as server:
        yield server


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A Mosquitto of the test's own."""
    with Broker(tmp_path / "mosquitto") as server:
        yield server


@pytest.fixture
def machine() -> str:
    """A machine name nobody else uses."""
    return f"t-{secrets.token_hex(4)}"
