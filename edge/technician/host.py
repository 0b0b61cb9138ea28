"""What the computer under the machine gives it: programs, clock, disk, and the way to the broker."""

import os
import socket
import sqlite3
import ssl
import sys
from contextlib import suppress
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from edge.disk import RESUME_BYTES
from edge.identity.tls import trusting
from edge.technician.check import Check, ok, trouble, warning
from shared.clock import SystemClock
from shared.settings import MqttSettings, TlsSettings

LOW_BYTES: Final = 100 * 1024 * 1024
BROKER_LIMIT_S: Final = 5.0
_VERDICT_S: Final = 0.5
_MIB: Final = 1024 * 1024

# The first version of each branch, and of all later ones, that does not corrupt a WAL when a checkpoint meets
# the writer of another connection.
_WAL_FIXED: Final = ((3, 44, 6), (3, 50, 7), (3, 51, 3))
_MSGPACK_FIXED: Final = (1, 2, 3)  # before it the C extension leaks memory on refused map keys
_PYTHON_LEAST: Final = (3, 11)


def programs() -> list[Check]:
    return [
        python_check(sys.version_info[:3]),
        sqlite_check(sqlite3.sqlite_version_info),
        msgpack_check(version("msgpack")),
    ]


def python_check(found: tuple[int, ...]) -> Check:
    name = f"Python {_dotted(found)}"
    if found < _PYTHON_LEAST:
        return trouble("python_old", name, f"install Python {_dotted(_PYTHON_LEAST)} or newer")
    return ok("python", name)


def sqlite_check(found: tuple[int, ...]) -> Check:
    name = f"SQLite {_dotted(found)}"
    if found >= _WAL_FIXED[-1] or any(found[:2] == fixed[:2] and found >= fixed for fixed in _WAL_FIXED):
        return ok("sqlite", name)
    return warning(
        "sqlite_wal_bug",
        f"{name} may corrupt a WAL that two connections write; the machine uses one",
        "never open journal.db with another program while the machine runs",
    )


def msgpack_check(found: str) -> Check:
    numbers = tuple(int(part) for part in found.split(".")[:3] if part.isdigit())
    if numbers < _MSGPACK_FIXED:
        least = _dotted(_MSGPACK_FIXED)
        return trouble("msgpack_old", f"msgpack {found} leaks memory", f"install msgpack {least} or newer")
    return ok("msgpack", f"msgpack {found}")


def clock() -> Check:
    if SystemClock().now().trust == "synced":
        return ok("clock", "the clock is synchronised")
    return warning(
        "clock_not_synced",
        "the clock is not synchronised: sales get an estimated time until it is",
        "let systemd-timesyncd or chrony run, and give it a network",
    )


def disk(folder: Path) -> Check:
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))
    room = os.statvfs(there)
    free = room.f_bavail * room.f_frsize
    words = f"{free // _MIB} MiB free at {folder}"
    if not os.access(there, os.W_OK):
        return trouble(
            "disk_denied", f"{there} cannot be written", "ask as the machine's user, or give it rights"
        )
    if free < RESUME_BYTES:
        return trouble("disk_full", words, f"make room: it does not sell below {RESUME_BYTES // _MIB} MiB")
    if free < LOW_BYTES:
        return warning("disk_low", words, "make room soon")
    return ok("disk", words)


# --- the broker -------------------------------------------------------------------------------------------


def broker(mqtt: MqttSettings) -> list[Check]:
    """Whether it can be reached, and whether it is the right one where TLS tells."""
    place = f"{mqtt.host}:{mqtt.port}"
    try:
        with socket.create_connection((mqtt.host, mqtt.port), BROKER_LIMIT_S) as plain:
            reached = ok("broker", f"{place} can be reached")
            if mqtt.tls is not None:
                return [reached, _handshake(plain, mqtt.host, mqtt.tls)]
            near = ip_address(plain.getpeername()[0]).is_loopback
    except OSError as error:
        todo = "check the network, and [mqtt] host and port; the machine sells on and sends later"
        return [trouble("broker_unreachable", f"{place}: {_reason(error)}", todo)]
    if near:
        return [reached]
    words = "the connection to the broker is plain: anybody on the way reads and changes it"
    return [reached, warning("broker_plain", words, "set [mqtt.tls] ca and certificate")]


def _handshake(plain: socket.socket, host: str, tls: TlsSettings) -> Check:
    try:
        context = trusting(tls.ca, SystemClock().now().trust)
        context.load_cert_chain(str(tls.certificate), str(tls.key_file))
    except OSError as error:  # ssl.SSLError is one
        todo = "[mqtt.tls] names files in PEM form that the machine's user can read"
        return trouble("tls_files", f"the TLS files cannot be used: {_reason(error)}", todo)
    try:
        with context.wrap_socket(plain, server_hostname=host) as secure:
            _refused_late(secure)
            return ok("broker_tls", f"{host} proved who it is ({secure.version()})")
    except OSError as error:
        if "CERTIFICATE_REVOKED" in str(error):
            todo = "if that was a mistake, join again: the operator's `vend-cloud invite` prints the line"
            return trouble("certificate_revoked", "the operator revoked this machine's certificate", todo)
        todo = "check [mqtt.tls] ca, the host's name in the broker's certificate, and this computer's clock"
        return trouble("broker_tls_refused", f"no TLS with {host}: {_reason(error)}", todo)


def _refused_late(secure: ssl.SSLSocket) -> None:
    """A broker says what it thinks of our certificate after its own handshake, or else nothing at all."""
    secure.settimeout(_VERDICT_S)
    with suppress(TimeoutError):
        if not secure.recv(1):
            raise ConnectionError("the broker hung up")


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
