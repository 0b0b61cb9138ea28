"""Whether a command may be obeyed: bytes in, a verdict out; nothing here acts, remembers or knows the time.

In this order: it can be read, a known key signed it, it is for this machine (`read`); it is not over, the
key's role allows it, the time can be judged (`weigh`). Between the two the caller looks whether its id is
known: what was answered once is answered the same for ever.

Time must be one that can be trusted. A clock that is behind would obey what is over: a broker keeps messages
for a machine without power, and who can hold a message back chooses when it arrives. So a machine that does
not know the time obeys only what harms nobody when it is late.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from shared import codec
from shared import commands as wire
from shared.fields import explain

FUTURE_NS: Final = 120 * 10**9  # how far the clocks of operator and machine may differ
HARMLESS_LATE: Final = frozenset({"support"})


@dataclass(frozen=True, slots=True)
class Key:
    role: wire.Role
    public: Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class Authority:
    """Whom this machine obeys. `own_clock`: its clock is right, although the kernel does not call it so."""

    keys: Mapping[str, Key] = field(default_factory=dict)
    own_clock: bool = False


@dataclass(frozen=True, slots=True)
class Signed:
    """What a known key wants of this machine. `unreadable`: why its action is none that is known here."""

    header: wire.Header
    action: wire.Action | None
    key: str
    role: wire.Role
    digest: str
    unreadable: str = ""


class RefusedError(Exception):
    """Not obeyed. `id`: whom to answer, as far as that can be read. `lasting`: it will be refused for ever,
    so nobody has to remember that it was.
    """

    def __init__(
        self,
        code: str,
        text: str,
        command: str | None,
        outcome: wire.Outcome = "refused",
        *,
        lasting: bool = False,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.id = command
        self.outcome: wire.Outcome = outcome
        self.lasting = lasting


def read(payload: bytes, machine: str, keys: Mapping[str, Key]) -> Signed:
    """Who wants what; nothing that is not signed is believed. Raises RefusedError."""
    try:
        envelope = wire.Envelope.model_validate(codec.unpack(payload))
    except ValidationError as error:
        raise RefusedError("malformed", explain(error), None) from None
    except codec.CodecError as error:
        raise RefusedError("malformed", str(error), None) from None
    role = _verified(envelope, keys)
    action, unreadable = None, ""
    try:
        order = wire.parse_order(envelope.signed)
        header, action = order.header, order.action
    except wire.OrderError as error:
        if error.header is None:
            raise RefusedError("malformed", str(error), None) from None
        header, unreadable = error.header, str(error)
    if header.machine != machine:
        raise RefusedError("other_machine", f"this is {machine}, and not {header.machine}", header.id)
    return Signed(header, action, envelope.key, role, wire.digest(payload), unreadable)


def _verified(envelope: wire.Envelope, keys: Mapping[str, Key]) -> wire.Role:
    """The role of the key that signed it."""
    name = envelope.key
    if not keys:
        text = "this machine obeys no commands: its settings have no [[commands.keys]]"
        raise RefusedError("no_keys", text, _claimed_id(envelope))
    if name not in keys:
        text = f"there is no key {name} in this machine's settings"
        raise RefusedError("unknown_key", text, _claimed_id(envelope))
    try:
        keys[name].public.verify(envelope.signature, wire.to_sign(name, envelope.signed))
    except InvalidSignature:
        text = f"the signature is not that of key {name} as this machine knows it"
        raise RefusedError("bad_signature", text, _claimed_id(envelope)) from None
    return keys[name].role


def _claimed_id(envelope: wire.Envelope) -> str | None:
    """Unproven: good for an answer, which names the message that it answers, and for nothing else."""
    try:
        return wire.parse_order(envelope.signed).header.id
    except wire.OrderError as error:
        return error.header.id if error.header else None


def weigh(signed: Signed, time_ns: int | None, over_ns: int) -> wire.Action:
    """What is to be done. `time_ns`: trusted, or None; `over_ns`: deadlines up to this have passed, whatever
    the time is. Raises RefusedError.
    """
    header, action = signed.header, signed.action
    if header.expires_ns <= max(over_ns, time_ns or 0):
        raise RefusedError("expired", "its deadline has passed", header.id, "expired", lasting=True)
    if not 0 < header.expires_ns - header.issued_ns <= wire.MAX_LIFETIME_NS:
        text = "a deadline is at most 24 hours after its issue"
        raise RefusedError("too_long", text, header.id, lasting=True)
    if action is None:
        raise RefusedError("unknown_command", f"not known here: {signed.unreadable}", header.id)
    if action.name not in wire.ALLOWED[signed.role]:
        text = f"key {signed.key} has the role {signed.role}, which may not {action.name}"
        raise RefusedError("not_allowed", text, header.id)
    if time_ns is None and action.name not in HARMLESS_LATE:
        text = "this machine does not know the time, so it cannot say whether this is late: see to its clock"
        raise RefusedError("clock_not_set", text, header.id)
    if time_ns is not None and header.issued_ns > time_ns + FUTURE_NS:
        raise RefusedError("not_yet", "it was issued in the future: see to the clocks", header.id)
    return action
