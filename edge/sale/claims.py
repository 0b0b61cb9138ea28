"""Claim codes: money that could not be given back, as ten digits that only this machine can have made.

Four digits number the claim, six are taken from an HMAC of number and amount. A code is good once: the
journal knows which claims are open. Six digits can be guessed, so after some wrong codes in a row the machine
listens no more until a technician came.
"""

import hashlib
import hmac
from typing import Final

WRONG_LIMIT: Final = 5
_NUMBERS: Final = 10_000
_PROOFS: Final = 1_000_000


def code(key: bytes, number: int, amount_minor: int) -> str:
    """What the customer reads, such as `0012-483920`."""
    digest = hmac.new(key, f"{number}:{amount_minor}".encode(), hashlib.sha256).digest()
    proof = int.from_bytes(digest[:8], "big") % _PROOFS
    return f"{number % _NUMBERS:04}-{proof:06}"


def find(key: bytes, claims: dict[int, int], entered: str) -> int | None:
    """The number of the open claim that these digits are the code of."""
    digits = entered.replace("-", "").replace(" ", "")
    for number, amount_minor in claims.items():
        if hmac.compare_digest(code(key, number, amount_minor).replace("-", "").encode(), digits.encode()):
            return number
    return None
