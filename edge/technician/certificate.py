"""The machine's own certificate, as a technician needs to know it."""

from datetime import UTC, datetime
from typing import Final

from edge.technician.check import Check, ok, trouble, warning
from shared import certificates as certs
from shared.clock import Now
from shared.settings import TlsSettings

_JOIN: Final = "join: the operator's `vend-cloud invite` prints the line to type here"


def certificate(tls: TlsSettings | None, now: Now) -> list[Check]:
    """Nothing for a machine whose settings name none. Dates are judged by a clock that is right only."""
    if tls is None:
        return []
    try:
        own = certs.read(tls.certificate.read_bytes())
    except (OSError, certs.CertificateError) as error:
        return [trouble("certificate_missing", f"no certificate at {tls.certificate}: {error}", _JOIN)]
    until = f"{datetime.fromtimestamp(own.not_after_ns // 10**9, UTC):%Y-%m-%d}"
    words = f"{own.name} has a certificate until {until}"
    if now.trust == "synced" and now.wall_ns >= own.not_after_ns:
        return [trouble("certificate_expired", f"the certificate was good until {until}", _JOIN)]
    if now.trust == "synced" and now.wall_ns >= own.renew_at_ns:
        todo = "it is to be renewed by itself: see the machine's log, and whether `vend-cloud signer` runs"
        return [warning("certificate_old", words, todo)]
    return [ok("certificate", words)]
