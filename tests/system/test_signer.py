"""`vend-cloud signer` as it runs, and a machine's way from an invitation to the broker and back in again."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from cloud.__main__ import main
from deploy.demo.servers import die_with_parent, free_port
from edge.technician.join import join
from shared import certificates as certs
from shared.settings import TlsSettings
from shared.topics import SALE
from tests.helpers import eventually
from tests.mosquitto.clients import Client
from tests.mosquitto.conftest import CLOUD
from tests.mosquitto.site import ProductionBroker, Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    made = Site(folder)
    with closing(made.register):
        made.give(CLOUD)
        yield made


def _split(site: Site, name: str, pem: bytes) -> None:
    """As the test's client wants its files."""
    (site.folder / f"{name}.crt").write_bytes(pem)
    (site.folder / f"{name}.key").write_bytes(certs.key_pem(certs.read_key(pem)))


def _publishes(machine: Client) -> bool:
    if machine.publish(SALE.of("m-1"), b"sold") == 0:
        return True
    machine.reconnect()
    return False


def test_a_machine_joins_is_revoked_and_joins_again(tmp_path: Path, site: Site) -> None:
    config, log = tmp_path / "cloud.toml", tmp_path / "signer.log"
    tls = TlsSettings(ca=tmp_path / "m-1/ca.pem", certificate=tmp_path / "m-1/machine.pem")
    with ProductionBroker(tmp_path / "mosquitto", site) as broker, log.open("wb") as out:
        config.write_text(f"""
data_dir = "{site.folder}"
[mqtt]
port = {broker.port}
[mqtt.tls]
ca = "{site.folder}/ca.crt"
certificate = "{site.pem(CLOUD)}"
[identity]
broker_dir = "{site.folder}"
broker_reload = ["sh", "-c", "kill -HUP {broker.pid}"]
join_url = "https://127.0.0.1:{free_port()}"
join_listen = "127.0.0.1"
""")

        def says(*words: str) -> str:
            done = CliRunner().invoke(main, ["--config", str(config), *words])
            assert done.exit_code == 0, done.stderr
            return done.stdout

        signer = subprocess.Popen(
            [sys.executable, "-m", "cloud", "--config", str(config), "signer"],
            stdout=out,
            stderr=out,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # one call into libc, no locks
        )
        eventually(lambda: "connected to" in log.read_text() and "join at" in log.read_text())
        for _ in range(2):
            _, _, url, code = says("invite", "m-1").split()
            join("m-1", tls, url, code, "synced")
            _split(site, "m-1", tls.certificate.read_bytes())
            with (
                Client(broker.port, site.folder, CLOUD, filters=("#",)) as cloud,
                Client(broker.port, site.folder, "m-1") as machine,
            ):
                # The second time the broker gives its rights back just now; a denial ends the connection.
                eventually(partial(_publishes, machine))
                cloud.wait_for(SALE.of("m-1"), b"sold")
            says("revoke", "m-1")
        signer.terminate()
        assert signer.wait(10) == 0
        assert "Traceback" not in log.read_text()
