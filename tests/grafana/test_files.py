"""The provisioning files: printed from the tables, of the shape that Grafana reads, without secrets."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from deploy.grafana import page
from deploy.grafana.__main__ import main
from deploy.grafana.build import SOURCE
from deploy.grafana.files import files
from deploy.grafana.rows import Look
from tests.grafana import shapes_of_files
from tests.grafana.shapes import Shape
from tests.grafana.shapes_of_boards import Dashboard

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "deploy/grafana/provisioning"
FILES: Final = files(Look())
SHAPES: Final[dict[str, type[Shape]]] = {
    "datasources/vendlink.yaml": shapes_of_files.SourceFile,
    "dashboards/vendlink.yaml": shapes_of_files.ProviderFile,
    "alerting/rules.yaml": shapes_of_files.RulesFile,
    "alerting/contact-points.yaml": shapes_of_files.ContactPointsFile,
    "alerting/policies.yaml": shapes_of_files.PoliciesFile,
}


def content(path: str) -> dict[str, Any]:
    """JSON is YAML; the one comment is the first line."""
    found: dict[str, Any] = (
        json.loads(FILES[path].removeprefix("# ").partition("\n")[2])
        if (path.endswith(".yaml"))
        else json.loads(FILES[path])
    )
    return found


def test_the_files_in_the_repository_are_those_of_the_tables() -> None:
    there = {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*") if path.is_file()}
    assert there == FILES, "python -m deploy.grafana --out deploy/grafana/provisioning"


def test_the_page_is_the_tables() -> None:
    assert (ROOT / "docs/grafana.md").read_text() == page.text(), (
        "python -m deploy.grafana.page > docs/grafana.md"
    )


@pytest.mark.parametrize("path", list(FILES))
def test_a_file_has_the_shape_that_grafana_reads(path: str) -> None:
    SHAPES.get(path, Dashboard).model_validate_json(json.dumps(content(path)))
    assert set(SHAPES) <= set(FILES)


def test_a_shape_takes_no_field_that_grafana_does_not_know() -> None:
    board = content("boards/vend-today.json")
    first: dict[str, Any] = board["panels"][0]
    for place, name, value in (
        (first, "gridpos", {}),
        (first["fieldConfig"]["defaults"], "unti", "s"),
        (board, "schemaVersion", "41"),
        (first, "type", "graph"),
    ):
        kept = dict(place)
        place[name] = value
        with pytest.raises(ValidationError):
            Dashboard.model_validate_json(json.dumps(board))
        place.clear()
        place.update(kept)
    Dashboard.model_validate_json(json.dumps(board))


@pytest.mark.parametrize("path", [path for path in FILES if path.startswith("boards/")])
def test_panels_fill_lines_from_the_top_and_numbers_come_first(path: str) -> None:
    panels = content(path)["panels"]
    places = [(panel["gridPos"]["y"], panel["gridPos"]["x"]) for panel in panels]
    assert places == sorted(places)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        pos = panel["gridPos"]
        cells = {
            (x, y) for x in range(pos["x"], pos["x"] + pos["w"]) for y in range(pos["y"], pos["y"] + pos["h"])
        }
        assert pos["x"] + pos["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert panels[0]["type"] == "stat"
    assert len({panel["title"] for panel in panels}) == len(panels)


def test_a_money_panel_names_its_currency() -> None:
    for path in FILES:
        if path.startswith("boards/"):
            for panel in content(path)["panels"]:
                has_money = any("_minor" in target["query"] for target in panel["targets"])
                named = "($currency)" in panel["title"] or panel["title"] == "Now"
                assert not has_money or named, panel["title"]


def test_every_dashboard_uses_the_source_that_is_provisioned() -> None:
    (source,) = content("datasources/vendlink.yaml")["datasources"]
    assert {"type": source["type"], "uid": source["uid"]} == SOURCE
    (provider,) = content("dashboards/vendlink.yaml")["providers"]
    assert provider["options"]["path"] == "/etc/grafana/provisioning/boards"


def test_every_variable_of_the_environment_is_in_the_page_and_nothing_secret_is_in_a_file() -> None:
    named = {name for text in FILES.values() for name in re.findall(r"\$\{(VEND_\w+)\}", text)}
    listed = re.findall(r"^\| `(VEND_\w+)` \|", page.text(), re.MULTILINE)
    assert sorted(named) == sorted(listed)
    assert not re.search(r"https?://", "".join(FILES.values()))


def test_a_link_of_a_machine_leads_to_one_machine() -> None:
    links = [
        prop["value"][0]["url"]
        for path in FILES
        if path.startswith("boards/")
        for panel in content(path)["panels"]
        for override in panel["fieldConfig"]["overrides"]
        for prop in override["properties"]
        if prop["id"] == "links"
    ]
    assert len(links) > 5
    assert set(links) == {"/d/vend-machine/one-machine?var-machine=${__value.raw}&${__url_time_range}"}


def test_the_command_writes_the_files_and_knows_zones(tmp_path: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(main, ["--out", str(tmp_path / "new"), "--zone", "Asia/Kolkata", "--digits", "0"])
    assert done.exit_code == 0
    written = {str(p.relative_to(tmp_path / "new")): p.read_text() for p in (tmp_path / "new").rglob("*.*")}
    assert written == files(Look("Asia/Kolkata", 0))
    wrong = runner.invoke(main, ["--out", str(tmp_path), "--zone", "Mars/Base"])
    assert wrong.exit_code == 2
    assert "try Europe/Berlin" in wrong.stderr
    (tmp_path / "file").write_text("")
    refused = runner.invoke(main, ["--out", str(tmp_path / "file")])
    assert refused.exit_code == 1
    assert "name another folder" in refused.stderr
