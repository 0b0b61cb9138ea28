"""An authority and a register in a folder, and time as the test wants it."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from cloud.database import make
from cloud.identity import authority
from cloud.identity.issue import Desk, JoinRequest, invite
from cloud.identity.register import Register
from shared import certificates as certs
from shared.messages import CertificateRequest

DAY_NS = 24 * 3600 * 10**9
NOW_NS = time.time_ns()
LIFE_DAYS = 90
AN_HOUR = timedelta(hours=1)


@contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    make(folder / "store.db")
    with closing(Register(folder / "store.db")) as register:
        yield Desk(authority.make(folder / "ca", NOW_NS), register, timedelta(days=LIFE_DAYS))


def request(machine: str, key: certs.PrivateKey | None = None) -> bytes:
    return certs.request_pem(key or certs.new_key(), machine).encode()


def invited(opened: Desk, machine: str, valid: timedelta = AN_HOUR, at_ns: int = NOW_NS) -> str:
    """The secret of a new invitation."""
    return invite(opened.register, machine, opened.authority.pem, at_ns, valid).secret


def join_request(machine: str, secret: str, key: certs.PrivateKey | None = None) -> JoinRequest:
    return JoinRequest(machine=machine, secret=secret, csr=request(machine, key).decode())


def renewal(machine: str, serial: str, key: certs.PrivateKey | None = None) -> CertificateRequest:
    return CertificateRequest(serial=serial, csr=request(machine, key).decode())
