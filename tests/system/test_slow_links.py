"""Links as vending machines have them (F22): slow, and far away. Everything gets through, once."""

from pathlib import Path

import pytest

from deploy.demo.fleet import Fleet
from deploy.demo.machine import Books, SimulatedMachine
from deploy.demo.network import Link
from tests.backlog import owe_sales
from tests.helpers import eventually

RECORD_BYTES = 260  # of a sale, with its share of topic and header


@pytest.mark.parametrize(
    ("bytes_s", "latency_s", "sales"),
    [
        pytest.param(300, 0.0, 10, id="the slowest"),
        pytest.param(4_000, 0.3, 200, id="GPRS"),
        pytest.param(20_000, 2.0, 60, id="2 s away"),
    ],
)
def test_a_backlog_gets_through_a_slow_link(
    tmp_path: Path, bytes_s: int, latency_s: float, sales: int
) -> None:
    with Fleet(tmp_path, []) as fleet, Link(fleet.broker.host, fleet.broker.port) as link:
        link.slow(bytes_s, latency_s)
        value_minor = owe_sales(tmp_path / "m1", "m1", sales)
        with SimulatedMachine("m1", tmp_path / "m1", link, keepalive_s=30) as machine:
            machine.start()
            eventually(lambda: machine.status().get("owed") == 0, 100)
            assert fleet.stored()["m1"] == Books(sales, value_minor)
            assert link.connections <= 3
            assert link.sent_bytes < 3 * sales * RECORD_BYTES + 6_000
