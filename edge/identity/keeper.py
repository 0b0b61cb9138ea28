"""The machine's certificate on its disk, and its renewal at two thirds of its life.

Key and certificate are one file, so that one rename changes both. Beside `machine.pem`, which is in force,
`machine.pem.next` holds the key of a request under way, and with it the certificate once that came. The next
one is tried first and then in turn with the old one, until the broker takes one of them: the next one is then
put in force, or thrown away if the old one was taken.

The uplink's thread owns it. `context` raises OSError (ssl.SSLError is one) where the files cannot be used;
nothing else raises. A full disk or an odd answer means asking again later: the machine sells on.
"""

import logging
import ssl
from collections.abc import Callable
from typing import Final

from pydantic import ValidationError

from edge.identity.tls import trusting
from shared import certificates as certs
from shared.clock import Now
from shared.files import sync_folder, write_whole
from shared.messages import CertificateIssued, CertificateRequest
from shared.settings import TlsSettings

_log = logging.getLogger(__name__)
AGAIN_S: Final = 3_600.0  # a question or its answer may get lost
REFUSED_S: Final = 86_400.0


def is_due(certificate: certs.Certificate, now: Now) -> bool:
    """A clock that is not right cannot tell: then the cloud is asked, and knows."""
    return now.trust != "synced" or now.wall_ns >= certificate.renew_at_ns


class Keeper:
    def __init__(self, tls: TlsSettings, machine: str, now: Callable[[], Now]) -> None:
        self._tls = tls
        self._machine = machine
        self._now = now
        self._path = tls.certificate
        self._next = self._path.with_name(f"{self._path.name}.next")
        self._tries_next = False
        self._tried_next = False
        self._ask_s = 0.0

    def context(self) -> ssl.SSLContext:
        """For one attempt to connect."""
        context = trusting(self._tls.ca, self._now().trust)
        self._tries_next = not self._tries_next and self._has_next()
        if self._tries_next:
            self._tried_next = True
            context.load_cert_chain(self._next)
        else:
            context.load_cert_chain(self._path, self._tls.key_file)
        return context

    def accepted(self) -> None:
        """The broker took what the last context had. Said again, it changes nothing."""
        try:
            if self._tries_next:
                self._next.replace(self._path)
                sync_folder(self._path.parent)
                _log.info("the new certificate is in force")
            elif self._tried_next:
                self._next.unlink(missing_ok=True)
                _log.warning("the new certificate was not taken; the old one is")
        except OSError as error:
            _log.warning("%s: %s; trying again with the next connection", self._path, error)
        self._tries_next = self._tried_next = False

    def request(self) -> bytes | None:
        """A request to send now, if one is due."""
        now = self._now()
        if self._tls.key is not None or now.monotonic_s < self._ask_s:
            return None
        self._ask_s = now.monotonic_s + AGAIN_S
        try:
            current = certs.read(self._path.read_bytes())
            if not is_due(current, now):
                return None
            csr = certs.request_pem(self._next_key(), self._machine)
        except (OSError, certs.CertificateError) as error:
            _log.warning("the certificate cannot be renewed now: %s", error)
            return None
        return CertificateRequest(serial=current.serial, csr=csr).model_dump_json().encode()

    def take(self, payload: bytes) -> bool:
        """The cloud's answer; true if there is a new certificate to connect with."""
        try:
            answer = CertificateIssued.model_validate_json(payload)
            if certs.read(self._path.read_bytes()).serial != answer.serial:
                return False  # an answer to a question of before
            if answer.certificate is None:
                self._ask_s = self._now().monotonic_s + REFUSED_S
                _log.info("no new certificate: %s", answer.refused)
                return False
            pem = answer.certificate.encode("ascii")
            key = certs.read_key(self._next.read_bytes())
            self._check(pem, key_der=certs.der(key.public_key()))
            write_whole(self._next, pem + certs.key_pem(key), 0o600)
        except (OSError, ValidationError, certs.CertificateError) as error:
            _log.warning("an answer about the certificate is of no use: %s", error)
            return False
        self._tries_next = self._tried_next = False
        return True

    def _check(self, pem: bytes, key_der: bytes) -> None:
        certificate = certs.read(pem)
        if certificate.public_key != key_der or certificate.name != self._machine:
            raise certs.CertificateError("it is not for this machine's key and name")
        if not certs.is_signed_by(pem, self._tls.ca.read_bytes()):
            raise certs.CertificateError("it is not signed by our authority")

    def _has_next(self) -> bool:
        try:
            certs.read(self._next.read_bytes())
        except (OSError, certs.CertificateError):
            return False
        return True

    def _next_key(self) -> certs.PrivateKey:
        """The same for every request until one is answered."""
        try:
            return certs.read_key(self._next.read_bytes())
        except (FileNotFoundError, certs.CertificateError):
            key = certs.new_key()
            write_whole(self._next, certs.key_pem(key), 0o600)
            return key
