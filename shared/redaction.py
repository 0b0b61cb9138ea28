"""What must not leave the operator's house in a recording, taken out of it. Pure.

Secret are: the six digits that prove a claim code, which is money; the signature of a command, which could
still be carried out; certificates and requests for them; a bus recording, which has the numbers of cards.
Fields are known by name at any depth, so that a message of a later version is covered too. Whatever has none
of them stays as it is, byte for byte.
"""

import re
from dataclasses import replace
from typing import Final

from shared import topics
from shared.capture import Message
from shared.decoded import decode, rewrite

RULES: Final = (
    "the six proving digits of claim codes",
    "signatures of commands",
    "certificates and requests for them",
    "recordings of the bus",
)
HIDDEN: Final = "redacted"
_CLAIM: Final = re.compile(r"\b(\d{4}-)\d{6}\b")
_TORN_CLAIM: Final = re.compile(rb"(?<=\d{4}-)\d{1,6}")
_NAMES: Final = {"csr", "certificate", "recording", "signature"}
_SECRET_TOPICS: Final = {topics.COMMAND, topics.CERTIFICATE_REQUEST, topics.CERTIFICATE_ISSUED}


def redacted(message: Message) -> Message:
    if decode(message.topic, message.payload).trouble:
        payload = _unreadable(message)
    else:
        payload = rewrite(message.topic, message.payload, _hide)
    return message if payload == message.payload else replace(message, payload=payload)


def redacted_text(text: str) -> str:
    """Of words that are in no message."""
    return _CLAIM.sub(r"\g<1>000000", text)


def _hide(name: str, value: object) -> object:
    if isinstance(value, bytes):
        return bytes(len(value)) if name in _NAMES else value
    if isinstance(value, str):
        return HIDDEN if name in _NAMES else redacted_text(value)
    return value


def _unreadable(message: Message) -> bytes:
    parsed = topics.parse(message.topic)
    if parsed is not None and parsed[1] in _SECRET_TOPICS:
        return HIDDEN.encode()
    return _TORN_CLAIM.sub(lambda digits: b"0" * len(digits[0]), message.payload)
