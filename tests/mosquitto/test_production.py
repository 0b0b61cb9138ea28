"""The production configuration on the real broker: only its paths and its port are changed.

A broker grants subscriptions it will never serve, so rights are judged by what is delivered.
"""

import itertools
import socket
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from deploy.demo.servers import Broker
from shared import codec
from shared.topics import CONFIG, PRICES, RECEIPT, SALE, STATUS, TOPICS, Direction, Topic
from tests.mosquitto.certificates import make_authority, sign
from tests.mosquitto.clients import Client

CONF = Path(__file__).parents[2] / "mosquitto"
A, B, CLOUD = "m-a", "m-b", "vend-cloud"
STRANGER = "stranger"  # says it is m-a, signed by an authority of its own
SUCCESS, DENIED = 0x00, 0x87


class ProductionBroker(Broker):
    def __init__(self, folder: Path, certificates: Path) -> None:
        text = (CONF / "mosquitto.conf").read_text()
        paths = {"/etc/vendlink/acl": f"{CONF}/acl", "/etc/vendlink": f"{certificates}"}
        for old, new in {**paths, "/var/lib/mosquitto/": f"{folder}/"}.items():
            assert old in text
            text = text.replace(old, new)
        super().__init__(folder, text)

    def configuration(self) -> str:
        assert "\nlistener 8883\n" in self._settings
        return self._settings.replace("listener 8883", f"listener {self.port} {self.host}")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_authority(folder, "ca")
    sign(folder, "ca", "broker.example", "broker")
    for name in (A, B, CLOUD):
        sign(folder, "ca", name, name)
    make_authority(folder, "other-ca")
    sign(folder, "other-ca", A, STRANGER)
    return folder


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Broker]:
    with ProductionBroker(tmp_path_factory.mktemp("mosquitto"), certificates) as server:
        yield server


# ---- rights

EVERYTHING = ("#", "$SYS/#", "$CONTROL/#", "vend/v1/+/+", "$share/thieves/#", "$share/thieves/vend/v1/+/sale")
OUTSIDE = ("x", "$SYS/broker/uptime", "$CONTROL/dynamic-security/v1", "vend/v1/m-a", "vend/v1/m-a/sale/x")


def _may_publish(who: str, machine: str, direction: Direction) -> bool:
    return direction is Direction.DOWN if who == CLOUD else direction is Direction.UP and who == machine


def _may_read(who: str, machine: str, direction: Direction) -> bool:
    return direction is Direction.UP if who == CLOUD else direction is Direction.DOWN and who == machine


def _publish(client: Client, topic: str, payload: bytes = b"x", *, retain: bool = False) -> int | None:
    answer = client.publish(topic, payload, retain=retain)
    if answer == DENIED:
        client.reconnect()  # over TLS 2.0.11 closes the connection after this answer
    return answer


def test_everybody_publishes_and_asks_for_everything_and_gets_what_is_theirs(
    production: Broker, certificates: Path
) -> None:
    with (
        Client(production.port, certificates, A, filters=EVERYTHING) as a,
        Client(production.port, certificates, B, filters=EVERYTHING) as b,
        Client(production.port, certificates, CLOUD, filters=EVERYTHING) as cloud,
    ):
        clients = {A: a, B: b, CLOUD: cloud}
        expected: dict[str, set[tuple[str, bytes]]] = {who: set() for who in clients}
        for who, client in clients.items():
            for machine, topic in itertools.product((A, B), TOPICS):
                name, payload = topic.of(machine), who.encode()
                answer = _publish(client, name, payload)
                if _may_publish(who, machine, topic.direction):
                    assert answer == SUCCESS, (who, name)
                    for reader in clients:
                        if _may_read(reader, machine, topic.direction):
                            expected[reader].add((name, payload))
                else:
                    assert answer == DENIED, (who, name)
            assert [_publish(client, name) for name in OUTSIDE] == [DENIED] * len(OUTSIDE), who
        # A subscriber gets messages in the order the broker took them: after these, nothing is under way.
        last = b"last"
        way = ((a, cloud, SALE.of(A)), (cloud, a, RECEIPT.of(A)), (cloud, b, RECEIPT.of(B)))
        for sender, receiver, name in way:
            sender.publish(name, last)
            receiver.wait_for(name, last)
        assert {w: {m for m in c.received if m[1] != last} for w, c in clients.items()} == expected


@pytest.mark.parametrize("topic", [PRICES, CONFIG], ids=lambda topic: topic.name)
def test_what_is_wanted_can_be_neither_forged_nor_cleared(
    production: Broker, certificates: Path, topic: Topic
) -> None:
    """T5: by no device, neither its own nor another's, with an older version or with nothing in it."""
    with Client(production.port, certificates, CLOUD) as cloud:
        cloud.publish(topic.of(A), b'{"version": 7}', retain=True)
    for who in (A, B):
        with Client(production.port, certificates, who) as machine:
            for forged in (b'{"version": 6}', b'{"version": 8}', b""):
                assert _publish(machine, topic.of(A), forged, retain=True) == DENIED
    with Client(production.port, certificates, A, filters=(topic.of(A),)) as machine:
        machine.wait_for(topic.of(A), b'{"version": 7}')
        assert len(machine.received) == 1


def test_a_last_will_has_the_rights_of_its_machine(production: Broker, certificates: Path) -> None:
    with Client(production.port, certificates, CLOUD, filters=("#",)) as cloud:
        for machine in (B, A):
            with Client(production.port, certificates, A, will=(STATUS.of(machine), b"gone")) as client:
                client.vanish()
        cloud.wait_for(STATUS.of(A), b"gone")
        assert cloud.received == [(STATUS.of(A), b"gone")]


# ---- identity


def test_the_certificate_is_the_client_id_whatever_the_client_says(
    production: Broker, certificates: Path
) -> None:
    with (
        Client(production.port, certificates, B, filters=("#",)) as b,
        Client(production.port, certificates, A) as a,
        Client(production.port, certificates, CLOUD) as cloud,
    ):
        with Client(production.port, certificates, A, client_id=B) as thief:
            assert a.ended.wait(10), "the same certificate is the same client"
            assert thief.publish(SALE.of(B)) == DENIED
            cloud.publish(RECEIPT.of(B), b"for b")
            b.wait_for(RECEIPT.of(B), b"for b")
            assert thief.received == []
        assert not b.ended.is_set()


def _connect_packet(client_id: str) -> bytes:
    name = client_id.encode()
    body = b"\x00\x04MQTT\x05\x02\x00\x3c\x00" + len(name).to_bytes(2, "big") + name
    return b"\x10" + bytes([len(body)]) + body


def _answer(sock: socket.socket) -> bytes:
    """The broker's answer to CONNECT, however it says no."""
    try:
        sock.sendall(_connect_packet(A))
        return sock.recv(100)
    except OSError:  # a TLS alert, or a reset
        return b""


def _tls(certificates: Path, name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificates / "ca.crt")
    if name is not None:
        context.load_cert_chain(certificates / f"{name}.crt", certificates / f"{name}.key")
    return context


@pytest.mark.parametrize(("name", "accepted"), [(A, True), (STRANGER, False), (None, False)])
def test_only_certificates_of_our_authority_get_in(
    production: Broker, certificates: Path, name: str | None, *, accepted: bool
) -> None:
    with (
        socket.create_connection((production.host, production.port), timeout=10) as plain,
        _tls(certificates, name).wrap_socket(plain, server_hostname=production.host) as sock,
    ):
        assert (_answer(sock)[:1] == b"\x20") is accepted


def test_a_plain_connection_is_refused(production: Broker) -> None:
    with socket.create_connection((production.host, production.port), timeout=10) as sock:
        assert _answer(sock)[:1] in {b"", b"\x15"}  # closed, with or without a TLS alert


def test_tls_below_1_2_is_refused(production: Broker, certificates: Path) -> None:
    context = _tls(certificates, A)
    context.set_ciphers("ALL:@SECLEVEL=0")  # otherwise our own side refuses first
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection((production.host, production.port), timeout=10) as plain,
        pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"),
    ):
        context.wrap_socket(plain, server_hostname=production.host)


# ---- size


@pytest.mark.parametrize("protocol", [mqtt.MQTTv5, mqtt.MQTTv311])
def test_the_largest_message_passes_and_a_larger_packet_ends_the_connection(
    production: Broker, certificates: Path, protocol: int
) -> None:
    largest = bytes(codec.MAX_MESSAGE_BYTES)
    with (
        Client(production.port, certificates, CLOUD, filters=(SALE.filter,)) as cloud,
        Client(production.port, certificates, A, protocol=protocol) as machine,
    ):
        assert machine.publish(SALE.of(A), largest) == SUCCESS
        cloud.wait_for(SALE.of(A), largest)
        if protocol == mqtt.MQTTv5:
            assert machine.max_packet_bytes is not None
            assert machine.max_packet_bytes > len(largest)
        assert machine.publish(SALE.of(A), bytes(codec.MAX_MESSAGE_BYTES + 10_000)) is None
        assert machine.ended.is_set()
        assert len(cloud.received) == 1
