"""The Dockerfile without Docker: its rules, and the commands of its build run here."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from cloud.config import CloudSettings
from shared.settings import load
from tests.deploy.plain_yaml import parse
from tests.deploy.wheelhouse import quick_python, source_and_index

FOLDER = Path(__file__).parents[2] / "deploy"
STEPS = [
    (word, " ".join(rest.split()))
    for word, rest in re.findall(
        r"^([A-Z]+) ((?:.*\\\n)*.*)$",
        re.sub(r"^#.*\n", "", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE).replace(
            "\\\n", "\\\n"
        ),
        re.MULTILINE,
    )
]


def _all(word: str) -> list[str]:
    return [rest.replace("\\ ", "") for found, rest in STEPS if found == word]


def test_its_rules() -> None:
    for image in _all("FROM"):
        assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-bookworm( AS [a-z]+)?", image), "pinned, slim"
    assert len({image.split()[0] for image in _all("FROM")}) == 1
    last = [word for word, _ in STEPS].index("USER")
    assert _all("USER") == ["10001:10001"]
    assert "RUN" not in [word for word, _ in STEPS[last:]]
    assert "ADD" not in [word for word, _ in STEPS]
    for command in _all("RUN"):
        for install in re.findall(r"pip (?:install|download) [^&]*", command):
            assert "--require-hashes" in install or "--no-index" in install, install
        assert "curl" not in command
        assert "apt-get" not in command


def test_it_copies_what_is_there_and_no_more_is_sent() -> None:
    sent = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert sent[0] == "*"
    allowed = {line.removeprefix("!") for line in sent if line.startswith("!")}
    copied = {
        source for line in _all("COPY") if not line.startswith("--from") for source in line.split()[:-1]
    }
    assert copied == allowed
    assert all((FOLDER.parent / source).exists() for source in copied)


def test_health_is_asked_where_it_answers() -> None:
    (check,) = _all("HEALTHCHECK")
    command = json.loads(check.partition("CMD ")[2])
    listen = load(CloudSettings, FOLDER / "compose/cloud.toml").health.listen
    assert f"http://{listen}/ready" in command[-1]
    composed = parse((FOLDER / "compose.yaml").read_text())
    assert composed["services"]["cloud"]["healthcheck"]["test"] == ["CMD", *command]


def test_its_folders_are_those_that_are_mounted() -> None:
    """With an owner: a volume takes it over when it is first used."""
    composed = parse((FOLDER / "compose.yaml").read_text())
    mounts = [*composed["services"]["setup"]["volumes"], *composed["services"]["dashboards"]["volumes"]]
    places = {volume.split(":")[1] for volume in mounts if volume[0] != "."}
    made = set(re.findall(r"(?<= )/[a-z/-]+", " ".join(re.findall(r"install -d [^&]*", _all("RUN")[-1]))))
    assert made == places


def _build() -> Iterator[str]:
    """The commands of the first stage."""
    for word, rest in STEPS[: [word for word, _ in STEPS].index("USER")]:
        if word == "RUN" and "useradd" not in rest:
            yield rest.replace("\\ ", "")


def test_the_build_works_here(tmp_path: Path) -> None:
    source, index = source_and_index(tmp_path, ("cloud",))
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").symlink_to(quick_python(tmp_path))
    moved = {
        "/opt/vendlink": f"{tmp_path}/opt/vendlink",
        "/build": f"{tmp_path}/build",
        "/wheels": f"{tmp_path}/wheels",
    }
    for command in _build():
        here = re.sub("|".join(f"(?<![\\w.]){place}" for place in moved), lambda m: moved[m[0]], command)
        done = subprocess.run(
            ["sh", "-c", here],
            cwd=source,
            env={
                **os.environ,
                "PATH": f"{programs}:{os.environ['PATH']}",
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": str(index),
                "PIP_NO_COMPILE": "1",
                "PIP_QUIET": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"vend-cloud, version \d+\.\d+\.\d+\n", done.stdout)
