"""Keys, requests and certificates as both ends read them: ECDSA P-256, PEM, times in nanoseconds UTC.

No clock and no disk. Bytes from anywhere become values, or one CertificateError.
"""

from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NS: Final = 10**9
PrivateKey = ec.EllipticCurvePrivateKey


class CertificateError(ValueError):
    """Not what it should be; the text says why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is read of a certificate. `public_key`: in DER form; `serial`: hex."""

    name: str
    serial: str
    public_key: bytes
    not_before_ns: int
    not_after_ns: int

    @property
    def renew_at_ns(self) -> int:
        """Two thirds of its life."""
        return self.not_before_ns + (self.not_after_ns - self.not_before_ns) * 2 // 3


@dataclass(frozen=True, slots=True)
class Request:
    """A signing request whose maker has the private key."""

    name: str
    key: ec.EllipticCurvePublicKey

    @property
    def public_key(self) -> bytes:
        return der(self.key)


def new_key() -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: PrivateKey) -> bytes:
    form, secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, secret)


def read_key(pem: bytes) -> PrivateKey:
    """The first private key in a PEM file. Raises CertificateError."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CertificateError("there is no private key in it that can be read") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CertificateError("the private key is none of ECDSA P-256")
    return key


def der(key: ec.EllipticCurvePublicKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)


def name_of(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def request_pem(key: PrivateKey, name: str) -> str:
    request = x509.CertificateSigningRequestBuilder().subject_name(name_of(name)).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode("ascii")


def read_request(pem: bytes) -> Request:
    """Raises CertificateError."""
    try:
        request = x509.load_pem_x509_csr(pem)
        key = request.public_key()
        names = [str(a.value) for a in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        is_signed = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature):
        raise CertificateError("this is no certificate signing request in PEM form") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CertificateError("the key of this request is none of ECDSA P-256")
    if not is_signed:
        raise CertificateError("this request was not signed with its own key")
    if len(names) != 1:
        raise CertificateError("this request has no common name, or several")
    return Request(names[0], key)


def read(pem: bytes) -> Certificate:
    """The first certificate in a PEM file. Raises CertificateError."""
    try:
        return of(x509.load_pem_x509_certificate(pem))
    except (ValueError, TypeError, IndexError, UnsupportedAlgorithm):
        raise CertificateError("there is no certificate in it that can be read") from None


def of(certificate: x509.Certificate) -> Certificate:
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return Certificate(
        name=str(name.value),
        serial=f"{certificate.serial_number:x}",
        public_key=certificate.public_key().public_bytes(serialization.Encoding.DER, form),
        not_before_ns=int(certificate.not_valid_before_utc.timestamp()) * _NS,
        not_after_ns=int(certificate.not_valid_after_utc.timestamp()) * _NS,
    )


def is_signed_by(pem: bytes, authority_pem: bytes) -> bool:
    """Whether this authority signed this certificate. Raises CertificateError."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority_pem))
    except InvalidSignature:
        return False
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CertificateError("there is no certificate in it that can be read") from None
    return True
