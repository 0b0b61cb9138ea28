"""Who gets in under the production configuration, and with what (rights: test_matrix.py)."""

import socket
import ssl
import warnings
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from deploy.demo.servers import Broker
from shared import codec
from shared.topics import RECEIPT, SALE
from tests.mosquitto.certificates import make_authority, sign
from tests.mosquitto.clients import Client
from tests.mosquitto.conftest import CLOUD, A, B

STRANGER = "stranger"  # says it is m-a, signed by an authority of its own
SUCCESS, DENIED = 0x00, 0x87


@pytest.fixture(scope="module", autouse=True)
def stranger(certificates: Path) -> None:
    make_authority(certificates, "other-ca")
    sign(certificates, "other-ca", A, STRANGER)


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


def connect_packet(client_id: str) -> bytes:
    name = client_id.encode()
    body = b"\x00\x04MQTT\x05\x02\x00\x3c\x00" + len(name).to_bytes(2, "big") + name
    return b"\x10" + bytes([len(body)]) + body


def _answer(sock: socket.socket) -> bytes:
    """The broker's answer to CONNECT, however it says no."""
    try:
        sock.sendall(connect_packet(A))
        return sock.recv(100)
    except OSError:  # a TLS alert, or a reset
        return b""


def _tls(certificates: Path, name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificates / "ca.crt")
    if name is not None:
        context.load_cert_chain(certificates / f"{name}.crt", certificates / f"{name}.key")
    return context


@pytest.mark.parametrize(
    ("name", "accepted"), [(A, True), (STRANGER, False), (None, False), ("broker", False)]
)
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
