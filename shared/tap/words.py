"""Messages in lines for a terminal. What comes from a payload is never taken for the terminal's own codes."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

import click

from shared import topics
from shared.capture import Message
from shared.decoded import decode, plain, view

_HEADER: Final = {"v", "machine", "epoch", "at_ns", "clock"}  # of a record; the line has the rest
_COLOURS: Final = {topics.Direction.UP: "green", topics.Direction.DOWN: "cyan"}
_LIMIT: Final = 400  # characters of one line's values


def show(messages: Iterable[Message], echo: Callable[[str], None], *, as_json: bool) -> None:
    for message in messages:
        for line in (as_json_line(message),) if as_json else lines(message):
            echo(line)


def lines(message: Message) -> Iterator[str]:
    """One for a message, or one for each record of it, with colours."""
    when = datetime.fromtimestamp(message.at_ns / 1e9, UTC).strftime("%H:%M:%S.%f")[:-3]
    parsed = topics.parse(message.topic)
    flags = "".join((f"q{message.qos}", "r" if message.retain else " ", "d" if message.dup else " "))
    if parsed is None:
        name = click.style(_safe(message.topic), fg="yellow")
        yield f"{when} {flags} {name} {_value(view(message.topic, message.payload))}"
        return
    machine, topic = parsed
    arrow = "↑" if topic.direction is topics.Direction.UP else "↓"
    name = click.style(f"{arrow} {machine} {topic.name}", fg=_COLOURS[topic.direction])
    found = decode(message.topic, message.payload)
    if found.trouble:
        shown = click.style(_safe(found.trouble), fg="red")
        yield f"{when} {flags} {name} {shown} {_value(plain(message.payload))}"
    elif topic.model is None and isinstance(found.value, tuple):
        for record in found.value:
            yield f"{when} {flags} {name} {_record(plain(record))}"
    else:
        yield f"{when} {flags} {name} {_value(plain(found.value))}"


def as_json_line(message: Message) -> str:
    """All of one message, decoded, in one line."""
    parsed = topics.parse(message.topic)
    found = decode(message.topic, message.payload)
    return json.dumps(
        {
            "t_ns": message.t_ns,
            "at_ns": message.at_ns,
            "dir": message.dir,
            "topic": message.topic,
            "machine": parsed[0] if parsed else None,
            "qos": message.qos,
            "retain": message.retain,
            "dup": message.dup,
            "properties": message.properties,
            "view": view(message.topic, message.payload),
            "trouble": found.trouble or None,
        }
    )


def _record(record: object) -> str:
    if not isinstance(record, dict):
        return _value(record)
    number = click.style(f"#{_text(record.get('seq'))} {_text(record.get('kind'))}", bold=True)
    rest = {key: value for key, value in record.items() if key not in _HEADER | {"seq", "kind"}}
    return f"{number} {_value(rest)}"


def _value(value: object) -> str:
    if isinstance(value, dict):
        text = " ".join(f"{_safe(str(key))}={_text(item)}" for key, item in value.items())
    elif value is None:
        text = "(empty)"
    else:
        text = _text(value)
    return text if len(text) <= _LIMIT else f"{text[:_LIMIT]}… (--json has all)"


def _text(value: object) -> str:
    return _safe(value) if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _safe(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
