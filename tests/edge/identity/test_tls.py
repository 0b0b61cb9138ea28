"""Whom a machine believes, with a clock that is right and with one that is not."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.identity import own
from cloud.identity.authority import Use
from cloud.identity.issue import Desk
from edge.identity.tls import trusting
from shared.clock import Trust
from tests.cloud.identity.rig import DAY_NS, NOW_NS, desk

HOST = "broker.example"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as made:
        yield made


def _server(opened: Desk, folder: Path, use: Use, at_ns: int) -> ssl.SSLContext:
    issued, key = own.make(opened, HOST, use, (HOST,), at_ns)
    path = folder / "server.pem"
    path.write_bytes(issued.pem.encode() + key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


def believed(client: ssl.SSLContext, server: ssl.SSLContext, host: str = HOST) -> bool:
    """A handshake in memory, as far as the client's verdict."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=host)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
            if side is ours:
                return True
    raise AssertionError("no end to the handshake")


@pytest.mark.parametrize(
    ("made_days", "trust", "is_believed"),
    [
        (0, "synced", True),
        (0, "estimated", True),
        (30, "synced", False),  # our clock is slow, or the certificate is from the future
        (30, "estimated", True),
        (-3_000, "synced", False),  # out of date
        (-3_000, "estimated", True),
    ],
)
def test_dates_count_where_the_clock_is_right(
    opened: Desk, tmp_path: Path, made_days: int, trust: Trust, *, is_believed: bool
) -> None:
    server = _server(opened, tmp_path, Use.SERVER, NOW_NS + made_days * DAY_NS)
    assert believed(trusting(tmp_path / "ca/ca.crt", trust), server) is is_believed


@pytest.mark.parametrize("trust", ["synced", "estimated"])
def test_name_authority_and_purpose_always_count(opened: Desk, tmp_path: Path, trust: Trust) -> None:
    client = trusting(tmp_path / "ca/ca.crt", trust)
    assert not believed(client, _server(opened, tmp_path, Use.SERVER, NOW_NS), "other.example")
    assert not believed(client, _server(opened, tmp_path, Use.CLIENT, NOW_NS)), "a machine is no broker"
    (tmp_path / "other").mkdir()
    with desk(tmp_path / "other") as stranger:
        assert not believed(client, _server(stranger, tmp_path, Use.SERVER, NOW_NS))
