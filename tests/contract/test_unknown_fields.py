"""Fields of a newer version at any place: read over by whoever gets them, and nothing else changes."""

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.contract import golden, schemas
from deploy.contract.kinds import KINDS, Kind
from edge.commands import Authority
from edge.core import Core
from edge.link_events import Command, Connected, Inbound, Publish
from edge.sale import events as ev
from edge.sale.state import SlotSetting
from edge.sale.step import Machine, ProductGroup
from edge.store.journal import Journal
from shared import codec, commands, topics
from shared.clock import Now
from shared.messages import Config, Mark, PlannedSlot, PriceList, Receipt, Watermark
from tests.signing import KEYS, NS, PRIVATE

PARTS = schemas.components()
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.text(st.characters(codec="utf-8"), max_size=20)
)
LATER = st.dictionaries(
    st.sampled_from(["later_a", "later_b", "later_c"]),
    SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2),
    min_size=1,
    max_size=2,
)


def with_later(value: Any, schema: schemas.Schema, draw: Callable[[], dict[str, Any]]) -> Any:  # noqa: ANN401
    """A decoded message with fields of a newer version in each of its maps that has named fields."""
    variants = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    (inner,) = variants[0].get("allOf", variants[:1])
    if "$ref" in inner:
        inner = PARTS[inner["$ref"].removeprefix(schemas.REF)]
    if isinstance(value, dict):
        if "properties" not in inner:  # names are data: slots, tenders
            return {key: with_later(one, inner["additionalProperties"], draw) for key, one in value.items()}
        named = {key: with_later(one, inner["properties"][key], draw) for key, one in value.items()}
        return {**draw(), **named}
    if isinstance(value, list | tuple):
        items = inner["items"]
        each = items if isinstance(items, list) else [items] * len(value)
        return [with_later(one, of, draw) for one, of in zip(value, each, strict=True)]
    return value


def newer(kind: Kind, wire: bytes, draw: Callable[[], dict[str, Any]]) -> bytes:
    schema = PARTS[schemas.NAMES[kind.name]]
    value = kind.unpacked(wire)
    if isinstance(value, tuple):
        return codec.pack([with_later(record, schema, draw) for record in value])
    value = with_later(value, schema, draw)
    return json.dumps(value).encode() if kind.is_json else codec.pack(value)


GOLDEN = [(name, wire) for name, version, wire in golden.wires() if version == 1]
BY_NAME = {kind.name: kind for kind in KINDS}


@pytest.mark.parametrize(("name", "wire"), GOLDEN, ids=[name for name, _ in GOLDEN])
@given(data=st.data())
@settings(max_examples=5)
def test_every_message_is_read_as_if_they_were_not_there(name: str, wire: bytes, data: st.DataObject) -> None:
    kind = BY_NAME[name]
    told = newer(kind, wire, lambda: data.draw(LATER))
    assert told.count(b"later_")
    assert kind.decode(told) == kind.decode(wire)


# ---- a machine of today, and a cloud of tomorrow

SLOTS = (SlotSetting("A1", "cola", 10, 10), SlotSetting("B1", "milk", 8, 6))
ID = "ab" * 16


class Edge:
    """A machine that is switched on and connected."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        machine = Machine(
            {"A1": "cola", "B1": "milk"},
            "test",
            items={"A1": 1, "B1": 2},
            slots={slot.slot: slot for slot in SLOTS},
            groups={"fresh": ProductGroup(("B1",), "board", 0, 80, 600.0)},
        )
        prices = PriceList(version=0, currency="EUR", prices={"A1": 150, "B1": 90})
        authority = Authority(KEYS, own_clock=True)
        self.core = Core(journal, machine, SLOTS, prices, random.Random(1), 0.0, authority=authority)
        self.now_s = 1.0
        self.hear(ev.Booted(), Connected(session_present=False, max_packet_bytes=None))

    def hear(self, *events: Any) -> list[Command]:  # noqa: ANN401  # whatever the core takes
        said: list[Command] = []
        for event in events:
            self.now_s += 1.0
            now = Now(1_790_000_000 * NS + round(self.now_s * NS), self.now_s, "synced", "boot")
            said += self.core.handle(event, now)
        return said

    def told(self, draw: Callable[[], dict[str, Any]]) -> list[tuple[topics.Topic, bytes]]:
        """One message on each topic that comes down and has to do with sales, as that cloud says it."""
        times = [ns for seq in (1, 2) for ns in self.journal.times(self.journal.epoch, seq, seq)]
        epoch = self.journal.epoch
        plain = {
            topics.WATERMARK: Watermark(heard_ns=1, journals=(Mark(epoch=epoch, seq=1, at_ns=times[0]),)),
            topics.RECEIPT: Receipt(epoch=epoch, stored=((1, 2),), checks=(times[0] ^ times[1],)),
            topics.PRICES: PriceList(version=1, currency="EUR", prices={"A1": 160, "B1": 90}),
            topics.CONFIG: Config(
                version=1,
                slots={
                    "A1": PlannedSlot(product="water", capacity=12, par=9),
                    "B1": PlannedSlot(product="milk", capacity=8, par=6, group="fresh"),
                },
                tenders_off={"card": "no cards today"},
            ),
        }
        said = []
        for topic, message in plain.items():
            value = message.model_dump(mode="json" if topic.codec is topics.Codec.JSON else "python")
            value = with_later(value, PARTS[type(message).__name__], draw)
            said.append(
                (topic, json.dumps(value).encode() if topic.codec is topics.Codec.JSON else codec.pack(value))
            )
        return [*said, (topics.COMMAND, _command(draw))]


def _command(draw: Callable[[], dict[str, Any]]) -> bytes:
    """A lock of B1, signed as it is."""
    issued_ns = 1_790_000_000 * NS
    header = commands.Header(machine="m1", id=ID, issued_ns=issued_ns, expires_ns=issued_ns + 60 * NS)
    order = {**header.model_dump(), "action": commands.Lock(slot="B1", reason="broken").model_dump()}
    signed = codec.pack(with_later(order, PARTS["LockOrder"], draw))
    signature = PRIVATE["operator"].sign(commands.to_sign("operator", signed))
    envelope = commands.Envelope(key="operator", signed=signed, signature=signature).model_dump()
    return codec.pack(with_later(envelope, PARTS["Envelope"], draw))


def after(draw: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What has become of a machine that heard all of it, and messages on topics that it does not know."""
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal.db", "m1") as journal:
        edge = Edge(journal)
        said: list[Command] = []
        for name in ("mood", "wallet/update", "prices/next", "a/b/c"):
            said += edge.hear(Inbound(f"vend/v1/m1/{name}", codec.pack(draw())))
        for topic, payload in edge.told(draw):
            said += edge.hear(Inbound(topic.of("m1"), payload))
        return {
            "state": edge.core.state,
            "counts": journal.counts,
            "said": [command.topic for command in said if isinstance(command, Publish)],
            "refused": edge.core.desk.refused,
        }


NOTHING: dict[str, Any] = {}


@given(data=st.data())
@settings(max_examples=5)
def test_a_machine_of_today_does_what_a_cloud_of_tomorrow_wants(data: st.DataObject) -> None:
    today = after(lambda: NOTHING)
    assert today["state"].prices.version == 1
    assert today["state"].config.tenders_off == {"card": "no cards today"}
    assert today["counts"].stored >= 2
    assert not today["refused"]
    assert "B1" in str(today["state"].cabinet)
    later = after(lambda: data.draw(LATER))
    assert [what for what in today if later[what] != today[what]] == []
