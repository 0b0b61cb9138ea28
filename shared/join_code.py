"""The code that a person types at a machine so that it can join: a secret, and whom to trust.

32 symbols of Crockford's base 32, in groups of four: 50 bits of a secret for one use, 100 bits of the
authority's fingerprint, 10 bits that notice a mistake. Read aloud and typed, it may have small letters, O for
0 and I or L for 1, and its hyphens anywhere or nowhere.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

_SYMBOLS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no I, L, O, U
_HEARD: Final = str.maketrans("OIL", "011", " -")
_SYMBOL_BITS: Final = 5
_SECRET, _FINGERPRINT, _CHECK, _GROUP = 10, 20, 2, 4


class CodeError(ValueError):
    """Not a code, or one with a mistake in it; the text says which."""


@dataclass(frozen=True, slots=True)
class JoinCode:
    secret: str
    fingerprint: str

    def text(self) -> str:
        whole = self.secret + self.fingerprint
        whole += _check(whole)
        return "-".join(whole[start : start + _GROUP] for start in range(0, len(whole), _GROUP))


def new_code(fingerprint: str) -> JoinCode:
    return JoinCode("".join(secrets.choice(_SYMBOLS) for _ in range(_SECRET)), fingerprint)


def read(typed: str) -> JoinCode:
    """Raises CodeError."""
    text = typed.upper().translate(_HEARD)
    if wrong := sorted(set(text) - set(_SYMBOLS)):
        raise CodeError(f"a code has letters and digits only, and no U: {wrong[0]!r} is none of them")
    if len(text) != (length := _SECRET + _FINGERPRINT + _CHECK):
        raise CodeError(f"a code has {length} letters and digits; this one has {len(text)}")
    whole, check = text[:-_CHECK], text[-_CHECK:]
    if _check(whole) != check:
        raise CodeError("there is a mistake in the code: compare it once more, letter by letter")
    return JoinCode(whole[:_SECRET], whole[_SECRET:])


def fingerprint(public_key: bytes) -> str:
    """Of an authority's public key in DER form."""
    return _digest(public_key, _FINGERPRINT)


def _check(whole: str) -> str:
    return _digest(whole.encode("ascii"), _CHECK)


def _digest(data: bytes, symbols: int) -> str:
    bits = int.from_bytes(hashlib.sha256(data).digest(), "big") >> (256 - symbols * _SYMBOL_BITS)
    return "".join(_SYMBOLS[bits >> (i * _SYMBOL_BITS) & 31] for i in reversed(range(symbols)))
