"""The contract's documents: well-formed, complete, and true of what programs really send."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
import yaml
from pydantic import BaseModel, ValidationError

from deploy.contract import glossary, schemas
from deploy.contract.kinds import KINDS, RECORD_TOPICS, Kind
from deploy.setup import asyncapi, messages_doc
from edge.link_events import Disconnected, Inbound, Publish
from edge.outbox import MAX_RECORDS
from edge.store.journal import Journal
from shared import topics
from tests.contract import described
from tests.contract.asyncapi_rules import SCHEMA_KEYWORDS, Document
from tests.contract.described import DOCUMENT, judge
from tests.contract.edge import ONLINE, Edge
from tests.contract.later import told

DOCS = Path(__file__).parents[2] / "docs"
RECORDS = [kind for kind in KINDS if kind.topic in RECORD_TOPICS]


def test_the_document_is_the_topic_table_and_the_models() -> None:
    how = "python -m deploy.setup.asyncapi > docs/asyncapi.yaml"
    written = (DOCS / "asyncapi.yaml").read_text(encoding="utf-8")
    assert written == asyncapi.text(), how
    assert yaml.safe_load(written) == DOCUMENT


def test_the_page_is_the_topic_table_and_the_models() -> None:
    how = "python -m deploy.setup.messages_doc > docs/messages.md"
    assert (DOCS / "messages.md").read_text(encoding="utf-8") == messages_doc.text(), how


# ---- as the specification wants it


def test_its_structure_is_that_of_the_specification() -> None:
    Document.model_validate(DOCUMENT)


WRONG: dict[str, Callable[[Any], object]] = {
    "a field of AsyncAPI 2": lambda d: d["channels"]["sale"].update(publish={}),
    "no QoS 3": lambda d: d["operations"]["send-sale"]["bindings"]["mqtt"].update(qos=3),
    "retained is retain": lambda d: d["operations"]["send-sale"]["bindings"]["mqtt"].update(retained=True),
    "an older binding": lambda d: d["servers"]["broker"]["bindings"]["mqtt"].update(bindingVersion="0.1.0"),
    "the deprecated binding": lambda d: d["operations"]["send-sale"]["bindings"].update(mqtt5={}),
    "no address": lambda d: d["channels"]["sale"].pop("address"),
    "a key with a slash": lambda d: d["channels"].update({"a/b": d["channels"]["sale"]}),
}


@pytest.mark.parametrize("spoil", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_structure_is_noticed(spoil: Callable[[Any], object]) -> None:
    document = asyncapi.asyncapi()
    spoil(document)
    with pytest.raises(ValidationError):
        Document.model_validate(document)


def parts(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    yield path, value
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from parts(inner, (*path, str(key)))


def resolved(ref: str) -> object:
    at: Any = DOCUMENT
    for step in ref.removeprefix("#/").split("/"):
        at = at[step]
    return at


def test_every_reference_leads_to_the_right_place() -> None:
    places = {
        "servers": "servers",
        "channel": "channels",
        "payload": "components/schemas",
        "messages": r"components/messages|channels/[a-z-]+/messages",
    }
    found = [(path, value) for path, value in parts(DOCUMENT) if path and path[-1] == "$ref"]
    assert len(found) > 100
    for path, ref in found:
        assert isinstance(ref, str)
        resolved(ref)
        owner = next((step for step in reversed(path[:-1]) if step in places), None)
        if "schemas" not in path:
            assert owner is not None
            assert re.match(f"#/({places[owner]})/", ref), (path, ref)


def test_parameters_are_those_in_the_address_and_operations_use_their_channels_messages() -> None:
    for channel in DOCUMENT["channels"].values():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == channel["parameters"].keys()
    for operation in DOCUMENT["operations"].values():
        for use in filter(None, (operation, operation.get("reply"))):
            channel = use["channel"]["$ref"]
            assert all(message["$ref"].startswith(f"{channel}/messages/") for message in use["messages"])


def test_schemas_use_only_what_the_draft_knows() -> None:
    def look(schema: dict[str, Any]) -> None:
        assert schema.keys() <= SCHEMA_KEYWORDS
        assert "$ref" not in schema or len(schema) == 1, "neighbours of a reference are not read"
        for key in ("items", "additionalProperties", "propertyNames", "anyOf", "oneOf", "allOf"):
            inner = schema.get(key, ())
            for one in inner if isinstance(inner, list) else [inner] if inner else ():
                look(one)
        for one in schema.get("properties", {}).values():
            look(one)

    for schema in DOCUMENT["components"]["schemas"].values():
        look(schema)


# ---- complete


def test_every_topic_is_a_channel_with_its_operation() -> None:
    assert [channel["address"] for channel in DOCUMENT["channels"].values()] == [
        topic.of("{machine}") for topic in topics.TOPICS
    ]
    for topic, operation in zip(topics.TOPICS, DOCUMENT["operations"].values(), strict=True):
        assert operation["action"] == ("send" if topic.direction is topics.Direction.UP else "receive")
        binding = operation["bindings"]["mqtt"]
        assert (binding["qos"], binding["retain"]) == (topic.qos, topic.retained)
        message: Any = resolved(operation["messages"][0]["$ref"])
        message = resolved(message["$ref"])
        assert message["contentType"] == message["bindings"]["mqtt"]["contentType"] == topic.codec


def test_every_field_has_words_and_every_word_a_field() -> None:
    used = set()
    for name, schema in schemas.components().items():
        model = name.removesuffix("Order") if name.endswith("Order") else name
        for field, known in schema.get("properties", {}).items():
            assert known["description"], f"{name}.{field}"
            used |= {field, f"{model}.{field}", f"Header.{field}", f"Order.{field}"}
    assert glossary.WORDS.keys() <= used


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_says_what_it_is(kind: Kind) -> None:
    inherited = BaseModel.__doc__
    assert kind.model.__doc__ not in {None, inherited} or not kind.inside


# ---- true


def of(message: str) -> Callable[[object], object]:
    return judge(DOCUMENT["components"]["messages"][message]["payload"]["$ref"].rpartition("/")[2])


@pytest.mark.parametrize("name", DOCUMENT["components"]["messages"])
def test_examples_are_what_their_schemas_describe(name: str) -> None:
    message = DOCUMENT["components"]["messages"][name]
    for example in message["examples"]:
        of(name)(example["payload"])


def test_records_of_all_kinds_are_what_their_channel_describes() -> None:
    for topic in RECORD_TOPICS:
        records = [asyncapi.plain(kind) for kind in RECORDS if kind.topic is topic]
        of(topic.name)(records)
        with pytest.raises(fastjsonschema.JsonSchemaValueException):
            of(topic.name)([])


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.name)
def test_what_the_cloud_refuses_is_not_described_either(kind: Kind) -> None:
    check = of(f"record.{kind.name}")
    good = asyncapi.plain(kind)
    check({**good, "later": "added"})
    required = DOCUMENT["components"]["schemas"][schemas.NAMES[kind.name]]["required"]
    for name in required:
        with pytest.raises(fastjsonschema.JsonSchemaValueException):
            check({key: value for key, value in good.items() if key != name})
    for wrong in ({"v": 2}, {"seq": 0}, {"epoch": "x"}, {"kind": "mood"}, {"at_ns": 1.5}):
        with pytest.raises(fastjsonschema.JsonSchemaValueException):
            check({**good, **wrong})


def test_a_machine_says_what_is_described(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db", "m1") as journal:
        edge = Edge(journal)
        edge.hear(
            *(Inbound(topic.of("m1"), wire) for topic, wire in told(edge, dict)), Disconnected("cut"), ONLINE
        )
        said = [command for command in edge.said if isinstance(command, Publish)]
        will = edge.core.status(online=False).model_dump_json().encode()
    names = {message.topic.rpartition("/")[2] for message in said}
    assert names >= {"status", "reported", "stock", "event", "reply"}
    for message in said:
        described.check(message.topic, message.payload)
        with pytest.raises(fastjsonschema.JsonSchemaValueException):
            described.check(message.topic, b"[]" if message.payload[:1] == b"{" else b"\x80")
    described.check("vend/v1/m1/status", will)


def test_the_number_of_records_in_a_message_is_what_machines_keep_to() -> None:
    assert f"1 to {MAX_RECORDS} records" in (DOCS / "messages.md").read_text(encoding="utf-8")
