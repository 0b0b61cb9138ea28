"""Certificates of the cloud's own parts, each in one file with its key: the programs and the broker."""

from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from cloud.identity.authority import Use
from cloud.identity.issue import Desk, operator
from cloud.identity.register import Issued
from shared import certificates as certs
from shared.files import write_whole

LIFE: Final = timedelta(days=2 * 365)


def make(
    desk: Desk, name: str, use: Use, hosts: tuple[str, ...], now_ns: int, who: str | None = None
) -> tuple[Issued, bytes]:
    """A new key, and a certificate for it."""
    key = certs.new_key()
    with desk.register.transaction():
        issued = desk.issue(
            name,
            key.public_key(),
            "operator",
            who or operator(),
            now_ns,
            use=use,
            hosts=hosts,
            life=LIFE,
        )
    return issued, certs.key_pem(key)


def keep(desk: Desk, path: Path, name: str, use: Use, hosts: tuple[str, ...], now_ns: int) -> bool:
    """See that the file is there, good for a while and for these hosts; whether it was made now."""
    try:
        pem = path.read_bytes()
        is_good = now_ns < certs.read(pem).renew_at_ns and _hosts(pem) == {*hosts}
    except (OSError, certs.CertificateError):
        is_good = False
    if not is_good:
        issued, key = make(desk, name, use, hosts, now_ns, who=name)
        write_whole(path, issued.pem.encode() + key, 0o600)
    return not is_good


def _hosts(pem: bytes) -> set[str]:
    extensions = x509.load_pem_x509_certificate(pem).extensions
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in names}
