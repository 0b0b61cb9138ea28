"""The contract as others rely on it, and what breaks them: python -m deploy.contract.compatibility

A topic, a kind and a field that need not be there may be added; anything else needs a new version of the
kind, because one of both sides refuses what the other one says. `tests/shared/golden/contract-v1.json` is the
contract so far: this adds what is new to it, and refuses what breaks it. Until the first release nobody
relies on it: delete the file to begin anew.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from deploy.contract import schemas
from deploy.contract.kinds import KINDS
from shared.topics import TOPICS

GOLDEN: Final = Path(__file__).parents[2] / "tests/shared/golden/contract-v1.json"
_LIMITS: Final = (
    *("const", "enum", "pattern", "format", "minimum", "maximum", "minLength", "maxLength"),
    *("minItems", "maxItems", "minProperties", "maxProperties", "x-minBytes", "x-maxBytes"),
)
Contract = dict[str, dict[str, Any]]


def contract() -> Contract:
    """Topics and kinds, each field as one line of text."""
    parts = schemas.components()
    return {
        "topics": {
            topic.of("{machine}"): f"{topic.direction}, QoS {topic.qos}, "
            f"{'retained' if topic.retained else 'not retained'}, {topic.codec}"
            for topic in TOPICS
        },
        "kinds": {
            kind.name: {
                "v": kind.version,
                "topic": kind.topic.name,
                "fields": dict(_fields("", parts[schemas.NAMES[kind.name]], parts)),
            }
            for kind in KINDS
        },
    }


def _fields(path: str, schema: schemas.Schema, parts: dict[str, schemas.Schema]) -> Iterator[tuple[str, str]]:
    """All below this one: `a.b` in an object, `a[]` in an array, `a[0]` in a fixed one, `a{}` by any key."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        yield from _field(f"{path}{name}", field, parts, "required" if name in required else "optional")


def _field(
    path: str, schema: schemas.Schema, parts: dict[str, schemas.Schema], presence: str
) -> Iterator[tuple[str, str]]:
    variants = [_resolved(one, parts) for one in schema.get("anyOf", [schema])]
    yield path, f"{presence}, {' or '.join(_type(one) for one in variants)}"
    for one in variants:
        yield from _fields(f"{path}.", one, parts)
        if isinstance(one.get("additionalProperties"), dict):
            yield from _field(f"{path}{{}}", one["additionalProperties"], parts, "each")
        items = one.get("items", ())
        if isinstance(items, list):
            for number, item in enumerate(items):
                yield from _field(f"{path}[{number}]", item, parts, "each")
        elif items:
            yield from _field(f"{path}[]", items, parts, "each")


def _resolved(schema: schemas.Schema, parts: dict[str, schemas.Schema]) -> schemas.Schema:
    (inner,) = schema.get("allOf", [schema])
    return parts[inner["$ref"].removeprefix(schemas.REF)] if "$ref" in inner else inner


def _type(schema: schemas.Schema) -> str:
    keys = schema.get("propertyNames", {})
    limits = [f"{name} {json.dumps(schema[name])}" for name in _LIMITS if name in schema]
    limits += [f"key {name} {json.dumps(keys[name])}" for name in _LIMITS if name in keys]
    return " ".join((schema["type"], *limits))


def breaks(old: Contract, new: Contract) -> list[str]:
    """What those who rely on the old one cannot live with, in words; empty where only something was added."""
    return [*_gone_or_other("topic", old["topics"], new["topics"]), *_kinds(old["kinds"], new["kinds"])]


def _kinds(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for name, before in old.items():
        now = new.get(name)
        if now is None:
            yield f"kind {name} is gone"
        elif now["topic"] != before["topic"]:
            yield f"kind {name} moved from {before['topic']} to {now['topic']}"
        elif now["v"] < before["v"]:
            yield f"kind {name} went back from version {before['v']} to {now['v']}"
        elif now["v"] == before["v"]:
            yield from _gone_or_other(f"{name}: field", before["fields"], now["fields"])
            for field in now["fields"].keys() - before["fields"].keys():
                if now["fields"][field].startswith("required") and _is_known(field, before["fields"]):
                    yield f"{name}: field {field} is new, and required"


def _is_known(field: str, before: dict[str, str]) -> bool:
    """Whether what a field is in was there: of something new all fields are new."""
    above = field.rpartition(".")[0]
    return not above or above in before


def _gone_or_other(what: str, old: dict[str, str], new: dict[str, str]) -> Iterator[str]:
    for name, before in old.items():
        now = new.get(name)
        if now is None:
            yield f"{what} {name} is gone"
        elif now != before:
            yield f"{what} {name} was `{before}` and is `{now}`"


def text(value: Contract) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    new = contract()
    found = breaks(json.loads(GOLDEN.read_text(encoding="utf-8")), new) if GOLDEN.exists() else []
    if found:
        sys.exit("\n".join(("these break who relies on the contract; raise the version:", *found)))
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_text(text(new), encoding="utf-8")


if __name__ == "__main__":
    main()
