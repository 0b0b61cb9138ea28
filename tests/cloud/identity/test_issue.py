"""Who gets a certificate, and who does not: provisioning, joining, renewing, revoking."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from cloud.database import StoreError
from cloud.identity import authority
from cloud.identity.authority import Use
from cloud.identity.issue import Desk, RefusedError
from cloud.identity.overview import overview
from cloud.identity.register import WRONG_TRIES
from shared import certificates as certs
from tests.cloud.identity.rig import (
    AN_HOUR,
    DAY_NS,
    LIFE_DAYS,
    NOW_NS,
    desk,
    invited,
    join_request,
    renewal,
    request,
)

HOUR_NS = DAY_NS // 24


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as made:
        yield made


def refused(opened: Desk, secret: str, key: certs.PrivateKey | None = None, at_ns: int = NOW_NS) -> bool:
    try:
        opened.join(join_request("m1", secret, key), at_ns)
    except RefusedError as error:
        return error.code == "not_invited"
    return False


# ---- the authority


def test_it_is_made_once_and_its_key_is_its_owners_alone(tmp_path: Path) -> None:
    made = authority.make(tmp_path / "ca", NOW_NS)
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "ca/authority.pem").stat().st_mode) == 0o600
    assert b"PRIVATE" not in (tmp_path / "ca/ca.crt").read_bytes()
    with pytest.raises(StoreError, match="never made anew"):
        authority.make(tmp_path / "ca", NOW_NS)
    assert authority.load(tmp_path / "ca").pem == made.pem
    (tmp_path / "ca/authority.pem").chmod(0o640)
    with pytest.raises(StoreError, match="chmod 600"):
        authority.load(tmp_path / "ca")
    with pytest.raises(StoreError, match="ca init"):
        authority.load(tmp_path)
    (tmp_path / "ca/authority.pem").write_bytes(b"damaged")
    (tmp_path / "ca/authority.pem").chmod(0o600)
    with pytest.raises(StoreError, match="cannot be used"):
        authority.load(tmp_path / "ca")


def test_a_machines_certificate_is_a_clients_and_nothing_more(opened: Desk) -> None:
    issued, key = opened.provision("m1", NOW_NS)
    certificate = x509.load_pem_x509_certificate(issued.pem.encode())
    extensions = certificate.extensions
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == list(Use.CLIENT.value)
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certs.read(issued.pem.encode()).name == "m1"
    assert certs.read_key(key).public_key() == certificate.public_key()
    assert certs.is_signed_by(issued.pem.encode(), opened.authority.pem)
    assert issued.not_before_ns < NOW_NS - DAY_NS + HOUR_NS  # clocks that are slow
    assert (issued.not_after_ns - NOW_NS) // DAY_NS in {LIFE_DAYS - 1, LIFE_DAYS}
    (kept,) = opened.register.of("m1")
    assert kept == issued
    assert key not in repr(kept).encode(), "the cloud keeps no machine's key"


@pytest.mark.parametrize(
    "name", ["", "M1", "-m", "m/1", "+", "#", "m 1", "a" * 33, "vend-cloud", "vend-signer", "m1\n", "../m"]
)
def test_names_that_no_machine_can_have(opened: Desk, name: str) -> None:
    with pytest.raises(StoreError):
        opened.provision(name, NOW_NS)
    assert opened.register.everybody() == []


def _rsa() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    built = x509.CertificateSigningRequestBuilder().subject_name(certs.name_of("m1"))
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _forged() -> bytes:
    """Somebody else's key, with a signature that does not fit."""
    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    built = x509.CertificateSigningRequestBuilder().subject_name(certs.name_of("m1"))
    good = built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    bad = good.replace(certs.der(key.public_key()), certs.der(other.public_key()))
    return x509.load_der_x509_csr(bad).public_bytes(serialization.Encoding.PEM)


BAD = {
    "not PEM": (b"hello", "no certificate signing request"),
    "empty": (b"", "no certificate signing request"),
    "of another machine": (request("m2"), "for 'm2', not for m1"),
    "of another kind of key": (_rsa(), "P-256"),
    "not signed by its key": (_forged(), "own key"),
}


@pytest.mark.parametrize("name", BAD)
def test_requests_that_are_not_signed(opened: Desk, name: str) -> None:
    pem, says = BAD[name]
    with pytest.raises(StoreError, match=says):
        opened.provision("m1", NOW_NS, pem)
    assert opened.register.everybody() == []


# ---- joining


def test_a_code_is_good_for_one_key(opened: Desk) -> None:
    secret, key = invited(opened, "m1"), certs.new_key()
    answer = opened.join(join_request("m1", secret, key), NOW_NS)
    assert certs.read(answer.certificate.encode()).public_key == certs.der(key.public_key())
    again = opened.join(join_request("m1", secret, key), NOW_NS + HOUR_NS // 2)
    assert again == answer, "its answer may have been lost"
    assert refused(opened, secret), "and nobody else gets one"
    assert refused(opened, secret, key, NOW_NS + HOUR_NS), "nor does it for ever"
    assert [c.how for c in opened.register.of("m1")] == ["join"]


def test_a_code_is_for_its_machine_and_its_time(opened: Desk) -> None:
    secret = invited(opened, "m1")
    with pytest.raises(RefusedError):
        opened.join(join_request("m2", secret), NOW_NS)
    assert refused(opened, secret, at_ns=NOW_NS + HOUR_NS)
    assert not refused(opened, secret, at_ns=NOW_NS + HOUR_NS - 1)


def test_a_later_invitation_voids_the_earlier(opened: Desk) -> None:
    first, second = invited(opened, "m1"), invited(opened, "m1")
    assert refused(opened, first)
    assert not refused(opened, second)


def test_wrong_tries_void_it(opened: Desk) -> None:
    secret = invited(opened, "m1")
    for _ in range(WRONG_TRIES - 1):
        assert refused(opened, "WRONG")
    assert not refused(opened, secret)
    secret = invited(opened, "m1")
    for _ in range(WRONG_TRIES):
        assert refused(opened, "WRONG")
    assert refused(opened, secret)
    assert opened.register.invitations(NOW_NS) == []


def test_the_secret_is_not_kept(opened: Desk, tmp_path: Path) -> None:
    secret = invited(opened, "m1")
    everything = b"".join(path.read_bytes() for path in tmp_path.glob("store.db*"))
    assert secret.encode() not in everything


# ---- renewing


def due_ns(opened: Desk, name: str) -> int:
    return opened.register.of(name)[0].certificate.renew_at_ns


def test_a_machine_renews_at_two_thirds_and_no_earlier(opened: Desk) -> None:
    first, _ = opened.provision("m1", NOW_NS)
    key = certs.new_key()
    wanted = renewal("m1", first.serial, key)
    at_ns = due_ns(opened, "m1")
    assert opened.renew("m1", wanted, at_ns - 1).refused == "too_early"
    answer = opened.renew("m1", wanted, at_ns)
    assert answer.certificate is not None
    assert certs.read(answer.certificate.encode()).public_key == certs.der(key.public_key())
    assert opened.renew("m1", wanted, at_ns + 1) == answer, "the answer was lost"
    other = renewal("m1", first.serial)
    assert opened.renew("m1", other, at_ns + HOUR_NS).refused == "too_often"
    assert opened.renew("m1", other, at_ns + DAY_NS + 1).certificate is not None


@pytest.mark.parametrize("case", ["of another machine", "revoked", "out of date", "unknown"])
def test_who_does_not_renew(opened: Desk, case: str) -> None:
    first, _ = opened.provision("m1", NOW_NS)
    other, _ = opened.provision("m2", NOW_NS)
    at_ns = due_ns(opened, "m1")
    wanted = renewal("m1", {"of another machine": other.serial, "unknown": "1"}.get(case, first.serial))
    if case == "revoked":
        opened.register.revoke("m1", "stolen", NOW_NS)
    if case == "out of date":
        at_ns = first.not_after_ns
    assert opened.renew("m1", wanted, at_ns).refused == "unknown_certificate"


def test_a_request_for_somebody_else_is_not_signed(opened: Desk) -> None:
    first, _ = opened.provision("m1", NOW_NS)
    answer = opened.renew("m1", renewal("m2", first.serial), due_ns(opened, "m1"))
    assert answer.refused == "bad_request"


# ---- revoking


def test_a_name_is_denied_until_it_has_a_certificate_again(opened: Desk) -> None:
    first, _ = opened.provision("m1", NOW_NS)
    opened.provision("m2", NOW_NS)
    assert opened.register.denied() == frozenset()
    assert opened.register.revoke("m1", "stolen", NOW_NS) == 1
    assert opened.register.denied() == {"m1"}
    assert opened.register.revoked(NOW_NS).keys() == {first.serial}
    opened.join(join_request("m1", invited(opened, "m1")), NOW_NS + 1)
    assert opened.register.denied() == frozenset()
    assert opened.register.revoked(NOW_NS).keys() == {first.serial}
    assert opened.register.revoked(first.not_after_ns) == {}, "out of date is out of date"


def test_everybodys_state(opened: Desk) -> None:
    for name in ("good", "late", "gone", "back"):
        opened.provision(name, NOW_NS)
    opened.register.revoke("gone", "sold", NOW_NS)
    opened.register.revoke("back", "stolen", NOW_NS)
    at_ns = due_ns(opened, "late") + 12 * DAY_NS
    opened.renew("good", renewal("good", opened.register.of("good")[0].serial), due_ns(opened, "good"))
    invited(opened, "back", AN_HOUR, at_ns)
    invited(opened, "new", AN_HOUR, at_ns)
    rows = {row.name: row for row in overview(opened.register, at_ns)}
    assert {name: row.state for name, row in rows.items()} == {
        "good": "good",
        "late": "expiring",
        "gone": "revoked",
        "back": "invited",
        "new": "invited",
    }
    assert rows["gone"].reason == "sold"
    assert rows["good"].how == "renewal"
    later = {row.name: row.state for row in overview(opened.register, at_ns + 365 * DAY_NS)}
    assert later == {"good": "expired", "late": "expired", "gone": "revoked", "back": "revoked"}
