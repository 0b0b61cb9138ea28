"""The dashboards have the types of `@grafana/schema`, options of panels included: `tsc --strict` says so.

Skipped where npm or its registry is not to be had; test_files.py checks the shapes everywhere. Nothing that
npm fetches stays: it works in a copy.
"""

import json
import subprocess
from pathlib import Path
from typing import Final

import pytest

from deploy.grafana.files import files
from deploy.grafana.rows import Look
from tests.npm import LIMIT_S, installed

FOLDER: Final = Path(__file__).parent / "types"
_OPTIONS: Final = {
    "stat": "StatPanelCfg",
    "bargauge": "BarGaugePanelCfg",
    "table": "TablePanelCfg",
    "timeseries": "TimeSeriesPanelCfg",
}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(FOLDER, tmp_path_factory.mktemp("types") / "copy")


def checked(folder: Path) -> str:
    """What the compiler has to say; nothing is well."""
    done = subprocess.run(
        [folder / "node_modules/.bin/tsc", "--noEmit", "--strict", "--project", folder],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return done.stdout + done.stderr


def typed(text: str) -> str:
    """A dashboard as a typed constant, and the options of each of its panels."""
    lines = ['import type { Dashboard } from "@grafana/schema";']
    lines.append('import type { Plain } from "./plain";')
    panels = json.loads(text)["panels"]
    for kind in sorted({panel["type"] for panel in panels}):
        name = _OPTIONS[kind]
        lines.append(
            f"import type {{ Options as {name} }} from "
            f'"@grafana/schema/dist/esm/raw/composable/{kind}/panelcfg/x/{name}_types.gen";'
        )
    lines.append(f"export const board: Plain<Dashboard> = {text.rstrip()};")
    for number, panel in enumerate(panels):
        options = json.dumps(panel["options"])
        lines.append(f"export const options{number}: Plain<{_OPTIONS[panel['type']]}> = {options};")
    return "\n".join(lines) + "\n"


def test_the_dashboards_are_what_grafana_declares(copied: Path) -> None:
    """types/wrong.ts is compiled with them: its mistakes have to be seen."""
    boards = {path: text for path, text in files(Look()).items() if path.startswith("boards/")}
    assert len(boards) == 7
    for path, text in boards.items():
        (copied / Path(path).with_suffix(".ts").name).write_text(typed(text))
    assert checked(copied) == ""


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    fetched = [one for name, one in lock["packages"].items() if name]
    assert all(one["integrity"].startswith("sha512-") and "resolved" not in one for one in fetched)
    assert "://" not in (FOLDER / "package-lock.json").read_text()
