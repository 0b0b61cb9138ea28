"""The one table of topics. Publisher, subscriber, broker rights and documents read it.

`vend/v1/{machine}/{name}`: the machine id is also client id, user name and certificate name, so that one
rule confines a machine to its own branch.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import BaseModel

from shared.commands import Envelope, Reply
from shared.messages import (
    CertificateIssued,
    CertificateRequest,
    Config,
    Health,
    PriceList,
    Receipt,
    Reported,
    Status,
    Stock,
    Watermark,
)

CLOUD_USER: Final = "vend-cloud"  # at the broker: the name of its certificate
# One connection a name: cloud processes side by side need a certificate each.
CLOUD_USERS: Final = (CLOUD_USER, *(f"{CLOUD_USER}-{number}" for number in range(2, 9)))
SIGNER_USER: Final = "vend-signer"  # the one process that has the authority's key

_PREFIX: Final = "vend/v1"
_TOPIC: Final = re.compile(r"vend/v1/([a-z0-9][a-z0-9-]{0,31})/([a-z/]+)")


class Direction(StrEnum):
    UP = "up"
    DOWN = "down"


class Codec(StrEnum):
    """Money and high rates in msgpack; what a person looks at with any MQTT client in JSON."""

    MSGPACK = "application/msgpack"
    JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Topic:
    """`model` is None where a message is an array of records, each read by `parse_record`.

    `user`: who is at the cloud's end.
    """

    name: str
    direction: Direction
    qos: int
    retained: bool
    codec: Codec
    model: type[BaseModel] | None
    what: str
    user: str = CLOUD_USER

    def of(self, machine: str) -> str:
        return f"{_PREFIX}/{machine}/{self.name}"

    @property
    def filter(self) -> str:
        return self.of("+")


_UP, _DOWN, _MSGPACK, _JSON = Direction.UP, Direction.DOWN, Codec.MSGPACK, Codec.JSON

#                name        way    qos retained codec   model      what
SALE = Topic("sale", _UP, 1, False, _MSGPACK, None, "sale records, in order")
EVENT = Topic("event", _UP, 1, False, _MSGPACK, None, "all other journal records, in order")
STATUS = Topic("status", _UP, 1, True, _JSON, Status, "online, and each tender's availability")
STOCK = Topic("stock", _UP, 1, True, _JSON, Stock, "products left by slot")
REPORTED = Topic("reported", _UP, 1, True, _JSON, Reported, "prices and config in force, what was refused")
HEALTH = Topic(
    "health", _UP, 1, True, _JSON, Health, "temperatures, cash levels, clock, link and open faults"
)
RECEIPT = Topic("receipt", _DOWN, 1, False, _MSGPACK, Receipt, "records the database has")
PRICES = Topic("prices", _DOWN, 1, True, _JSON, PriceList, "the price list wanted")
CONFIG = Topic("config", _DOWN, 1, True, _JSON, Config, "planogram, limits and tenders wanted")
WATERMARK = Topic("watermark", _DOWN, 1, True, _JSON, Watermark, "the highest record the cloud holds")
COMMAND = Topic("command", _DOWN, 1, False, _MSGPACK, Envelope, "a signed command with id and deadline")
REPLY = Topic("reply", _UP, 1, False, _MSGPACK, Reply, "what became of a command")
CERTIFICATE_REQUEST = Topic(
    *("certificate/request", _UP, 1, False, _JSON, CertificateRequest),
    what="a machine asks for its next certificate",
    user=SIGNER_USER,
)
CERTIFICATE_ISSUED = Topic(
    *("certificate/issued", _DOWN, 1, False, _JSON, CertificateIssued),
    what="its next certificate, or why not",
    user=SIGNER_USER,
)

TOPICS: Final = (
    *(SALE, EVENT, STATUS, STOCK, REPORTED, HEALTH, RECEIPT, PRICES, CONFIG, WATERMARK, COMMAND, REPLY),
    *(CERTIFICATE_REQUEST, CERTIFICATE_ISSUED),
)
_BY_NAME: Final = {topic.name: topic for topic in TOPICS}


def heard_by(user: str) -> list[Topic]:
    """What machines say to this one of the cloud's users."""
    return [topic for topic in TOPICS if topic.direction is _UP and topic.user == user]


def parse(name: str) -> tuple[str, Topic] | None:
    """Machine and table row of a topic name; None when it is none of ours."""
    match = _TOPIC.fullmatch(name)
    if match is None or match[2] not in _BY_NAME:
        return None
    return match[1], _BY_NAME[match[2]]
