"""Signed commands for tests, with keys that are the same in each run and known to everybody."""

import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.commands import Key
from shared import commands as wire

NS: Final = 10**9
NAMES: Final = tuple(str(kind.model_fields["name"].default) for kind in get_args(wire.Action))
PRIVATE: Final[Mapping[str, Ed25519PrivateKey]] = {
    role: Ed25519PrivateKey.from_private_bytes(sha256(role.encode()).digest())
    for role in ("viewer", "technician", "operator")
}
# Each role's key has the role's name.
KEYS: Final[Mapping[str, Key]] = {role: Key(role, PRIVATE[role].public_key()) for role in wire.ALLOWED}


def command(
    action: wire.Action,
    issued_ns: int,
    *,
    machine: str = "m1",
    key: str = "operator",
    lifetime_ns: int = 60 * NS,
    ident: str | None = None,
) -> bytes:
    """A genuine envelope."""
    header = wire.Header(
        machine=machine,
        id=ident or secrets.token_hex(16),
        issued_ns=issued_ns,
        expires_ns=issued_ns + lifetime_ns,
    )
    return wire.seal(wire.Order(header, action), key, PRIVATE[key].sign)


def public_hex(role: str) -> str:
    return PRIVATE[role].public_key().public_bytes_raw().hex()
