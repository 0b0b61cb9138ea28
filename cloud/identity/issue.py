"""Who gets a certificate: the rules of provisioning, joining and renewing. Time is an argument.

Each certificate is in the register before anybody has it. The same key asking again gets the same one, so an
answer that was lost on the way is no loss.
"""

import getpass
import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Annotated, Final, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import StringConstraints, TypeAdapter, ValidationError

from cloud.database import StoreError
from cloud.identity.authority import Authority, Use, pem_of
from cloud.identity.register import WRONG_TRIES, Invitation, Issued, Register
from shared import certificates as certs
from shared import join_code
from shared.fields import Frozen, MachineId, Pem
from shared.messages import CertificateIssued, CertificateRequest
from shared.topics import CLOUD_USERS, SIGNER_USER

How = Literal["provision", "request", "join", "renewal", "operator", "proof"]
RESERVED: Final = frozenset({*CLOUD_USERS, SIGNER_USER})
RENEWAL_PACE_NS: Final = 24 * 3600 * 10**9
_MACHINE: Final = TypeAdapter(MachineId)


class RefusedError(Exception):
    """`code` is stable; the text is for the person or the log at the other end."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class JoinRequest(Frozen):
    """What a machine sends to the join desk."""

    machine: MachineId
    secret: Annotated[str, StringConstraints(max_length=64)]
    csr: Pem


class JoinAnswer(Frozen):
    certificate: Pem


def machine_name(text: str) -> str:
    """Raises StoreError for a name that no machine can have."""
    try:
        name = _MACHINE.validate_python(text)
    except ValidationError:
        raise StoreError(
            f"{text!r} is no machine's name: 1 to 32 of a-z, 0-9 and hyphens, no hyphen first"
        ) from None
    if name in RESERVED:
        raise StoreError(f"{name} is the cloud's own name; no machine can have it")
    return name


def operator() -> str:
    return getpass.getuser()


class Desk:
    """The authority with its register: the one way a certificate is made."""

    def __init__(self, authority: Authority, register: Register, life: timedelta) -> None:
        """`life`: of a machine's certificate."""
        self.authority = authority
        self.register = register
        self._life = life

    def issue(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        how: How,
        who: str,
        now_ns: int,
        *,
        use: Use = Use.CLIENT,
        hosts: tuple[str, ...] = (),
        life: timedelta | None = None,
        revoked_at_ns: int | None = None,
    ) -> Issued:
        """Inside a transaction of the register. Without `use` and `life` it is a machine's."""
        signed = self.authority.sign(name, key, use, now_ns, life or self._life, hosts)
        read = certs.of(signed)
        issued = Issued(
            serial=read.serial,
            name=name,
            public_key=read.public_key,
            pem=pem_of(signed).decode("ascii"),
            not_before_ns=read.not_before_ns,
            not_after_ns=read.not_after_ns,
            issued_at_ns=now_ns,
            how=how,
            who=who,
            revoked_at_ns=revoked_at_ns,
        )
        self.register.add(issued)
        return issued

    def provision(self, machine: str, now_ns: int, request_pem: bytes | None = None) -> tuple[Issued, bytes]:
        """The certificate, and the key where there was no request: then the machine is to get both."""
        machine_name(machine)
        with self.register.transaction():
            if request_pem is None:
                key = certs.new_key()
                issued = self.issue(machine, key.public_key(), "provision", operator(), now_ns)
                return issued, certs.key_pem(key)
            request = _request_of(machine, request_pem)
            known = self._with_key(machine, request.public_key, now_ns)
            return known or self.issue(machine, request.key, "request", operator(), now_ns), b""

    # ---- joining

    def join(self, wanted: JoinRequest, now_ns: int) -> JoinAnswer:
        """Raises RefusedError. What it teaches about an invitation is kept either way."""
        try:
            request = _request_of(wanted.machine, wanted.csr.encode("ascii"))
        except StoreError as error:
            raise RefusedError("bad_request", str(error)) from None
        with self.register.transaction():
            answer = self._joined(wanted, request, now_ns)
        if answer is None:
            raise RefusedError(
                "not_invited",
                f"no invitation of {wanted.machine} has this code: it may be used, out of date or void; "
                f"the operator makes a new one with `vend-cloud invite {wanted.machine}`",
            )
        return answer

    def _joined(self, wanted: JoinRequest, request: certs.Request, now_ns: int) -> JoinAnswer | None:
        invitation = self.register.invitation(wanted.machine)
        if invitation is None or invitation.expires_at_ns <= now_ns or invitation.wrong_tries >= WRONG_TRIES:
            return None
        if not hmac.compare_digest(invitation.digest, _digest(wanted.secret, invitation.salt)):
            self.register.tried_in_vain(wanted.machine)
            return None
        known = self._with_key(wanted.machine, request.public_key, now_ns)
        if invitation.serial is not None:
            # The answer was lost: whoever has the key and the code may have it again, and nobody else.
            return JoinAnswer(certificate=known.pem) if known and known.serial == invitation.serial else None
        issued = known or self.issue(wanted.machine, request.key, "join", invitation.who, now_ns)
        self.register.used(wanted.machine, issued.serial)
        return JoinAnswer(certificate=issued.pem)

    def _with_key(self, name: str, public_key: bytes, now_ns: int) -> Issued | None:
        return next((c for c in self._good(name, now_ns) if c.public_key == public_key), None)

    def _good(self, name: str, now_ns: int) -> list[Issued]:
        return [c for c in self.register.of(name) if c.revoked_at_ns is None and c.not_after_ns > now_ns]

    # ---- renewing

    def renew(self, machine: str, wanted: CertificateRequest, now_ns: int) -> CertificateIssued:
        """`machine`: of the topic, for which the broker stands. A machine with a wrong clock is told no."""
        try:
            pem = self._renewed(machine, wanted, now_ns)
        except RefusedError as error:
            return CertificateIssued(serial=wanted.serial, refused=error.code)
        return CertificateIssued(serial=wanted.serial, certificate=pem)

    def _renewed(self, machine: str, wanted: CertificateRequest, now_ns: int) -> str:
        try:
            request = _request_of(machine, wanted.csr.encode("ascii"))
        except StoreError as error:
            raise RefusedError("bad_request", str(error)) from None
        with self.register.transaction():
            good = self._good(machine, now_ns)
            current = next((c for c in good if c.serial == wanted.serial), None)
            if current is None:
                raise RefusedError("unknown_certificate", "revoked, out of date, or never issued here")
            known = next((c for c in good if c.public_key == request.public_key), None)
            if known is not None:
                return known.pem
            if now_ns < current.certificate.renew_at_ns:
                raise RefusedError("too_early", "two thirds of its life are not over")
            if good[0] is not current and now_ns - good[0].issued_at_ns < RENEWAL_PACE_NS:
                raise RefusedError("too_often", "it got another one less than a day ago")
            return self.issue(machine, request.key, "renewal", machine, now_ns).pem


def invite(
    register: Register, machine: str, authority_pem: bytes, now_ns: int, valid: timedelta
) -> join_code.JoinCode:
    """A new invitation; one that was there before is void. Nobody but the caller has the code."""
    machine_name(machine)
    code = join_code.new_code(join_code.fingerprint(certs.read(authority_pem).public_key))
    salt = secrets.token_bytes(16)
    expires_at_ns = now_ns + int(valid.total_seconds()) * 10**9
    digest = _digest(code.secret, salt)
    register.invite(Invitation(machine, salt, digest, expires_at_ns, operator()))
    return code


def _request_of(machine: str, pem: bytes) -> certs.Request:
    try:
        request = certs.read_request(pem)
    except certs.CertificateError as error:
        raise StoreError(str(error)) from None
    if request.name != machine:
        raise StoreError(f"this request is for {request.name!r}, not for {machine}")
    return request


def _digest(secret: str, salt: bytes) -> bytes:
    """Slow on purpose: a secret is short, and a copy of the database may fall into wrong hands."""
    return hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1)
