"""What doctor says of the machine's certificate."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.identity.issue import Desk
from edge.technician.certificate import certificate
from shared.clock import Now, Trust
from shared.settings import TlsSettings
from tests.cloud.identity.rig import DAY_NS, LIFE_DAYS, NOW_NS, desk


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("days", "trust", "code"),
    [
        (0, "synced", "certificate"),
        (LIFE_DAYS * 2 // 3 + 1, "synced", "certificate_old"),
        (LIFE_DAYS + 1, "synced", "certificate_expired"),
        (LIFE_DAYS + 1, "estimated", "certificate"),
    ],
)
def test_it_is_judged_by_a_right_clock(
    opened: Desk, tmp_path: Path, days: int, trust: Trust, code: str
) -> None:
    tls = TlsSettings(ca=tmp_path / "ca/ca.crt", certificate=tmp_path / "machine.pem")
    assert [c.code for c in certificate(tls, Now(NOW_NS, 0.0, "synced"))] == ["certificate_missing"]
    issued, key = opened.provision("m1", NOW_NS)
    tls.certificate.write_bytes(issued.pem.encode() + key)
    (check,) = certificate(tls, Now(NOW_NS + days * DAY_NS, 0.0, trust))
    assert check.code == code
    assert bool(check.todo) == (code != "certificate")
    assert certificate(None, Now(NOW_NS, 0.0, "synced")) == []
