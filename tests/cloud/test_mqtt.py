"""A connection to the real broker: what is acknowledged, what comes again, what is refused."""

import asyncio
import base64
import socket
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import pytest
from aiomqtt import MqttError

from cloud import mqtt
from cloud.mqtt import Connection, PublishRefusedError
from deploy.demo.servers import Broker, free_port
from shared.settings import MqttSettings, TlsSettings

TOPIC = "vend/v1/m1/sale"
Protocol = Literal["5", "3.1.1"]


def settings(broker: Broker, protocol: Protocol = "5") -> MqttSettings:
    return MqttSettings(port=broker.port, protocol=protocol, keepalive_s=5)


def connect(broker: Broker, protocol: Protocol = "5", name: str = "cloud") -> Connection:
    return Connection(settings(broker, protocol), name, lambda: 42)


async def publish(
    connection: Connection, payload: bytes, topic: str = TOPIC, *, retain: bool = False
) -> None:
    await connection.publish(topic, payload, qos=1, retain=retain, content_type="application/msgpack")


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(limited())


async def until(condition: Callable[[], bool]) -> None:
    """The limit is `run`'s."""
    while not condition():  # noqa: ASYNC110  # what is waited for knows of no event
        await asyncio.sleep(0.01)


async def take(connection: Connection, count: int) -> list[mqtt.Inbound]:
    taken: list[mqtt.Inbound] = []
    while len(taken) < count:
        taken += await connection.receive(1_000, 10**9)
    return taken


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_is_published_arrives_in_order(broker: Broker, protocol: Protocol) -> None:
    async def test() -> None:
        async with connect(broker, protocol) as cloud, connect(broker, protocol, "machine") as machine:
            await cloud.subscribe("$share/vend-cloud/vend/v1/+/sale", 1)
            for number in range(50):
                await publish(machine, bytes([number]))
            taken = await take(cloud, 50)
            assert [m.arrived.payload for m in taken] == [bytes([n]) for n in range(50)]
            first = taken[0].arrived
            assert (first.topic, first.qos, first.retain, first.arrived_ns) == (TOPIC, 1, False, 42)
            kept = {"ContentType": "application/msgpack"} if protocol == "5" else {}
            assert taken[0].properties == kept

    run(test)


def test_a_request_says_where_its_answer_goes_and_when_it_is_over(broker: Broker) -> None:
    async def test() -> None:
        async with connect(broker) as cloud, connect(broker, name="machine") as machine:
            await machine.subscribe(TOPIC, 1)
            request = mqtt.Request("vend/v1/m1/reply", b"\xab" * 16, 60)
            await cloud.publish(TOPIC, b"x", qos=1, retain=False, content_type="a/b", request=request)
            (taken,) = await take(machine, 1)
            assert taken.properties["ResponseTopic"] == "vend/v1/m1/reply"
            assert taken.properties["CorrelationData_b64"] == base64.b64encode(b"\xab" * 16).decode()
            assert 55 <= taken.properties["MessageExpiryInterval"] <= 60

    run(test)


def test_small_packets_leave_at_once(broker: Broker) -> None:
    async def test() -> None:
        async with connect(broker) as cloud:
            sock = cloud._paho.socket()
            assert isinstance(sock, socket.socket)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(test)


def test_a_batch_is_what_is_there_up_to_a_count_and_a_size(broker: Broker) -> None:
    async def test() -> None:
        async with connect(broker) as cloud, connect(broker, name="machine") as machine:
            await cloud.subscribe(TOPIC, 1)
            for _ in range(20):
                await publish(machine, bytes(100))
            await until(lambda: len(cloud._inbox) == 20)
            assert len(await cloud.receive(7, 10**9)) == 7
            assert len(await cloud.receive(100, 250)) == 3, "the message that passes the limit is the last"
            assert len(await cloud.receive(100, 10**9)) == 10

    run(test)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_nothing_is_acknowledged_before_we_say_so(broker: Broker, protocol: Protocol) -> None:
    """Unacknowledged messages fill the window and the broker holds the rest; acknowledging lets it go on."""

    async def test() -> None:
        async with connect(broker, protocol) as cloud, connect(broker, name="machine") as machine:
            await cloud.subscribe(TOPIC, 1)
            sends = [publish(machine, number.to_bytes(2, "big")) for number in range(1_500)]
            await asyncio.gather(*sends)
            held = await take(cloud, 100)
            held += await drain(cloud)
            assert len(held) < 1_500, "the broker waits for us"
            while len(held) < 1_500:
                for message in held[-100:]:
                    cloud.acknowledge(message)
                held += await take(cloud, 1)
            assert [int.from_bytes(m.arrived.payload, "big") for m in held] == list(range(1_500))

    run(test)


async def drain(connection: Connection) -> list[mqtt.Inbound]:
    """Until nothing has come for a while."""
    taken: list[mqtt.Inbound] = []
    try:
        while True:
            async with asyncio.timeout(0.3):
                taken += await connection.receive(1_000, 10**9)
    except TimeoutError:
        return taken


def test_an_acknowledgement_of_a_lost_connection_touches_nothing(broker: Broker) -> None:
    async def test() -> None:
        async with connect(broker, name="machine") as machine:
            async with connect(broker) as old:
                await old.subscribe(TOPIC, 1)
                await publish(machine, b"1")
                (stale,) = await old.receive(10, 10**9)
            async with connect(broker) as new:
                await new.subscribe(TOPIC, 1)
                await publish(machine, b"2")
                (fresh,) = await new.receive(10, 10**9)
                assert fresh.mid == stale.mid, "packet ids start again"
                old.acknowledge(stale)
                assert new._paho.is_connected()

    run(test)


def test_a_dead_broker_ends_every_wait(tmp_path: Path) -> None:
    async def test() -> None:
        with Broker(tmp_path / "b") as broker:
            async with connect(broker) as cloud:
                waits = [
                    asyncio.create_task(cloud.receive(1, 1)),
                    asyncio.create_task(cloud.lost()),
                ]
                await asyncio.sleep(0)
                broker.kill()
                for wait in waits:
                    with pytest.raises(MqttError):
                        await wait
                with pytest.raises(MqttError):
                    await publish(cloud, b"")
            with pytest.raises(MqttError):
                async with connect(broker):
                    pass

    run(test)


def test_a_broker_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            connection = Connection(MqttSettings(port=port), "cloud", lambda: 0)
            connection._client.timeout = 0.2
            with pytest.raises(MqttError, match="timed out"):
                async with connection:
                    pass
            await until(lambda: connection._paho.socket() is None)

    run(test)


def test_more_than_fits_in_memory_ends_the_connection(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "_INBOX_LIMIT_BYTES", 1_000)

    async def test() -> None:
        async with connect(broker) as cloud, connect(broker, name="machine") as machine:
            await cloud.subscribe(TOPIC, 1)
            for _ in range(15):
                await publish(machine, bytes(100))
            with pytest.raises(MqttError, match="1000 bytes are waiting"):
                await cloud.lost()
            assert len(cloud._inbox) == 11

    run(test)


def test_a_publish_that_the_broker_denies_is_no_success(tmp_path: Path) -> None:
    rights = tmp_path / "acl"
    rights.write_text("topic write allowed/#\ntopic read #\n")
    conf = f"allow_anonymous true\npersistence false\nacl_file {rights}\n"

    async def test() -> None:
        with Broker(tmp_path / "b", conf) as broker:
            async with connect(broker) as cloud:
                await publish(cloud, b"x", "allowed/a")
                with pytest.raises(PublishRefusedError, match="Not authorized"):
                    await publish(cloud, b"x", "denied/a")
                await publish(cloud, b"x", "allowed/b")

    run(test)


def test_a_wrong_password_is_an_error_in_words(tmp_path: Path) -> None:
    async def test() -> None:
        with Broker(tmp_path / "b", "allow_anonymous false\npersistence false\n") as broker:
            connection = connect(broker)
            with pytest.raises(MqttError, match=r"(?i)not authorized"):
                await connection.__aenter__()

    run(test)


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """An authority; a certificate of localhost for the broker, and one of vend-cloud."""
    folder = tmp_path / "pki"
    folder.mkdir()
    ca, days = folder / "ca", ("-days", "2", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    openssl("req", "-x509", *days, "-keyout", f"{ca}.key", "-out", f"{ca}.crt", "-subj", "/CN=ca")
    for name, extra in (("localhost", ("-addext", "subjectAltName=IP:127.0.0.1")), ("vend-cloud", ())):
        path = folder / name
        openssl(
            "req", *days[2:], "-keyout", f"{path}.key", "-out", f"{path}.csr", "-subj", f"/CN={name}", *extra
        )
        signing = ("-CA", f"{ca}.crt", "-CAkey", f"{ca}.key", "-CAcreateserial", "-copy_extensions", "copy")
        openssl("x509", "-req", "-in", f"{path}.csr", "-out", f"{path}.crt", *signing)
    return folder


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_with_a_certificate_and_without_the_right_authority(tmp_path: Path, certificates: Path) -> None:
    port = free_port()
    conf = (
        f"allow_anonymous false\npersistence false\nlistener {port} 127.0.0.1\n"
        f"cafile {certificates}/ca.crt\ncertfile {certificates}/localhost.crt\n"
        f"keyfile {certificates}/localhost.key\n"
        "require_certificate true\nuse_identity_as_username true\n"
    )

    def tls(ca: str) -> MqttSettings:
        own = certificates / "vend-cloud"
        files = TlsSettings(
            ca=certificates / ca, certificate=own.with_suffix(".crt"), key=own.with_suffix(".key")
        )
        return MqttSettings(port=port, tls=files)

    async def test() -> None:
        with Broker(tmp_path / "b", conf):
            async with Connection(tls("ca.crt"), "cloud", lambda: 0) as cloud:
                await publish(cloud, b"x")
            with pytest.raises(MqttError, match="certificate verify failed"):
                async with Connection(tls("localhost.crt"), "cloud", lambda: 0):
                    pass

    run(test)
