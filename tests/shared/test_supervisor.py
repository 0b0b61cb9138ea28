"""What is told to systemd, and to nobody."""

import secrets
from pathlib import Path

import pytest

from shared.supervisor import TURNED_EVERY_S, Supervisor
from tests.supervisor import listening


@pytest.mark.parametrize("kind", ["a file", "a name without one"])
def test_a_program_that_starts_works_and_ends(tmp_path: Path, kind: str) -> None:
    address = str(tmp_path / "notify") if kind == "a file" else f"@vend-{secrets.token_hex(8)}"
    with listening(address) as heard:
        told = Supervisor(address)
        told.ready()
        for now_s in (10.0, 10.1, 10.9, 10.0 + TURNED_EVERY_S):
            told.turned(now_s)
        told.stopping()
        said = [heard.next() for _ in range(4)]
        assert said == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


@pytest.mark.parametrize("address", [None, "", "/nowhere/notify", "@nobody-listens-here"])
def test_where_nobody_listens_nothing_happens(address: str | None) -> None:
    told = Supervisor(address)
    told.ready()
    told.turned(1.0)
    told.stopping()


def test_a_supervisor_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with listening(address):
        told = Supervisor(address)
        for second in range(2_000):  # far more than a socket holds
            told.turned(float(second))
