"""Signing keys in files: NAME.pem is secret and signs, NAME.toml is what the settings of machines need.

Only the command line reads them; the daemon never does. A key in a file is as safe as its computer.
"""

import os
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter, ValidationError

from cloud.database import StoreError
from shared.commands import KeyName, Role

_NAME: TypeAdapter[str] = TypeAdapter(KeyName)


@dataclass(frozen=True, slots=True)
class SigningKey:
    name: str
    role: str
    private: Ed25519PrivateKey


def make(folder: Path, name: str, role: Role) -> str:
    """A new key; returns the lines for the settings of machines. Raises StoreError if it is there already."""
    try:
        _NAME.validate_python(name)
    except ValidationError:
        raise StoreError(f"{name!r}: a key's name is up to 32 of a-z, 0-9 and hyphen") from None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes_raw().hex()
    lines = f'[[commands.keys]]\nname = "{name}"\nrole = "{role}"\npublic_key = "{public}"\n'
    try:
        _write(folder / f"{name}.pem", pem)
    except FileExistsError:
        raise StoreError(f"{folder}/{name}.pem is there already; choose another name") from None
    _write(folder / f"{name}.toml", lines.encode())
    return lines


def _write(path: Path, data: bytes) -> None:
    """A new file that only its owner can read, on stable storage."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def load(folder: Path, name: str | None) -> SigningKey:
    """The key of this name, or the only one. Raises StoreError."""
    names = sorted(path.stem for path in folder.glob("*.pem"))
    if not names:
        raise StoreError(
            f"there is no key in {folder}: `vend-cloud command-key new NAME --role ROLE` makes one"
        )
    if name is None and len(names) > 1:
        raise StoreError(f"name the key with --key: {', '.join(names)}")
    chosen = name or names[0]
    if chosen not in names:
        raise StoreError(f"there is no key {chosen} in {folder}; there is {', '.join(names)}")
    path = folder / f"{chosen}.pem"
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise StoreError(f"others can read {path}: chmod 600 {path}, or make a new key")
        private = serialization.load_pem_private_key(path.read_bytes(), None)
        (row,) = tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))["commands"]["keys"]
        role = str(row["role"])
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise StoreError(f"{path} or the .toml beside it cannot be used ({error})") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise StoreError(f"{path} is no Ed25519 key")
    return SigningKey(chosen, role, private)
