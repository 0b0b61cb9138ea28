"""Whether a message is what docs/asyncapi.yaml describes, as a program that has only that file finds out."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import fastjsonschema
import msgpack

from deploy.setup.asyncapi import asyncapi

DOCUMENT: Any = asyncapi()  # a test holds the file to it, and reads faster so


@cache
def judge(schema: str) -> Callable[[object], object]:
    """By the name of a schema. What is made raises fastjsonschema.JsonSchemaValueException."""
    made: Callable[[object], object] = fastjsonschema.compile(
        {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]},
        formats={"binary": ".*"},
    )
    return made


def check(topic: str, payload: bytes) -> None:
    """Raises KeyError for a topic that is not described, and JsonSchemaValueException."""
    prefix, version, _, name = topic.split("/", 3)
    addresses = {channel["address"]: channel for channel in DOCUMENT["channels"].values()}
    (message,) = addresses[f"{prefix}/{version}/{{machine}}/{name}"]["messages"].values()
    described = DOCUMENT["components"]["messages"][message["$ref"].rpartition("/")[2]]
    is_json = described["contentType"] == "application/json"
    value = json.loads(payload) if is_json else msgpack.unpackb(payload)
    plain = json.loads(json.dumps(value, default=bytes.hex))
    judge(described["payload"]["$ref"].rpartition("/")[2])(plain)
