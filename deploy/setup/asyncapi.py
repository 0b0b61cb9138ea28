"""Write the contract as an AsyncAPI 3 document: python -m deploy.setup.asyncapi > docs/asyncapi.yaml

Seen from the machine: it sends what goes up and receives what comes down. `asyncapi()` has the document as
plain maps and lists.
"""

import json
import sys
from typing import Any, Final

import yaml

from deploy.contract import examples, schemas
from deploy.contract.kinds import KINDS, RECORD_TOPICS, Kind
from edge.outbox import MAX_RECORDS
from shared import topics
from shared.topics import TOPICS, Direction, Topic

_MACHINE: Final = "{machine}"
_BINDING: Final = "0.2.0"
_ANSWERS: Final = {
    topics.COMMAND.name: topics.REPLY,
    topics.CERTIFICATE_REQUEST.name: topics.CERTIFICATE_ISSUED,
}
_DESCRIPTION: Final = """\
What goes over MQTT between vending machines and their cloud, seen from a machine: it sends what goes up and
receives what comes down.

Messages of content type application/msgpack are described as what they decode to: map, array and bin are
object, array and string of format binary. Integers have up to 63 bits: read them into 64.

A field may be added within a version, so pass over those that you do not know. Kinds and topics may be added,
too. Anything else raises `v`.

A record is named by machine, epoch and seq for ever. It comes again, unchanged, until a receipt names it:
whoever reads records counts each name once. messages.md has the limits that every version keeps to.
"""


def _key(topic: Topic) -> str:
    return topic.name.replace("/", "-")


def _ref(*path: str) -> dict[str, str]:
    return {"$ref": "/".join(("#", *path))}


def _binding(**fields: object) -> dict[str, Any]:
    return {"mqtt": {**fields, "bindingVersion": _BINDING}}


def asyncapi() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Vendlink: machine and cloud",
            "version": "1.0.0",
            "description": _DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "servers": {"broker": _server()},
        "channels": {_key(topic): _channel(topic) for topic in TOPICS},
        "operations": dict(_operation(topic) for topic in TOPICS),
        "components": {
            "messages": {
                **{_key(topic): _record_message(topic) for topic in RECORD_TOPICS},
                **{_inner(kind): _message(kind) for kind in KINDS},
            },
            "schemas": {**schemas.components(), **_lists()},
        },
    }


def _inner(kind: Kind) -> str:
    return f"record.{kind.name}" if kind.topic in RECORD_TOPICS else kind.name


def _server() -> dict[str, Any]:
    will = topics.STATUS
    return {
        "host": "{broker}:8883",
        "protocol": "secure-mqtt",
        "protocolVersion": "5.0",
        "description": "MQTT 3.1.1 works too, without the properties. Rights follow the certificate's name.",
        "variables": {"broker": {"default": "localhost", "description": "the broker's name"}},
        "security": [{"type": "X509", "description": "its common name is the machine"}],
        "bindings": _binding(
            clientId=_MACHINE,
            cleanSession=False,
            lastWill={
                "topic": will.of(_MACHINE),
                "qos": will.qos,
                "retain": will.retained,
                "message": "a status that says offline",
            },
        ),
    }


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.of(_MACHINE),
        "description": topic.what,
        "servers": [_ref("servers", "broker")],
        "parameters": {"machine": {"description": "id of the machine", "examples": [examples.MACHINE]}},
        "messages": {_key(topic): _ref("components", "messages", _key(topic))},
    }


def _operation(topic: Topic) -> tuple[str, dict[str, Any]]:
    action = "send" if topic.direction is Direction.UP else "receive"
    binding: dict[str, Any] = {"qos": topic.qos, "retain": topic.retained}
    if topic is topics.COMMAND:
        binding["messageExpiryInterval"] = {
            "type": "integer",
            "minimum": 1,
            "description": "seconds until the deadline",
        }
    operation = {
        "action": action,
        "channel": _ref("channels", _key(topic)),
        "summary": topic.what,
        "messages": [_ref("channels", _key(topic), "messages", _key(topic))],
        "bindings": _binding(**binding),
    }
    answer = _ANSWERS.get(topic.name)
    if answer is not None:
        operation["reply"] = {
            "channel": _ref("channels", _key(answer)),
            "messages": [_ref("channels", _key(answer), "messages", _key(answer))],
        }
    return f"{action}-{_key(topic)}", operation


def _record_message(topic: Topic) -> dict[str, Any]:
    kind = next(kind for kind in KINDS if kind.topic is topic)
    return {
        "name": _key(topic),
        "title": topic.what,
        "summary": f"1 to {MAX_RECORDS} records, each of one of the kinds record.*",
        "contentType": topic.codec.value,
        "payload": _ref("components", "schemas", _list_name(topic)),
        "bindings": _binding(contentType=topic.codec.value),
        "examples": [{"name": "of-one", "payload": [plain(kind)]}],
    }


def _list_name(topic: Topic) -> str:
    return f"{topic.name.title()}Records"


def _lists() -> dict[str, Any]:
    return {
        _list_name(topic): {
            "type": "array",
            "minItems": 1,
            "items": {
                "oneOf": [
                    _ref("components", "schemas", schemas.NAMES[kind.name])
                    for kind in KINDS
                    if kind.topic is topic
                ]
            },
        }
        for topic in RECORD_TOPICS
    }


def _message(kind: Kind) -> dict[str, Any]:
    binding: dict[str, Any] = {"contentType": kind.topic.codec.value}
    where = ""
    if kind.topic in RECORD_TOPICS:
        where = f" Never alone: an item of a message on {kind.topic.of(_MACHINE)}."
    elif kind.inside:
        where = " Never alone: the field `signed` of a message on " + kind.topic.of(_MACHINE) + "."
    elif kind.topic is topics.COMMAND:
        binding["responseTopic"] = topics.REPLY.of(_MACHINE)
    if kind.topic in {topics.COMMAND, topics.REPLY} and not kind.inside:
        binding["correlationData"] = {
            "type": "string",
            "format": "binary",
            "description": "the id's 16 bytes",
        }
    return {
        "name": kind.name,
        "title": kind.name,
        "summary": kind.what + where,
        "contentType": kind.topic.codec.value,
        "payload": _ref("components", "schemas", schemas.NAMES[kind.name]),
        "bindings": _binding(**binding),
        "examples": [{"name": "one", "payload": plain(kind)}],
    }


def plain(kind: Kind) -> Any:  # noqa: ANN401  # any JSON
    return json.loads(json.dumps(kind.view(), default=bytes.hex))


def text() -> str:
    head = (
        "# Printed from the topic table and the models by `python -m deploy.setup.asyncapi`: do not edit.\n"
    )
    body: str = yaml.dump(asyncapi(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return head + body


class _Dumper(yaml.SafeDumper):
    """Long texts as blocks, and no anchors: a part that comes twice is written twice."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)

if __name__ == "__main__":
    sys.stdout.write(text())
