"""What doctor finds out about the computer, and the gates of versions with known faults."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edge.disk import RESUME_BYTES
from edge.technician import host
from edge.technician.check import Check
from shared.settings import MqttSettings, TlsSettings
from tests.mosquitto.certificates import make_authority, sign


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ((3, 40, 1), "sqlite_wal_bug"),
        ((3, 44, 5), "sqlite_wal_bug"),
        ((3, 44, 6), "sqlite"),
        ((3, 45, 0), "sqlite_wal_bug"),
        ((3, 50, 6), "sqlite_wal_bug"),
        ((3, 50, 7), "sqlite"),
        ((3, 51, 2), "sqlite_wal_bug"),
        ((3, 51, 3), "sqlite"),
        ((3, 52, 0), "sqlite"),
        ((4, 0, 0), "sqlite"),
    ],
)
def test_sqlite_versions_whose_wal_breaks(found: tuple[int, ...], code: str) -> None:
    assert host.sqlite_check(found).code == code


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ("1.2.2", "msgpack_old"),
        ("1.1.9", "msgpack_old"),
        ("1.2.3", "msgpack"),
        ("1.10.0", "msgpack"),
        ("2.0", "msgpack"),
    ],
)
def test_msgpack_versions_that_leak(found: str, code: str) -> None:
    assert host.msgpack_check(found).code == code


@pytest.mark.parametrize(
    ("found", "code"), [((3, 10, 9), "python_old"), ((3, 11, 0), "python"), ((3, 14, 1), "python")]
)
def test_python_versions(found: tuple[int, ...], code: str) -> None:
    assert host.python_check(found).code == code


def test_the_versions_of_this_installation_are_good_enough() -> None:
    assert all(check.level != "trouble" for check in host.programs())


@pytest.mark.parametrize(
    ("free", "code"),
    [(RESUME_BYTES - 1, "disk_full"), (RESUME_BYTES, "disk_low"), (host.LOW_BYTES, "disk")],
)
def test_room_on_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, code: str) -> None:
    room = type("Room", (), {"f_bavail": free, "f_frsize": 1})
    monkeypatch.setattr("os.statvfs", lambda _path: room)
    assert host.disk(tmp_path / "not" / "there").code == code


# --- the broker -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_authority(folder, "ours")
    make_authority(folder, "theirs")
    sign(folder, "ours", "broker", "broker")
    sign(folder, "ours", "m1", "m1")
    sign(folder, "theirs", "m1", "stranger")
    return folder


@pytest.fixture
def broker(folder: Path) -> Iterator[int]:
    """A TLS server that wants a certificate of ours, and says nothing; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "broker.crt", folder / "broker.key")
    context.load_verify_locations(folder / "ours.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                with suppress(OSError), context.wrap_socket(plain, server_side=True) as secure:
                    secure.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def asked(folder: Path, port: int, ca: str, own: str, name: str = "127.0.0.1") -> Check:
    files = (folder / file for file in (f"{ca}.crt", f"{own}.crt", f"{own}.key"))
    tls = TlsSettings(**dict(zip(("ca", "certificate", "key"), files, strict=True)))
    return host.broker(MqttSettings(host=name, port=port, tls=tls))[-1]


def test_the_right_broker(folder: Path, broker: int) -> None:
    check = asked(folder, broker, "ours", "m1")
    assert (check.level, check.code) == ("ok", "broker_tls")


@pytest.mark.parametrize(
    ("ca", "own", "name", "code"),
    [
        ("theirs", "m1", "127.0.0.1", "broker_tls_refused"),  # another broker
        ("ours", "stranger", "127.0.0.1", "broker_tls_refused"),  # it does not know us
        ("ours", "m1", "localhost", "broker_tls_refused"),  # its certificate is another host's
        ("none", "m1", "127.0.0.1", "tls_files"),
        ("ours", "none", "127.0.0.1", "tls_files"),
    ],
)
def test_what_is_wrong_with_tls(folder: Path, broker: int, ca: str, own: str, name: str, code: str) -> None:
    check = asked(folder, broker, ca, own, name)
    assert (check.level, check.code) == ("trouble", code)
    assert check.todo


def test_a_plain_broker_on_this_computer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        (check,) = host.broker(MqttSettings(port=listener.getsockname()[1]))
    assert (check.level, check.code) == ("ok", "broker")


def test_a_broker_that_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (check,) = host.broker(MqttSettings(port=port))
    assert (check.level, check.code) == ("trouble", "broker_unreachable")
    (check,) = host.broker(MqttSettings(host="broker.invalid", port=port))
    assert (check.level, check.code) == ("trouble", "broker_unreachable")
