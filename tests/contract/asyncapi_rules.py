"""The structure of an AsyncAPI 3.0 document as far as ours uses it, with MQTT bindings 0.2.0: strict models.

Written from the specification. What is not named here is refused: a wrong name is found, and a new one asks
for a look into the specification.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")]
Qos = Literal[0, 1, 2]
Words = Annotated[str, StringConstraints(min_length=1)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Ref(Part):
    ref: Annotated[str, Field(alias="$ref", pattern=r"^#/")]


class License(Part):
    name: Words


class Info(Part):
    title: Words
    version: Words
    description: Words
    license: License


class LastWill(Part):
    topic: Words
    qos: Qos
    message: str
    retain: bool


class ServerBinding(Part):
    clientId: Words  # noqa: N815  # the specification's names, here and below
    cleanSession: bool  # noqa: N815
    lastWill: LastWill  # noqa: N815
    bindingVersion: Literal["0.2.0"]  # noqa: N815


class OperationBinding(Part):
    qos: Qos
    retain: bool
    messageExpiryInterval: dict[str, Any] | None = None  # noqa: N815
    bindingVersion: Literal["0.2.0"]  # noqa: N815


class MessageBinding(Part):
    contentType: Words  # noqa: N815
    responseTopic: Words | None = None  # noqa: N815
    correlationData: dict[str, Any] | None = None  # noqa: N815
    bindingVersion: Literal["0.2.0"]  # noqa: N815


class ServerBindings(Part):
    mqtt: ServerBinding


class OperationBindings(Part):
    mqtt: OperationBinding


class MessageBindings(Part):
    mqtt: MessageBinding


class Variable(Part):
    default: Words
    description: Words


class Security(Part):
    type: Literal["X509"]
    description: Words


class Server(Part):
    host: Words
    protocol: Literal["secure-mqtt"]
    protocolVersion: Literal["5.0"]  # noqa: N815
    description: Words
    variables: dict[Key, Variable]
    security: list[Security]
    bindings: ServerBindings


class Parameter(Part):
    description: Words
    examples: list[str]


class Channel(Part):
    address: Words
    description: Words
    servers: list[Ref]
    parameters: dict[Key, Parameter]
    messages: Annotated[dict[Key, Ref], Field(min_length=1)]


class OperationReply(Part):
    channel: Ref
    messages: list[Ref]


class Operation(Part):
    action: Literal["send", "receive"]
    channel: Ref
    summary: Words
    messages: list[Ref]
    bindings: OperationBindings
    reply: OperationReply | None = None


class Example(Part):
    name: Words
    payload: Any


class Message(Part):
    name: Words
    title: Words
    summary: Words
    contentType: Literal["application/msgpack", "application/json"]  # noqa: N815
    payload: Ref
    bindings: MessageBindings
    examples: Annotated[list[Example], Field(min_length=1)]


class Components(Part):
    messages: dict[Key, Message]
    schemas: dict[Key, dict[str, Any]]


class Document(Part):
    asyncapi: Literal["3.0.0"]
    info: Info
    servers: dict[Key, Server]
    channels: dict[Key, Channel]
    operations: dict[Key, Operation]
    components: Components


SCHEMA_KEYWORDS = {
    *("type", "description", "default", "const", "enum", "format", "pattern", "minLength", "maxLength"),
    *("minimum", "maximum", "minItems", "maxItems", "items", "additionalItems", "properties", "required"),
    *("propertyNames", "additionalProperties", "minProperties", "maxProperties", "anyOf", "oneOf", "allOf"),
    *("$ref", "x-minBytes", "x-maxBytes"),
}  # of draft-07, as far as ours has them
