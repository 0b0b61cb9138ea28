"""Write topics, messages and fields as a page: python -m deploy.setup.messages_doc > docs/messages.md"""

import sys
from collections.abc import Container, Iterable, Iterator
from typing import Final

from deploy.contract import schemas
from deploy.contract.glossary import unit
from deploy.contract.kinds import KINDS, RECORD_TOPICS, Kind
from shared import codec, commands, records
from shared.topics import TOPICS, Direction

_HEAD: Final = """\
# Messages

Printed from `shared/topics.py` and the models by `python -m deploy.setup.messages_doc`: do not edit. The same
for programs, with every limit and pattern: [asyncapi.yaml](asyncapi.yaml), AsyncAPI 3. How to read along with
nothing of ours installed: [clients.md](clients.md).

What is in msgpack decodes to the fields below; the others are JSON as they stand. Money is a whole number of
the currency's minor units (cents), times are nanoseconds since 1970, UTC. Integers have up to 63 bits. Pass
over fields, kinds and topics that you do not know: they may be added. Anything else raises `v`.

Every version keeps to these limits, because a message beyond them is not read at all: {bytes} KB a message;
in msgpack maps with text for keys, {array} items a list, {map} fields a map, {text} bytes a text, {bin} bytes
a bin, {depth} levels, finite numbers, no ext types, no key twice.

## Topics

`vend/v1/MACHINE/…`, up from the machine or down to it.

"""
_RECORDS: Final = """\
## Records

Messages on `sale` and `event` are lists of 1 to 100 records. A record is a map: what every record has, and
the fields of its kind. Machine, epoch and seq name it for ever. It comes again, unchanged, until a receipt
names it, so count each name once.

"""
_COMMANDS: Final = """\
## Commands

A message on `command` is an envelope; its `signed` is an order in msgpack: what every order has, and an
`action`. [commands.md](commands.md) has who may sign what.

"""
_TYPES: Final = {
    "integer": "integer",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "binary": "bytes",
    "date": "date",
}
_UNITS: Final = {
    "": "",
    "minor units of the currency (cents)": "minor units",
    "nanoseconds since 1970, UTC": "ns UTC",
    "milliseconds": "ms",
}


def text() -> str:
    head = _HEAD.format(
        bytes=codec.MAX_MESSAGE_BYTES // 1024,
        array=f"{codec.MAX_ARRAY:,}",
        map=f"{codec.MAX_MAP:,}",
        text=f"{codec.MAX_STR:,}",
        bin=f"{codec.MAX_BIN:,}",
        depth=codec.MAX_DEPTH,
    )
    return "\n".join((head + "\n".join(_topics()), *_body())).rstrip("\n") + "\n"


def _topics() -> Iterator[str]:
    yield "| topic | way | QoS | retained | form | what |"
    yield "|---|---|---|---|---|---|"
    for topic in TOPICS:
        way = "up" if topic.direction is Direction.UP else "down"
        form = topic.codec.value.removeprefix("application/")
        retained = "yes" if topic.retained else "no"
        yield f"| `{topic.name}` | {way} | {topic.qos} | {retained} | {form} | {topic.what} |"


def _body() -> Iterator[str]:
    parts = schemas.components()
    made_of = {name: part for name, part in parts.items() if name not in schemas.NAMES.values()}
    first, *_ = (kind for kind in KINDS if kind.header is records.Header)
    yield (
        "\n"
        + _RECORDS
        + "\n".join(_table(_only(parts[schemas.NAMES[first.name]], records.Header.model_fields)))
    )
    yield "| `kind` | text | | one of the following |"
    for kind in KINDS:
        if kind.topic in RECORD_TOPICS:
            yield from _section(
                kind, _without(parts[schemas.NAMES[kind.name]], (*records.Header.model_fields, "kind"))
            )
    yield "\n## Other messages"
    for kind in KINDS:
        if not kind.inside:
            yield from _section(kind, parts[schemas.NAMES[kind.name]])
    yield "\n" + _COMMANDS + "\n".join(_table(_only(parts["RestartOrder"], commands.Header.model_fields)))
    for kind in KINDS:
        if kind.header is commands.Header:
            yield from _section(kind, made_of.pop(kind.model.__name__))
    yield "\n## Parts"
    for name, part in made_of.items():
        yield f"\n### {name}\n"
        yield from _described(part)


def _section(kind: Kind, schema: schemas.Schema) -> Iterator[str]:
    name = kind.name.removeprefix("command.") if kind.inside else kind.topic.name
    yield f"\n### {name}\n"
    yield from _described(schema)


def _described(schema: schemas.Schema) -> Iterator[str]:
    if "description" in schema:
        yield f"{schema['description']}\n"
    yield from _table(schema)


def _only(schema: schemas.Schema, names: Iterable[str]) -> schemas.Schema:
    fields = schema["properties"]
    return {**schema, "properties": {name: fields[name] for name in names}}


def _without(schema: schemas.Schema, names: Container[str]) -> schemas.Schema:
    return _only(schema, [name for name in schema["properties"] if name not in names])


def _table(schema: schemas.Schema) -> Iterator[str]:
    yield "| field | form | unit | what |"
    yield "|---|---|---|---|"
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        in_words = f", {unit(name)}" if unit(name) else ""
        words = field["description"].removesuffix(in_words)
        form = _form(field) + ("" if name in required else ", optional")
        yield f"| `{name}` | {form} | {_UNITS[unit(name)]} | {words} |"


def _form(schema: schemas.Schema) -> str:
    for several in ("anyOf", "allOf"):
        if several in schema:
            return " or ".join(map(_form, schema[several]))
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(schemas.REF)
        return f"[{name}](#{name.lower()})"
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    return ", ".join(f"`{value}`" for value in values) or _type(schema)


def _type(schema: schemas.Schema) -> str:
    items = schema.get("items")
    if isinstance(items, list):
        return " and ".join(map(_form, items))
    if items is not None:
        return f"list of {_form(items)}"
    if schema["type"] == "object":
        return f"map to {_form(schema['additionalProperties'])}"
    return _TYPES[str(schema.get("format", schema["type"]))]


if __name__ == "__main__":
    sys.stdout.write(text())
