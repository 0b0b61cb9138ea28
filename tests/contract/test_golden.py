"""The bytes on the wire, of every kind and version that was ever sent: they lie in journals for years."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.contract import golden
from deploy.contract.golden import files, wires
from deploy.contract.kinds import KINDS, Kind

BY_NAME = {kind.name: kind for kind in KINDS}
HOW = "python -m deploy.contract.golden writes what is missing"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_its_bytes(kind: Kind) -> None:
    assert [name for name in files(kind) if not (golden.FOLDER / name).exists()] == [], HOW


def test_every_file_belongs_to_a_kind_that_was_ever_sent() -> None:
    named = {f"{name}.v{version}{end}" for name, version, _ in wires() for end in (".json", ".msgpack.hex")}
    assert {path.name for path in golden.FOLDER.iterdir()} <= named
    assert {name for name, _, _ in wires()} == BY_NAME.keys(), "a kind that was ever sent is read for ever"


@pytest.mark.parametrize(("name", "version", "wire"), wires(), ids=lambda value: str(value)[:24])
def test_bytes_of_every_version_are_read(name: str, version: int, wire: bytes) -> None:
    kind = BY_NAME[name]
    if version == kind.version:
        assert kind.decode(wire) == kind.example
    else:
        kind.decode(wire)


def holds(new: object, old: object) -> bool:
    """Whether everything of the old one is in the new one, which may have fields that were added."""
    if isinstance(old, Mapping):
        return isinstance(new, Mapping) and all(k in new and holds(new[k], v) for k, v in old.items())
    if isinstance(old, tuple | list):
        return isinstance(new, type(old)) and len(new) == len(old) and all(map(holds, new, old))
    return type(new) is type(old) and new == old


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_sent_are_these_bytes(kind: Kind) -> None:
    """Beside fields that were added since."""
    (before,) = (wire for name, version, wire in wires() if (name, version) == (kind.name, kind.version))
    wire = kind.encode()
    assert kind.encode() == wire, "the same value is never two rows of bytes"
    old, new = (kind.unpacked(data) for data in (before, wire))
    assert holds(new, old)
    assert new != old or wire == before


def test_what_people_read_is_what_the_bytes_say() -> None:
    for kind in KINDS:
        written = {name: (golden.FOLDER / name).read_text() for name in files(kind)}
        if kind.encode() in {wire for name, _, wire in wires() if name == kind.name}:
            assert written == files(kind)


def test_what_is_there_is_never_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    (tmp_path / "sale.v1.json").write_text("mine")
    golden.main()
    assert (tmp_path / "sale.v1.json").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == len({name for kind in KINDS for name in files(kind)})


def everything(value: Any) -> list[Any]:  # noqa: ANN401  # decoded wire
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple | list) else ()
    return [value, *(found for one in inner for found in everything(one))]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_float_is_on_the_wire_but_temperatures(kind: Kind) -> None:
    floats = [value for value in everything(kind.unpacked(kind.encode())) if isinstance(value, float)]
    assert floats == ([4.5] if kind.name == "health" else [])
