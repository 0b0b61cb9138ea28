"""JSON schemas of all kinds, in the draft that AsyncAPI 3 takes (draft-07), every field with words and unit.

They describe decoded values: msgpack's map, array and bin are object, array and string of format binary.
Fields that are not named may be there: readers pass over them.
"""

from typing import Any, Final

from pydantic import BaseModel

from deploy.contract.glossary import unit, words
from deploy.contract.kinds import KINDS, Kind

Schema = dict[str, Any]
REF: Final = "#/components/schemas/"
NAMES: Final = {
    kind.name: f"{kind.model.__name__}{'Order' if kind.name.startswith('command.') else ''}" for kind in KINDS
}


def components() -> dict[str, Schema]:
    """By name: the schema of each kind (`NAMES`), and of the parts that they are made of."""
    found: dict[str, Schema] = {}
    for kind in KINDS:
        for name, schema in _of(kind).items():
            assert found.setdefault(name, schema) == schema, f"two models are named {name}"
    return dict(sorted(found.items()))


def _of(kind: Kind) -> dict[str, Schema]:
    schema, parts = _generated(kind.model)
    if kind.header is not None:
        above, _ = _generated(kind.header)
        if "v" in above["properties"]:  # a reader of headers alone takes any
            above["properties"]["v"] = {**above["properties"]["v"], "const": kind.version}
        if kind.name.startswith("command."):
            parts[kind.model.__name__] = _tagged(schema)
            action = {"description": words("Order", "action"), "allOf": [{"$ref": REF + kind.model.__name__}]}
            schema = {"properties": {"action": action}, "required": ["action"]}
        schema = {
            "type": "object",
            "description": kind.what,
            "properties": {**above["properties"], **schema["properties"]},
            "required": [*above["required"], *schema.get("required", ())],
        }
    return {NAMES[kind.name]: _tagged(schema), **parts}


def _tagged(schema: Schema) -> Schema:
    """What tells the kind is always there, though the models fill it in."""
    tags = [tag for tag in ("kind", "name") if "const" in schema["properties"].get(tag, ())]
    required = schema.get("required", ())
    return {**schema, "required": [*required, *(tag for tag in tags if tag not in required)]}


def _generated(model: type[BaseModel]) -> tuple[Schema, dict[str, Schema]]:
    """A model's own schema, and those of its parts by name."""
    raw = model.model_json_schema(ref_template=REF + "{model}")
    parts = {name: _described(name, part) for name, part in raw.pop("$defs", {}).items()}
    return _described(model.__name__, raw), parts


def _described(model: str, raw: Schema) -> Schema:
    schema: Schema = _draft_07(raw)
    for field, known in schema["properties"].items():
        text = ", ".join(filter(None, (words(model, field), unit(field))))
        if "$ref" in known:  # whose neighbours are not read in this draft
            known["allOf"] = [{"$ref": known.pop("$ref")}]
        schema["properties"][field] = {"description": text, **known}
    return schema


def _draft_07(value: Any) -> Any:  # noqa: ANN401  # any part of a schema
    if isinstance(value, list):
        return [_draft_07(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept: Schema = {
        # only where it is a keyword: a property may have any of these names
        key: {name: _draft_07(part) for name, part in item.items()}
        if key == "properties"
        else _draft_07(item)
        for key, item in value.items()
        if key != "title"
    }
    if "prefixItems" in kept:
        kept["items"] = kept.pop("prefixItems")
        kept["additionalItems"] = False
    if "patternProperties" in kept:  # which says nothing of other keys
        ((pattern, kept["additionalProperties"]),) = kept.pop("patternProperties").items()
        kept["propertyNames"] = {"pattern": pattern}
    if kept.get("format") == "binary":  # whose length counts bytes, and not the characters of their text
        kept |= {
            f"x-{end}Bytes": kept.pop(f"{end}Length") for end in ("min", "max") if f"{end}Length" in kept
        }
    if isinstance(kept.get("description"), str):
        kept["description"] = " ".join(kept["description"].split())
    return kept
