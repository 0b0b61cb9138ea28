"""The servers that everything else is tested against: same port after a crash, no strays, errors in words."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.demo.servers import Broker, Influx, Server
from tests.helpers import eventually

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", [Broker, Influx])
def test_killed_and_started_again_it_has_the_same_address(
    tmp_path: Path, kind: type[Broker] | type[Influx]
) -> None:
    with kind(tmp_path / "server") as server:
        first, ports = server.pid, list(server._ports)
        server.kill()
        server.wipe()
        assert not server.folder.exists()
        server.start()
        assert server.pid != first
        assert server._ports == ports
        assert server.is_ready()


def test_a_running_server_is_not_wiped_or_started_twice(broker: Broker) -> None:
    with pytest.raises(RuntimeError, match="running"):
        broker.wipe()
    with pytest.raises(RuntimeError, match="running"):
        broker.start()


def test_a_port_lost_before_the_first_start_is_changed(tmp_path: Path) -> None:
    server = Broker(tmp_path / "mosquitto")
    wanted = server.port
    with socket.create_server((server.host, wanted)), server:
        assert server.port != wanted
        assert server.is_ready()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Unknown configuration variable"):
        Broker(tmp_path / "mosquitto", "no_such_setting true\n").start()


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("kind", [Broker, Influx])
def test_no_server_outlives_a_killed_parent(tmp_path: Path, kind: type[Server]) -> None:
    program = (
        "import pathlib, sys, deploy.demo.servers as s\n"
        f"server = s.{kind.__name__}(pathlib.Path(sys.argv[1])).start()\n"
        "print(server.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "server")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert _is_alive(child)
        os.kill(parent.pid, signal.SIGKILL)
        eventually(lambda: not _is_alive(child), 5)
