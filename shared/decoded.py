"""Payloads as values: for people, for comparing by meaning, for changing what is inside. Pure, never fails.

A topic of ours says how it is coded. Elsewhere JSON and msgpack are tried; a lone number is no msgpack,
because every byte would be one.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shared import codec, topics

SIGNED: Final = "signed"  # a field whose bytes are msgpack themselves
Change = Callable[[str, object], object]  # name of the innermost field and its value: the value it shall have


@dataclass(frozen=True, slots=True)
class Decoded:
    """`value`: maps, lists or tuples, and leaves; None with `trouble` where the bytes are none."""

    value: object
    codec: topics.Codec | None = None
    trouble: str = ""


def decode(topic: str, payload: bytes) -> Decoded:
    if not payload:
        return Decoded(None)
    parsed = topics.parse(topic)
    if parsed is not None:
        try:
            return Decoded(_READ[parsed[1].codec](payload), parsed[1].codec)
        except (ValueError, RecursionError) as error:
            return Decoded(None, None, str(error))
    for tried in (topics.Codec.JSON, topics.Codec.MSGPACK):
        try:
            value = _READ[tried](payload)
        except (ValueError, RecursionError):
            continue
        if tried is topics.Codec.JSON or isinstance(value, dict | tuple):
            return Decoded(value, tried)
    return Decoded(None, None, "neither JSON nor msgpack")


def plain(value: object, name: str = "") -> object:
    """As JSON can have it: bytes are {"hex": …}, and what was signed is opened."""
    if isinstance(value, dict):
        return {str(key): plain(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, name) for item in value]
    if isinstance(value, bytes):
        inner = _inner(value) if name == SIGNED else None
        return {"hex": value.hex()} if inner is None else plain(inner)
    return value


def view(topic: str, payload: bytes) -> object:
    """For people: the value, or the text or the digits of what is none."""
    found = decode(topic, payload)
    if found.codec is not None or not payload:
        return plain(found.value)
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return plain(payload)
    return text if text.isprintable() else plain(payload)


def rewrite(topic: str, payload: bytes, change: Change) -> bytes:
    """The payload with changed leaves; the very same bytes where nothing changes or nothing can be read."""
    found = decode(topic, payload)
    if found.codec is None:
        return payload
    changed = _walk(found.value, change, "")
    return payload if changed == found.value else _WRITE[found.codec](changed)


def _walk(value: object, change: Change, name: str) -> object:
    if isinstance(value, dict):
        return {key: _walk(item, change, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_walk(item, change, name) for item in value)
    if name == SIGNED and isinstance(value, bytes) and (inner := _inner(value)) is not None:
        changed = _walk(inner, change, "")
        return value if changed == inner else codec.pack(changed)
    return change(name, value)


def _inner(signed: bytes) -> object | None:
    try:
        return codec.unpack(signed)
    except codec.CodecError:
        return None


def _read_json(payload: bytes) -> object:
    return _tuples(json.loads(payload))


def _tuples(value: object) -> object:
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _write_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


_READ: Final[dict[topics.Codec, Callable[[bytes], object]]] = {
    topics.Codec.JSON: _read_json,
    topics.Codec.MSGPACK: codec.unpack,
}
_WRITE: Final[dict[topics.Codec, Callable[[object], bytes]]] = {
    topics.Codec.JSON: _write_json,
    topics.Codec.MSGPACK: codec.pack,
}
