"""The sample settings say all of the settings, and the truth about them."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cloud.config import CloudSettings
from cloud.wanted.file import read
from cloud.wanted.plan import PlannedSchedule, Scope
from edge.config import EdgeSettings
from shared.messages import PlannedSlot
from shared.settings import Section, Settings, load

FOLDER = Path(__file__).parents[2] / "deploy/samples"
SAMPLES: list[tuple[str, type[Settings]]] = [("edge.toml", EdgeSettings), ("cloud.toml", CloudSettings)]
OFF = re.compile(r"^#(?=\S)", re.MULTILINE)  # a setting that is commented out; prose has a space
LINE = re.compile(r"#?(?:\[+(?P<table>[a-z.]+)\]+|(?P<key>[a-z_]+) = .+)")

Fields = dict[str, FieldInfo]


def _section(annotation: object) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section(part))), None)


def _fields(model: type[BaseModel], table: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """The settings by the names that they have in the file; sections by their own settings."""
    for name, field in model.model_fields.items():
        section = _section(field.annotation)
        if section is None:
            yield table + name, field
        else:
            yield from _fields(section, f"{table}{name}.")


def _keys(table: object, name: str = "") -> set[str]:
    match table:
        case dict():
            return set().union(*(_keys(value, f"{name}.{key}") for key, value in table.items()))
        case [dict(), *_]:
            return set().union(*(_keys(row, name) for row in table))
        case _:
            return {name.removeprefix(".")}


def _explained(text: str) -> dict[str, str]:
    """What stands above each setting where it is named first; settings that follow each other share it."""
    found: dict[str, str] = {}
    table, prose = "", ""
    for before, line in zip(["", *text.splitlines()], text.splitlines(), strict=False):
        if match := LINE.fullmatch(line):
            if match["table"]:
                table = match["table"] + "."
            else:
                found.setdefault(table + match["key"], prose)
        elif line.startswith("# "):
            prose = f"{prose}\n{line}" if before.startswith("# ") else line
        elif not line:
            prose = ""
        else:
            assert line == "#", line
    return found


def _said(field: FieldInfo) -> str:
    default = field.default
    if default is PydanticUndefined:
        return "# Required"
    return f"# Default: {'none' if default is None else json.dumps(default, default=str)}"


def _load(model: type[Settings], folder: Path, text: str) -> Settings:
    path = folder / "settings.toml"
    path.write_text(text)
    return load(model, path)


@pytest.mark.parametrize(("name", "model"), SAMPLES)
def test_a_sample_loads(name: str, model: type[Settings]) -> None:
    load(model, FOLDER / name)


@pytest.mark.parametrize(("name", "model"), SAMPLES)
def test_a_sample_has_every_setting_and_loads_with_all(
    name: str, model: type[Settings], tmp_path: Path
) -> None:
    everything = OFF.sub("", (FOLDER / name).read_text())
    assert _keys(tomllib.loads(everything)) == {key for key, _ in _fields(model)}
    _load(model, tmp_path, everything)


@pytest.mark.parametrize(("name", "model"), SAMPLES)
def test_a_setting_can_be_set_by_itself(name: str, model: type[Settings], tmp_path: Path) -> None:
    text = (FOLDER / name).read_text()
    alone = 0
    needs_another = {"door_input"}  # an input that is free
    for part in re.split(r"^(?=#?\[)", text, flags=re.MULTILINE):
        if part.startswith("#["):
            continue  # a table with required settings: all or nothing
        for off in OFF.finditer(part):
            on = part[: off.start()] + part[off.end() :]
            if re.match(r"\w+", part[off.end() :])[0] not in needs_another:  # type: ignore[index]
                _load(model, tmp_path, text.replace(part, on))
                alone += 1
    assert alone > 10


@pytest.mark.parametrize(("name", "model"), SAMPLES)
def test_what_a_sample_says_of_each_default(name: str, model: type[Settings]) -> None:
    explained = _explained((FOLDER / name).read_text())
    wrong = {
        key: _said(field)
        for key, field in _fields(model)
        if not re.search(rf"^{re.escape(_said(field))}(?:[.,] |[.,]$| in )", explained[key], re.MULTILINE)
    }
    assert wrong == {}


@pytest.mark.parametrize(("name", "model"), SAMPLES)
def test_only_what_has_a_default_is_commented_out(name: str, model: type[Settings]) -> None:
    """Or stands in a table that is."""
    tables = {"groups", "mqtt.tls", "commands.keys"}
    on = _keys(tomllib.loads((FOLDER / name).read_text()))
    required = {key for key, field in _fields(model) if field.is_required()}
    assert on == {key for key in required if key.rpartition(".")[0] not in tables}


# ---- the plan: names are people's, so amounts have no _minor


@pytest.mark.parametrize("model", [Scope, PlannedSchedule, PlannedSlot], ids=lambda model: model.__name__)
def test_the_plan_has_every_key_set_or_said(model: type[BaseModel]) -> None:
    """What the sample says in a comment is a line that could be set."""
    text = (FOLDER / "plan.toml").read_text()
    people = {"largest_note_minor": "largest_note", "step_minor": "round_down_to"}
    names = {people.get(name, name) for name in model.model_fields}
    said = {name for name in names if re.search(rf"(?:\b{name} = |[.\[]{name}\]|`{name}`)", text)}
    assert names - said == set()


@pytest.mark.parametrize(
    ("comment", "behind"),
    [
        ('card_slot_prices = { A2 = "0.95" }', "[machines.lobby-1]\n"),
        ('tenders_on = ["card"]', "[machines.lobby-1]\n"),
        ('tenders = ["cash"]', "percent_off = 20\n"),
    ],
)
def test_what_the_plan_says_in_a_comment_can_be_set(comment: str, behind: str, tmp_path: Path) -> None:
    text = (FOLDER / "plan.toml").read_text()
    assert comment in text
    assert behind in text
    path = tmp_path / "plan.toml"
    path.write_text(text.replace(behind, f"{behind}{comment}\n"))
    read(path)
