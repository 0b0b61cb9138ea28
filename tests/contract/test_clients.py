"""The commands of docs/clients.md, as they stand there, against a real Mosquitto and real messages."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.publish as paho
import pytest

from deploy.contract.kinds import KINDS
from deploy.demo.servers import Broker, die_with_parent
from shared.messages import PriceList
from tests.helpers import eventually

ROOT = Path(__file__).parents[2]
INSTALL, PRICES, WORDS, EVERYTHING, SALES, SALE = re.findall(
    r"```sh\n(.*?)```", (ROOT / "docs/clients.md").read_text(), re.DOTALL
)
BY_NAME = {kind.name: kind for kind in KINDS}
Start = Callable[[str], Path]


@pytest.fixture
def environment(tmp_path: Path, broker: Broker) -> dict[str, str]:
    """The tools read their port from a file: the commands need no change."""
    for tool in ("mosquitto_sub", "mosquitto_pub"):
        (tmp_path / tool).write_text(f"-p {broker.port}\n")
    return {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}


@pytest.fixture
def run(environment: dict[str, str]) -> Callable[[str], str]:
    def run(command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", command], cwd=ROOT, env=environment, capture_output=True, check=True
        )
        return done.stdout.decode()

    return run


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Start]:
    """A command that follows; what it has said so far is in the file."""
    started: list[subprocess.Popen[bytes]] = []

    def start(command: str) -> Path:
        path = tmp_path / f"said-{len(started)}"
        with path.open("wb") as said:
            started.append(
                subprocess.Popen(
                    ["sh", "-c", command],
                    cwd=ROOT,
                    env=environment,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=die_with_parent,  # noqa: PLW1509  # one call into libc
                )
            )
        return path

    yield start
    for process in started:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def publish(broker: Broker, name: str) -> None:
    topic = BY_NAME[name].topic
    paho.single(topic.of("m-001"), BY_NAME[name].encode(), topic.qos, topic.retained, port=broker.port)


def test_a_retained_price_list_is_read(broker: Broker, run: Callable[[str], str]) -> None:
    publish(broker, "prices")
    assert PriceList.model_validate_json(run(PRICES)) == BY_NAME["prices"].example


def test_what_a_machine_said_of_itself_is_read(broker: Broker, run: Callable[[str], str]) -> None:
    names = ("reported", "status", "stock")
    for name in names:
        publish(broker, name)
    lines = sorted(run(WORDS).splitlines())
    assert lines == [f"vend/v1/m-001/{name} {BY_NAME[name].encode().decode()}" for name in names]


def test_a_machine_is_followed(broker: Broker, start: Start) -> None:
    said = start(EVERYTHING)

    def whole_line() -> re.Match[str] | None:
        publish(broker, "prices")
        return re.search(
            r"^[0-9]+\.[0-9]+ vend/v1/m-001/prices 1 ([0-9a-f]+)$", said.read_text(), re.MULTILINE
        )

    found = eventually(whole_line)
    assert found is not None
    assert bytes.fromhex(found[1]) == BY_NAME["prices"].encode()


def test_a_client_in_another_language_decodes_each_sale_once(
    broker: Broker, start: Start, run: Callable[[str], str]
) -> None:
    said = start(SALES)

    def sold() -> str:
        run(SALE)  # until the client listens, and again: a sale may come any number of times
        return said.read_text()

    eventually(sold)
    paho.single("vend/v1/m-001/sale", b"\xc1", 1, port=broker.port)
    line, trouble = eventually(lambda: lines if len(lines := said.read_text().splitlines()) > 1 else [])
    assert line == "2026-09-21 14:14:20 m-001 #1: cola from A1, 150 minor units EUR by cash"
    assert trouble == "vend/v1/m-001/sale: not a list of sales"


def test_the_packages_are_those_that_the_tests_install() -> None:
    tools = re.search(
        r"^tools:\n\t@sh deploy/setup/debian.sh (.*) >&2", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    assert tools is not None
    assert set(INSTALL.split()) - {"apt-get", "install"} <= set(tools[1].split())
