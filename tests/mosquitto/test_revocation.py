"""`vend-cloud revoke` against the real broker, with the thief connected and publishing."""

import json
import socket
import ssl
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cloud.__main__ import main
from cloud.identity.register import Register
from shared.topics import RECEIPT, SALE
from tests.helpers import eventually
from tests.mosquitto.clients import Client
from tests.mosquitto.conftest import CLOUD, A, B
from tests.mosquitto.site import ProductionBroker, Site
from tests.mosquitto.test_production import connect_packet

DENIED = 0x87


class Operator:
    """The command line, with settings of its own."""

    def __init__(self, folder: Path, site: Site, port: int, reload: str) -> None:
        folder.mkdir(exist_ok=True)
        self._config = folder / "cloud.toml"
        self._config.write_text(f"""
data_dir = "{site.folder}"
[mqtt]
port = {port}
[mqtt.tls]
ca = "{site.folder}/ca.crt"
certificate = "{site.pem(CLOUD)}"
[identity]
broker_dir = "{site.folder}"
broker_reload = {json.dumps(["sh", "-c", reload])}
""")

    def says(self, *words: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(self._config), *words])


@pytest.fixture
def operator(tmp_path: Path, site: Site, production: ProductionBroker) -> Operator:
    return Operator(tmp_path, site, production.port, f"kill -HUP {production.pid}")


def _context(site: Site, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=site.folder / "ca.crt")
    context.load_cert_chain(site.pem(name))
    return context


def _connects(
    production: ProductionBroker, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> bool:
    try:
        with (
            socket.create_connection((production.host, production.port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=production.host, session=session) as sock,
        ):
            sock.sendall(connect_packet("x"))
            return sock.recv(1) == b"\x20"
    except OSError:  # an alert or a reset
        return False


def test_a_connected_thief_is_silenced_cut_off_and_never_comes_back(
    operator: Operator, production: ProductionBroker, site: Site
) -> None:
    site.give("stolen")
    folder = site.folder
    context = _context(site, "stolen")
    with (
        socket.create_connection((production.host, production.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=production.host) as sock,
    ):
        sock.sendall(connect_packet("x"))
        assert sock.recv(1) == b"\x20"
        session = sock.session  # a ticket: it may come back without showing its certificate
    assert _connects(production, context, session)
    with (
        Client(production.port, folder, CLOUD, filters=("#",)) as cloud,
        Client(production.port, folder, B) as other,
        Client(production.port, folder, "stolen", filters=("#",)) as thief,
    ):
        assert thief.publish(SALE.of("stolen"), b"before") == 0
        cloud.wait_for(SALE.of("stolen"), b"before")

        done = operator.says("revoke", "stolen", "--reason", "taken from the lobby")
        assert (done.exit_code, done.stdout) == (0, "stolen revoked\n"), done.stderr
        assert thief.ended.is_set() or thief.ended.wait(10)
        assert not _connects(production, context)
        assert not _connects(production, context, session)

        cloud.publish(RECEIPT.of("stolen"), b"for the thief")
        assert other.publish(SALE.of(B), b"last") == 0
        cloud.wait_for(SALE.of(B), b"last")
        assert cloud.received == [(SALE.of("stolen"), b"before"), (SALE.of(B), b"last")]
        assert thief.received == []
        assert not cloud.ended.is_set()
        assert not other.ended.is_set()

    with closing(Register(folder / "store.db")) as register:
        assert register.denied() == {"stolen"}
    rows = {row["name"]: row for row in json.loads(operator.says("identities", "--json").stdout)}
    assert (rows["stolen"]["state"], rows["stolen"]["reason"]) == ("revoked", "taken from the lobby")
    assert rows[A]["state"] == "good"


def test_rights_alone_silence_who_is_connected_already(
    tmp_path: Path,
    operator: Operator,
    production: ProductionBroker,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before it is cut off, too."""
    site.give("m-c", "accomplice")
    monkeypatch.setattr("cloud.identity.broker.denies", lambda *_: True)
    with (
        Client(production.port, site.folder, CLOUD, filters=("#",)) as cloud,
        Client(production.port, site.folder, "m-c", filters=("#",)) as thief,
    ):
        untold = Operator(tmp_path / "untold", site, production.port, "true")
        assert untold.says("revoke", "m-c").exit_code == 0
        assert operator.says("revoke", "accomplice").exit_code == 0
        eventually(lambda: not _connects(production, _context(site, "accomplice")))  # both are read by now
        cloud.publish(RECEIPT.of("m-c"), b"secret")
        assert thief.publish(SALE.of("m-c"), b"forged") == DENIED
        assert thief.received == []
        assert cloud.received == []


def test_who_joins_again_is_welcome_and_the_stolen_key_is_not(
    operator: Operator, production: ProductionBroker, site: Site
) -> None:
    site.give("m-d")
    context = _context(site, "m-d")
    assert operator.says("revoke", "m-d").exit_code == 0
    site.give("m-d")
    assert operator.says("ca", "rights").exit_code == 0
    with (
        Client(production.port, site.folder, CLOUD, filters=("#",)) as cloud,
        Client(production.port, site.folder, "m-d") as machine,
    ):
        assert machine.publish(SALE.of("m-d"), b"new") == 0
        cloud.wait_for(SALE.of("m-d"), b"new")
        assert not _connects(production, context)
        assert not machine.ended.is_set()


def test_a_broker_that_was_not_told_is_said_so(
    tmp_path: Path, production: ProductionBroker, site: Site
) -> None:
    site.give("m-e")
    done = Operator(tmp_path, site, production.port, "echo no such unit >&2; exit 5").says("revoke", "m-e")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no such unit" in done.stderr
    assert "vend-cloud revoke m-e" in done.stderr
    done = Operator(tmp_path, site, production.port, f"kill -HUP {production.pid}").says("revoke", "m-e")
    assert done.exit_code == 0
