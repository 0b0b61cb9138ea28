"""The cloud process takes nothing from a revoked machine, whatever the broker still lets through."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path

from cloud.config import InfluxSettings
from cloud.identity import authority
from cloud.identity.issue import Desk
from cloud.identity.register import Register
from deploy.demo.fleet import Cloud
from deploy.demo.servers import Broker
from tests.cloud.far_end import Machine
from tests.cloud.identity.rig import NOW_NS
from tests.cloud.records import sale
from tests.helpers import eventually


def test_what_a_revoked_machine_sends_is_a_dead_letter_until_it_joins_again(
    tmp_path: Path, broker: Broker, influx: InfluxSettings, machine: str
) -> None:
    with (
        Cloud(tmp_path / "cloud", broker.port, influx.url, influx.database) as cloud,
        closing(Register(cloud.folder / "data/store.db")) as register,
        Machine(machine, broker.port) as far,
    ):
        desk = Desk(authority.make(tmp_path / "ca", NOW_NS), register, timedelta(days=30))
        desk.provision(machine, NOW_NS)
        eventually(lambda: "connected to" in (cloud.folder / "cloud.log").read_text())
        far.send(sale(machine, 1))
        eventually(lambda: far.stored() == {1})
        register.revoke(machine, "stolen", NOW_NS)
        far.send(sale(machine, 2))
        eventually(lambda: [letter["code"] for letter in cloud.json("dead-letters")] == ["revoked"])
        desk.provision(machine, NOW_NS)
        far.send(sale(machine, 3))
        eventually(lambda: far.stored() == {1, 3})
