"""Who is obeyed: forged, changed, misdirected, late and forbidden commands are not, in 100,000 ways."""

import itertools
import random
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.commands import FUTURE_NS, Key, RefusedError, read, weigh
from shared import codec
from shared import commands as wire
from tests.signing import KEYS, NAMES, NS, PRIVATE, command

TIME_NS = 1_790_000_000 * NS
ACTIONS: tuple[wire.Action, ...] = (
    wire.Restart(),
    wire.Support(),
    wire.MotorTest(slot="A1"),
    wire.FreeVend(slot="A1"),
    wire.Lock(slot="A1", reason="leaks"),
    wire.Unlock(),
    wire.SetStock(counts={"A1": 3}),
    wire.Credit(claim="0001-123456"),
    wire.PayClaim(claim="0001-123456"),
    wire.Resend(epoch="0123456789ab", first=1, last=9),
)


def verdict(payload: bytes, time_ns: int | None = TIME_NS, over_ns: int = 0, machine: str = "m1") -> str:
    """The name of what is done, or the code of the refusal."""
    try:
        return f"obeyed: {weigh(read(payload, machine, KEYS), time_ns, over_ns).name}"
    except RefusedError as refused:
        return refused.code


@pytest.mark.parametrize("role", wire.ALLOWED)
@pytest.mark.parametrize("action", ACTIONS, ids=[a.name for a in ACTIONS])
def test_each_role_may_what_its_row_says(role: wire.Role, action: wire.Action) -> None:
    said = verdict(command(action, TIME_NS, key=role))
    assert said == (f"obeyed: {action.name}" if action.name in wire.ALLOWED[role] else "not_allowed")


def test_the_table_of_roles_names_every_command() -> None:
    assert wire.ALLOWED["operator"] == set(NAMES) == {action.name for action in ACTIONS}
    assert wire.ALLOWED["viewer"] < wire.ALLOWED["technician"] < wire.ALLOWED["operator"]


def test_the_page_about_commands_has_each_with_its_least_role() -> None:
    page = (Path(__file__).parents[2] / "docs/commands.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `") and line.count("|") == 4]
    for name in NAMES:
        (row,) = [row for row in rows if re.search(rf"`{name}[` ]", row)]
        least = next(role for role, names in wire.ALLOWED.items() if name in names)
        assert row.endswith(f"| {least} |")


# --- one refusal of each kind -------------------------------------------------------------------------------


def resigned(**changed: object) -> bytes:
    """Other signed bytes, with a good signature."""
    fields = codec.unpack(wire.dump_order(wire.Order(_header(), wire.Restart())))
    assert isinstance(fields, dict)
    signed = codec.pack({**fields, **changed})
    signature = PRIVATE["operator"].sign(wire.to_sign("operator", signed))
    return codec.pack({"v": 1, "key": "operator", "signed": signed, "signature": signature})


def _header() -> wire.Header:
    ident = secrets.token_hex(16)
    return wire.Header(machine="m1", id=ident, issued_ns=TIME_NS, expires_ns=TIME_NS + 60 * NS)


def _renamed(payload: bytes, key: str) -> bytes:
    fields = codec.unpack(payload)
    assert isinstance(fields, dict)
    return codec.pack({**fields, "key": key})


GOOD = command(wire.Restart(), TIME_NS)
REFUSED = {
    "nothing": (b"", "malformed"),
    "another version": (codec.pack({"v": 2}), "malformed"),
    "a key that nobody knows": (_renamed(GOOD, "thief"), "unknown_key"),
    "another key's name": (_renamed(GOOD, "technician"), "bad_signature"),
    "another machine": (command(wire.Restart(), TIME_NS, machine="m2"), "other_machine"),
    "signed nonsense": (resigned(id="x"), "malformed"),
    "a command of the future": (resigned(action={"name": "fly", "height": 3}), "unknown_command"),
    "an argument out of range": (resigned(action={"name": "stock", "counts": {}}), "unknown_command"),
    "no action": (resigned(action=7), "unknown_command"),
    "late": (command(wire.Restart(), TIME_NS - 60 * NS), "expired"),
    "from the future": (command(wire.Restart(), TIME_NS + FUTURE_NS + 1), "not_yet"),
    "a deadline without an end": (command(wire.Restart(), TIME_NS, lifetime_ns=2**61), "too_long"),
    "over before it was issued": (resigned(issued_ns=TIME_NS + 90 * NS), "too_long"),
}


@pytest.mark.parametrize(("payload", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_and_why(payload: bytes, code: str) -> None:
    assert verdict(payload) == code


def test_without_keys_nobody_is_obeyed() -> None:
    with pytest.raises(RefusedError, match=r"\[\[commands.keys\]\]"):
        read(GOOD, "m1", {})


def test_a_machine_without_the_time_obeys_only_what_harms_nobody_when_it_is_late() -> None:
    said = {action.name: verdict(command(action, TIME_NS), None) for action in ACTIONS}
    assert said.pop("support") == "obeyed: support"
    assert set(said.values()) == {"clock_not_set"}


def test_a_deadline_that_was_forgotten_is_over_at_any_time() -> None:
    late = command(wire.Support(), TIME_NS)
    for time_ns in (None, 0, TIME_NS):
        assert verdict(late, time_ns, over_ns=TIME_NS + 60 * NS) == "expired"


# --- a hundred thousand -------------------------------------------------------------------------------------


def _flipped(payload: bytes) -> Iterator[bytes]:
    """Each bit of the message, once."""
    for place, bit in itertools.product(range(len(payload)), range(8)):
        yield payload[:place] + bytes([payload[place] ^ 1 << bit]) + payload[place + 1 :]


def _envelope(payload: bytes) -> wire.Envelope | None:
    try:
        return wire.Envelope.model_validate(codec.unpack(payload))
    except ValueError:
        return None


def _cut_and_joined(rng: random.Random, genuine: list[bytes], count: int) -> Iterator[bytes]:
    """Parts left out, repeated, exchanged between messages, and noise."""
    for _ in range(count):
        one, other = rng.choice(genuine), rng.choice(genuine)
        a, b = sorted((rng.randrange(len(one)), rng.randrange(len(one) + 1)))
        match rng.randrange(4):
            case 0:
                changed = one[:a] + one[b:]
            case 1:
                changed = one[:b] + one[a:]
            case 2:
                changed = one[:a] + other[a:]
            case _:
                changed = one[:a] + rng.randbytes(b - a) + one[b:]
        yield changed


def _crossed(genuine: list[bytes]) -> Iterator[bytes]:
    """The signed bytes of one message, with key and signature of another."""
    opened = [wire.Envelope.model_validate(codec.unpack(payload)) for payload in genuine]
    for one, other in itertools.permutations(opened, 2):
        yield codec.pack(one.model_copy(update={"signed": other.signed}).model_dump())
        yield codec.pack(one.model_copy(update={"signature": other.signature}).model_dump())


def test_no_changed_command_is_obeyed() -> None:
    rng = random.Random(4)
    genuine = [command(action, TIME_NS, key=role) for action in ACTIONS for role in KEYS]
    stolen = (genuine[0], genuine[11], command(wire.FreeVend(slot="A1"), TIME_NS))
    known = [_envelope(payload) for payload in (*genuine, stolen[2])]
    counted: Counter[str] = Counter()
    for payload in itertools.chain(
        *(_flipped(payload) for payload in stolen),
        _crossed(genuine),
        _cut_and_joined(rng, genuine, 30_000),
    ):
        # The same words in another packing are the same command, with the same id.
        if (changed := _envelope(payload)) is None or changed not in known:
            counted[verdict(payload)] += 1
    assert counted.keys() == {"malformed", "unknown_key", "bad_signature"}
    assert counted["bad_signature"] > 5_000
    assert counted.total() > 35_000


def test_no_genuine_command_is_obeyed_by_the_wrong_machine_at_the_wrong_time_or_for_the_wrong_role() -> None:
    rng = random.Random(5)
    counted: Counter[str] = Counter()
    for action, role in itertools.product(ACTIONS, KEYS):
        payload = command(action, TIME_NS, key=role)
        for machine in ("m2", "m", "m11"):
            counted[verdict(payload, machine=machine)] += 1
        signed = read(payload, "m1", KEYS)
        allowed = action.name in wire.ALLOWED[signed.role]
        for _ in range(800):
            early_ns = TIME_NS - FUTURE_NS - rng.randrange(1, 2**60)
            late_ns = TIME_NS + 60 * NS + rng.randrange(2**60)
            lifetime_ns = rng.choice((-rng.randrange(2**60), 24 * 3_600 * NS + rng.randrange(1, 2**60)))
            header = signed.header.model_copy(update={"expires_ns": signed.header.issued_ns + lifetime_ns})
            cases = [(signed, early_ns, 0), (signed, late_ns, 0), (signed, early_ns, late_ns)]
            cases += [(replace(signed, header=header), TIME_NS, 0)]
            if not allowed:
                cases.append((signed, TIME_NS + rng.randrange(60 * NS), 0))
            for case in cases:
                with pytest.raises(RefusedError) as refused:
                    weigh(*case)
                counted[refused.value.code] += 1
    assert counted.keys() == {"other_machine", "expired", "not_yet", "too_long", "not_allowed"}
    assert counted.total() > 100_000


def test_a_key_does_not_speak_for_another_with_the_same_public_half() -> None:
    """Settings refuse that, and the signature would not hold either: it names the key."""
    keys: dict[str, Key] = {**KEYS, "second": Key("operator", KEYS["viewer"].public)}
    with pytest.raises(RefusedError, match="the signature is not that of key second"):
        read(_renamed(command(wire.Support(), TIME_NS, key="viewer"), "second"), "m1", keys)
