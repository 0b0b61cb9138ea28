"""The operator's own certificate authority: one key, made once, that signs for machines, broker and cloud.

Time is an argument. Everything is backdated by a day, for clocks that are slow. A certificate is for a client
or for a server and never for both (the signer's excepted), so no machine can pass for the broker.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from cloud.database import StoreError
from shared import certificates as certs
from shared import join_code
from shared.files import write_whole

NAME: Final = "Vendlink authority"
LIFE: Final = timedelta(days=20 * 365)
BACKDATED: Final = timedelta(days=1)
PUBLIC_FILE: Final = "ca.crt"
_WHOLE_FILE: Final = "authority.pem"  # key and certificate: one file is there whole or not at all


class Use(Enum):
    CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
    SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
    BOTH = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)


@dataclass(frozen=True, slots=True)
class Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return pem_of(self.certificate)

    def sign(
        self,
        name: str,
        public_key: ec.EllipticCurvePublicKey,
        use: Use,
        now_ns: int,
        life: timedelta,
        hosts: Sequence[str] = (),
    ) -> x509.Certificate:
        """`hosts`: names and addresses of a server. Never valid for longer than the authority itself."""
        now = _time(now_ns)
        until = min(now + life, self.certificate.not_valid_after_utc)
        builder = _builder(name, self.certificate.subject, public_key, now - BACKDATED, until)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(digital_signature=True), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(use.value), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_host(h) for h in hosts]), critical=False
            )
        return builder.sign(self.key, hashes.SHA256())

    def revocation_list(self, revoked: Mapping[str, int], now_ns: int) -> bytes:
        """`revoked`: when, by serial. It names no early next date: the broker would then refuse everybody."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(_time(now_ns) - BACKDATED)
            .next_update(self.certificate.not_valid_after_utc)
        )
        for serial, at_ns in sorted(revoked.items()):
            entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16))
            builder = builder.add_revoked_certificate(entry.revocation_date(_time(at_ns)).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def make(folder: Path, now_ns: int) -> Authority:
    """Once. Raises StoreError where there is one: whoever trusts it would be left without."""
    if (folder / _WHOLE_FILE).exists():
        raise StoreError(f"{folder} has an authority already; it is never made anew")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = certs.new_key()
    name, now = certs.name_of(NAME), _time(now_ns)
    certificate = (
        _builder(NAME, name, key.public_key(), now - BACKDATED, now + LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_whole(folder / _WHOLE_FILE, certs.key_pem(key) + pem_of(certificate), 0o600, replace=False)
    write_whole(folder / PUBLIC_FILE, pem_of(certificate), 0o644)
    return Authority(certificate, key)


def load(folder: Path) -> Authority:
    """Raises StoreError where there is none, or none that can be read."""
    path = folder / _WHOLE_FILE
    try:
        pem = path.read_bytes()
        if path.stat().st_mode & 0o077:
            raise StoreError(f"{path}: others may read the authority's key; chmod 600 {path}")
        certificate = x509.load_pem_x509_certificate(pem)
        key = certs.read_key(pem)
    except FileNotFoundError:
        raise StoreError(f"{path} is not there: make the authority with `vend-cloud ca init`") from None
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{path} cannot be used ({error}); ask as its owner (uid {os.getuid()} asks)"
        ) from None
    return Authority(certificate, key)


def public_pem(folder: Path) -> bytes:
    """The authority's certificate, which everybody may have. Raises StoreError."""
    try:
        return (folder / PUBLIC_FILE).read_bytes()
    except OSError as error:
        raise StoreError(f"{error.filename}: {error.strerror}; `vend-cloud ca init` makes it") from None


def fingerprint(pem: bytes) -> str:
    return join_code.fingerprint(certs.read(pem).public_key)


def pem_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(certs.name_of(name))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _time(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // 10**9, UTC)
