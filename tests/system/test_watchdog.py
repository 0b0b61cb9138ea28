"""systemd's watchdog and a real machine: fed by the loop that sells, and by nothing beside it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.machine import SimulatedMachine
from deploy.demo.network import Link
from deploy.demo.servers import free_port
from shared.supervisor import VARIABLE
from tests.helpers import eventually
from tests.supervisor import listening

SILENCE_S = 2.5  # the loop turns once a second at least


@pytest.fixture
def lonely() -> Iterator[Link]:
    """A network without a broker."""
    with Link("127.0.0.1", free_port()) as link:
        yield link


def test_a_loop_that_hangs_feeds_no_watchdog(
    tmp_path: Path, lonely: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs in its own disk: a pipe that nobody reads opens never. Bus, board and uplink go on."""
    address = str(tmp_path / "notify")
    monkeypatch.setenv(VARIABLE, address)
    folder = tmp_path / "m1"
    with listening(address) as heard, SimulatedMachine("m1", folder, lonely) as machine:
        machine.start()
        assert [heard.next() for _ in range(3)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
        eventually(machine.takes_coins)
        os.mkfifo(folder / "status.new")
        machine.insert(100)
        eventually(lambda: not heard.next(SILENCE_S))
        reader = os.open(folder / "status.new", os.O_RDONLY | os.O_NONBLOCK)  # the disk is back
        try:
            assert heard.next() == "WATCHDOG=1"
            eventually(lambda: not (folder / "status.new").exists())
        finally:
            os.close(reader)
        machine.stop()
        last = ""
        while word := heard.next(0.1):
            last = word
        assert last == "STOPPING=1"
