"""Commands from an operator to one machine, and the machine's replies: both as they are on the wire.

An envelope carries bytes and their Ed25519 signature; only what is signed is believed, and it is read after
the signature was found good. It covers the key's name too, so that a command cannot be passed off as another
key's. Header and action are read apart: what an older machine does not know can still be answered.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from shared import codec
from shared.fields import Claim, Code, Count, Epoch, Frozen, MachineId, Seq, Slot, Text, Version, explain

MAX_LIFETIME_NS: Final = 24 * 3_600 * 10**9  # from issue to deadline: so long ids must be remembered
MAX_RESEND: Final = 10_000  # records a command: a moment of the machine's loop
_CONTEXT: Final = b"vendlink command 1\0"

CommandId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
KeyName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
PublicKeyHex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
LockReason = Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
ResultName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,47}$")]


# --- what can be commanded ----------------------------------------------------------------------------------


class Restart(Frozen):
    """End the program in good order; what supervises it starts it again."""

    name: Literal["restart"] = "restart"


class Support(Frozen):
    """What the machine knows of its own state. Changes nothing."""

    name: Literal["support"] = "support"


class MotorTest(Frozen):
    """Run the motor of a slot, as a test vend."""

    name: Literal["test-motor"] = "test-motor"
    slot: Slot


class FreeVend(Frozen):
    """Give a product away."""

    name: Literal["free-vend"] = "free-vend"
    slot: Slot


class Lock(Frozen):
    """Not sold any more: a slot, or without one the whole machine."""

    name: Literal["lock"] = "lock"
    slot: Slot | None = None
    reason: LockReason = ""


class Unlock(Frozen):
    """Sold again: a slot, or without one the whole machine."""

    name: Literal["unlock"] = "unlock"
    slot: Slot | None = None


class SetStock(Frozen):
    """These slots hold so many products; none was moved."""

    name: Literal["stock"] = "stock"
    counts: Annotated[dict[Slot, Count], Field(min_length=1, max_length=50)]


class Credit(Frozen):
    """What this claim code is good for becomes credit now: for a customer who stands there."""

    name: Literal["credit"] = "credit"
    claim: Claim


class PayClaim(Frozen):
    """The operator paid this claim: the machine owes it no more."""

    name: Literal["pay-claim"] = "pay-claim"
    claim: Claim


class Resend(Frozen):
    """Records of this journal that the cloud had become owed again, with unchanged bytes."""

    name: Literal["resend"] = "resend"
    epoch: Epoch
    first: Seq
    last: Seq


Action = Restart | Support | MotorTest | FreeVend | Lock | Unlock | SetStock | Credit | PayClaim | Resend
_ACTION: Final[TypeAdapter[Action]] = TypeAdapter(Annotated[Action, Field(discriminator="name")])

Role = Literal["viewer", "technician", "operator"]
_VIEWER: Final = frozenset({"support"})
_TECHNICIAN: Final = _VIEWER | {"restart", "test-motor", "lock", "unlock", "stock", "resend"}
ALLOWED: Final[dict[Role, frozenset[str]]] = {
    "viewer": _VIEWER,
    "technician": _TECHNICIAN,
    "operator": _TECHNICIAN | {"free-vend", "credit", "pay-claim"},
}


# --- on the wire --------------------------------------------------------------------------------------------


class Header(Frozen):
    """Whom a command is for, its name for ever (`id`), and when it may be carried out, ns UTC."""

    machine: MachineId
    id: CommandId
    issued_ns: Count
    expires_ns: Count


class Envelope(Frozen):
    """`key`: name of the signing key. `signed`: msgpack of a header and its `action`."""

    v: Version = 1
    key: KeyName
    signed: Annotated[bytes, Field(max_length=codec.MAX_BIN)]
    signature: Annotated[bytes, Field(min_length=64, max_length=64)]


Outcome = Literal["done", "refused", "failed", "expired"]


class Reply(Frozen):
    """Sent again, a command gets the same reply again. `code` is stable, `text` is for people.

    `digest`: of the message that is answered, because anybody can write a known id on a forged one.
    `recording`: the last words on the bus, for `vend-edge bench decode`.
    """

    v: Version = 1
    id: CommandId
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    outcome: Outcome
    code: Code
    text: Text
    at_ns: Count
    result: Annotated[dict[ResultName, Text | Count], Field(max_length=100)] = Field(default_factory=dict)
    recording: Annotated[tuple[Text, ...], Field(max_length=400)] = ()


@dataclass(frozen=True, slots=True)
class Order:
    header: Header
    action: Action


class OrderError(ValueError):
    """Signed bytes that are no order; `header` is there when that much could be read."""

    def __init__(self, text: str, header: Header | None = None) -> None:
        super().__init__(text)
        self.header = header


def dump_order(order: Order) -> bytes:
    return codec.pack({**order.header.model_dump(), "action": order.action.model_dump()})


def parse_order(signed: bytes) -> Order:
    """Raises OrderError."""
    header = None
    try:
        raw: Any = codec.unpack(signed)
        header = Header.model_validate(raw)
        return Order(header, _ACTION.validate_python(raw.get("action")))
    except ValidationError as error:
        raise OrderError(explain(error), header) from None
    except codec.CodecError as error:
        raise OrderError(str(error)) from None


def parse_action(raw: object) -> Action:
    """Raises pydantic.ValidationError."""
    return _ACTION.validate_python(raw)


def to_sign(key: str, signed: bytes) -> bytes:
    """What the signature is made of. The context keeps the key's other uses, if there are any, apart."""
    return _CONTEXT + key.encode() + b"\0" + signed


def seal(order: Order, key: str, sign: Callable[[bytes], bytes]) -> bytes:
    """The envelope of an order, signed with this key."""
    signed = dump_order(order)
    return codec.pack(Envelope(key=key, signed=signed, signature=sign(to_sign(key, signed))).model_dump())


def digest(envelope: bytes) -> str:
    """Of an envelope as it came."""
    return hashlib.sha256(envelope).hexdigest()
