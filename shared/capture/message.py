"""One line of a capture, as bytes and as a value. Pure.

Keys that this version does not know are ignored in both kinds of line: some may be added within a version.
`view`, where it is there, is for people and for `jq`: what counts is the payload.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

FORMAT: Final = "vendlink-capture"
VERSION: Final = 1
_OWN: Final = {"format", "version", "started_at_ns", "source"}


class CaptureError(ValueError):
    """Not a capture file; the text names the line."""


@dataclass(frozen=True, slots=True)
class Header:
    """`about`: what else is known of it: broker, filters, whether retained was kept, what was redacted."""

    started_at_ns: int
    source: str
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `at_ns` is wall time UTC; `t_ns` counts from the header's `started_at_ns`.

    `properties`: of MQTT 5, as shared/mqtt_properties.py has them.
    """

    t_ns: int
    at_ns: int
    dir: Literal["in", "out"]
    topic: str
    qos: int
    retain: bool
    payload: bytes
    properties: dict[str, Any] = field(default_factory=dict)
    dup: bool = False


def header_line(header: Header) -> bytes:
    return _line(
        {
            "format": FORMAT,
            "version": VERSION,
            "started_at_ns": header.started_at_ns,
            "source": header.source,
            **header.about,
        }
    )


def message_line(message: Message, view: object = None) -> bytes:
    value = {
        "t_ns": message.t_ns,
        "at_ns": message.at_ns,
        "dir": message.dir,
        "topic": message.topic,
        "qos": message.qos,
        "retain": message.retain,
        "dup": message.dup,
        "properties": message.properties,
        "payload_b64": base64.b64encode(message.payload).decode("ascii"),
    }
    return _line(value if view is None else {**value, "view": view})


def parse_header(line: bytes) -> Header:
    """Raises ValueError, KeyError or TypeError."""
    raw = json.loads(line)
    if raw["format"] != FORMAT or raw["version"] != VERSION:
        raise ValueError(f"{raw['format']} version {raw['version']}; this reads {FORMAT} version {VERSION}")
    about = {key: value for key, value in raw.items() if key not in _OWN}
    return Header(int(raw["started_at_ns"]), str(raw.get("source", "")), about)


def parse_message(line: bytes) -> Message:
    """Raises ValueError, KeyError or TypeError."""
    raw = json.loads(line)
    message = Message(
        t_ns=raw["t_ns"],
        at_ns=raw["at_ns"],
        dir=raw["dir"],
        topic=raw["topic"],
        qos=raw["qos"],
        retain=raw["retain"],
        payload=base64.b64decode(raw["payload_b64"], validate=True),
        properties=raw["properties"],
        dup=raw["dup"],
    )
    numbers, flags = (message.t_ns, message.at_ns), (message.retain, message.dup)
    if not (
        isinstance(message.topic, str)
        and isinstance(message.properties, dict)
        and message.dir in {"in", "out"}
        and all(type(number) is int for number in numbers)
        and type(message.qos) is int
        and message.qos in range(3)
        and all(type(flag) is bool for flag in flags)
    ):
        raise TypeError("a field of another type")
    return message


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
