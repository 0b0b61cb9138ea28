"""`vend-edge join`: a machine's first certificate, for a code that the operator gave.

The code has the authority's fingerprint, so the machine knows whom to trust before it says anything: the
secret leaves it only towards a server with a certificate of that authority. The key is made here and never
leaves. Cut at any point, the same command goes on with the same key and is answered as before.
"""

import http.client
import json
import ssl
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from edge.identity.tls import trusting
from edge.technician.trouble import EXIT_SETTINGS, CommandError
from shared import certificates as certs
from shared import join_code
from shared.clock import Trust
from shared.fields import Frozen, Pem
from shared.files import write_whole
from shared.join_code import JoinCode
from shared.settings import TlsSettings

_LIMIT_S: Final = 20.0
_BODY_LIMIT_BYTES: Final = 64 * 1024


class _Answer(Frozen):
    certificate: Pem


def join(machine: str, tls: TlsSettings | None, url: str, typed: str, trust: Trust) -> None:
    """The files that [mqtt.tls] names are there when it returns. Raises CommandError."""
    code = _code(typed)
    if tls is None or tls.key is not None:
        raise CommandError(
            "set [mqtt.tls] ca and certificate in the settings, without key: it goes into the same file",
            EXIT_SETTINGS,
        )
    host, port = _place(url)
    authority = _authority(host, port, code)
    try:
        pending = tls.certificate.with_name(f"{tls.certificate.name}.joining")
        key = _key(pending)
        certificate = _ask(host, port, machine, code, key, authority, trust)
        write_whole(tls.ca, authority, 0o644)
        write_whole(tls.certificate, certificate + certs.key_pem(key), 0o600)
        pending.unlink()
    except OSError as error:
        raise CommandError(
            f"{error.filename or host}: {error.strerror or error}; ask as the machine's user"
        ) from None


def _code(typed: str) -> JoinCode:
    try:
        return join_code.read(typed)
    except join_code.CodeError as error:
        raise CommandError(str(error), EXIT_SETTINGS) from None


def _place(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme != "https" or not parts.hostname or port is None:
        raise CommandError(f"{url!r}: write https://HOST:PORT, as the invitation has it", EXIT_SETTINGS)
    return parts.hostname, port


def _authority(host: str, port: int, code: JoinCode) -> bytes:
    """Whoever answers may say what he likes here: only what has the code's fingerprint is believed."""
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    status, pem = _exchange(http.client.HTTPSConnection(host, port, timeout=_LIMIT_S, context=anybody))
    try:
        fingerprint = join_code.fingerprint(certs.read(pem).public_key)
    except certs.CertificateError:
        raise CommandError(f"{host}:{port} is no join desk (HTTP {status}); is the address right?") from None
    if fingerprint != code.fingerprint:
        raise CommandError(
            f"{host}:{port} is not whom the code names: somebody may be in between, or the code is another "
            "operator's. Nothing was sent"
        )
    return pem


def _key(pending: Path) -> certs.PrivateKey:
    try:
        return certs.read_key(pending.read_bytes())
    except (FileNotFoundError, certs.CertificateError):
        key = certs.new_key()
        pending.parent.mkdir(parents=True, exist_ok=True)
        write_whole(pending, certs.key_pem(key), 0o600)
        return key


def _ask(
    host: str,
    port: int,
    machine: str,
    code: JoinCode,
    key: certs.PrivateKey,
    authority: bytes,
    trust: Trust,
) -> bytes:
    body = {"machine": machine, "secret": code.secret, "csr": certs.request_pem(key, machine)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ca.pem")
        path.write_bytes(authority)
        context = trusting(path, trust)
    connection = http.client.HTTPSConnection(host, port, timeout=_LIMIT_S, context=context)
    status, answer = _exchange(connection, json.dumps(body))
    if status != http.client.OK:
        raise CommandError(_why(status, answer))
    try:
        pem = _Answer.model_validate_json(answer).certificate.encode("ascii")
        fits = certs.read(pem).public_key == certs.der(key.public_key())
        fits = fits and certs.is_signed_by(pem, authority)
    except (ValidationError, certs.CertificateError):
        fits = False
    if not fits:
        raise CommandError(f"{host}:{port} answered with what is no certificate of this machine's key")
    return pem


def _exchange(connection: http.client.HTTPSConnection, body: str | None = None) -> tuple[int, bytes]:
    place = f"{connection.host}:{connection.port}"
    try:
        if body is None:
            connection.request("GET", "/authority")
        else:
            connection.request("POST", "/join", body)
        answer = connection.getresponse()
        return answer.status, answer.read(_BODY_LIMIT_BYTES)
    except ssl.SSLCertVerificationError as error:
        raise CommandError(
            f"{place}: its certificate is not believed ({error.verify_message}); "
            "check the address and this computer's clock"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        why = str(error) or type(error).__name__
        raise CommandError(f"{place} cannot be asked: {why}; check the network, then say it again") from None
    finally:
        connection.close()


def _why(status: int, answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return f"the join desk answered with HTTP {status}"
