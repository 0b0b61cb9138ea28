"""What the uplink tells the core, and what it is asked to do."""

from dataclasses import dataclass

from edge.sale import effects as act
from edge.sale import events as ev

# --- events of the uplink, beside the sale's own ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    session_present: bool
    max_packet_bytes: int | None


@dataclass(frozen=True, slots=True)
class Disconnected:
    reason: str


@dataclass(frozen=True, slots=True)
class PubAcked:
    token: int
    reason: int


@dataclass(frozen=True, slots=True)
class Inbound:
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Wake:
    """Nothing happened, but a deadline passed."""


CoreEvent = ev.Event | Connected | Disconnected | PubAcked | Inbound | Wake


# --- what the uplink is asked to do -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Publish:
    """`token` is None where nobody waits for the PUBACK. `correlation`: which request this answers."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    content_type: str
    token: int | None = None
    correlation: bytes | None = None


@dataclass(frozen=True, slots=True)
class DropConnection:
    """The connection looks alive and is not."""


@dataclass(frozen=True, slots=True)
class EndProgram:
    """In good order; what supervises the program starts it again."""


Command = act.Effect | Publish | DropConnection | EndProgram
