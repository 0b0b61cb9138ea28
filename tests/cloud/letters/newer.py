"""A machine of the next version, and the upgrade that teaches this cloud to read it."""

from functools import cache
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, TypeAdapter

from cloud import batch, points
from deploy.contract import golden
from shared import codec, records
from shared.fields import Frozen
from tests.cloud.records import EPOCH, START_NS


class Mood(Frozen):
    """A kind that nobody knows today."""

    kind: Literal["mood"] = "mood"
    face: Literal["happy", "sad"]
    volume: int


def of(name: str, machine: str, seq: int, **changes: object) -> dict[str, Any]:
    """A record as its golden bytes have it, under another name."""
    named = {"machine": machine, "epoch": EPOCH, "seq": seq, "at_ns": START_NS + seq * 1_000_000}
    return {**_golden()[name], **named, **changes}


@cache
def _golden() -> dict[str, dict[str, Any]]:
    wires: dict[str, Any] = {name: wire for name, version, wire in golden.wires() if version == 1}
    return {name: codec.unpack(wires[name])[0] for name in ("sale", "door")}  # type: ignore[index]


def mood(machine: str, seq: int) -> dict[str, Any]:
    header = {key: of("door", machine, seq)[key] for key in records.Header.model_fields}
    return {**header, "kind": "mood", "face": "happy", "volume": seq, "later": {"kept": True}}


def upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next version knows the kind, and schema version 2 of all kinds, whose difference is a field."""
    body = Annotated[records.Body | Mood, Field(discriminator="kind")]
    monkeypatch.setattr(records, "_BODY", TypeAdapter(body))
    monkeypatch.setitem(points.MEASUREMENTS, "mood", points.Row(("face", "volume")))
    parse_1 = records.parse_record

    def parse(raw: object) -> records.Record:
        is_2 = isinstance(raw, dict) and raw.get("v") == 2
        return parse_1({**raw, "v": 1} if is_2 else raw)  # type: ignore[dict-item]

    monkeypatch.setattr(batch, "parse_record", parse)
