"""The cloud dies exactly between two steps of a batch; the machine's debt says what must come again."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.demo.fleet import Cloud, stored
from deploy.demo.machine import Books, SimulatedMachine
from deploy.demo.network import Link
from deploy.demo.servers import Broker, Influx
from tests.backlog import owe_sales
from tests.helpers import eventually
from tests.system.gate import Before, Gate, acknowledgement, receipt

SALES = 8_000
KILLS = 3


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(acknowledgement, id="between the write and the acknowledgement"),
        pytest.param(receipt, id="between the acknowledgement and the receipt"),
    ],
)
def test_cloud_killed_at_exactly_this_moment(tmp_path: Path, moment: Before) -> None:
    value_minor = owe_sales(tmp_path / "m1", "m1", SALES)
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(tmp_path / "mosquitto"))
        influx = stack.enter_context(Influx(tmp_path / "influxd"))
        gate = stack.enter_context(Gate((broker.host, broker.port)))
        cloud = stack.enter_context(Cloud(tmp_path / "cloud", gate.port, influx.url, influx.database))
        link = stack.enter_context(Link(broker.host, broker.port))
        machine = stack.enter_context(SimulatedMachine("m1", tmp_path / "m1", link))

        def before(packet: bytes) -> bool:
            """Of a batch with sales: the machine's status comes first, and is acknowledged too."""
            return moment(packet) and in_database() > machine.status().get("stored", 0)

        def in_database() -> int:
            return stored(influx.url, influx.database).get("m1", Books(0, 0)).sales

        gate.stop_before(before)
        machine.start()
        for kill in range(KILLS):
            assert gate.stopped.wait(60)  # the machine asks less and less often
            cloud.kill()
            # The database has what the machine still owes: it will be sent again, and must not count twice.
            assert in_database() > machine.status()["stored"]
            if kill < KILLS - 1:
                gate.stop_before(before)
            cloud.start()
        eventually(lambda: machine.status()["owed"] == 0, 90)
        assert machine.status()["parked"] == 0
        assert stored(influx.url, influx.database)["m1"] == Books(SALES, value_minor)
        assert cloud.json("dead-letters") == []
