"""install-edge.sh, for real, into a folder: first, again, another version, and what it says if it cannot."""

import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from edge.config import EdgeSettings
from shared.settings import load
from tests.deploy.sandbox import settings as settings_of
from tests.deploy.wheelhouse import ROOT, quick_python, source_and_index, wheel

NOBODY = 65_534


@dataclass(frozen=True)
class Place:
    source: Path
    index: Path
    python: Path

    def run(self, script: str, *words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index), "PIP_NO_COMPILE": "1"}
        return subprocess.run(
            ["sh", str(self.source / "deploy" / script), *map(str, words)],
            env={**os.environ, **offline, "PYTHON": str(self.python), **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(*source_and_index(tmp_path), quick_python(tmp_path))


def _tree(root: Path) -> dict[str, tuple[int, int, str]]:
    """All files but those of Python packages: mode, time, target."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode,
            0 if path.is_dir() else path.lstat().st_mtime_ns,
            str(path.readlink()) if path.is_symlink() else "",
        )
        for path in root.rglob("*")
        if "site-packages" not in path.parts and "__pycache__" not in path.parts
        and path.name not in {".pwd.lock", "vend-edge", "vend-edge.service", "vendlink-edge.conf", "current"}
    }  # fmt: skip


def _other_version(wheels: Path, to: Path, *, genuine: bool) -> None:
    """Version 0.2.0; or packages that the lock does not name."""
    shutil.copytree(wheels, to)
    (old,) = to.glob("vendlink-*.whl")
    with zipfile.ZipFile(old) as archive:
        files = {name.replace("0.1.0", "0.2.0"): archive.read(name) for name in archive.namelist()}
    info = "vendlink-0.2.0.dist-info/METADATA"
    files[info] = files[info].replace(b"Version: 0.1.0", b"Version: 0.2.0")
    wheel(to, "vendlink-0.2.0-py3-none-any.whl", files)
    old.unlink()
    if not genuine:
        with zipfile.ZipFile(next(to.glob("click-*.whl")), "a") as archive:
            archive.writestr("more.py", "")


def _version(root: Path) -> str:
    """As the program itself says it."""
    folder = root / "opt/vendlink/edge/current/bin"
    script = (folder / "vend-edge").read_text()
    assert script.startswith("#!/opt/vendlink/edge/"), (
        "it runs where it is going to be, not where it was made"
    )
    done = subprocess.run(
        [folder / "python", folder / "vend-edge", "--version"], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[-1]


def test_installed_again_and_brought_to_another_version(place: Place, tmp_path: Path) -> None:
    wheels, root = tmp_path / "wheels", tmp_path / "root"
    root.mkdir()
    made = place.run("wheels.sh", "edge", wheels)
    assert made.returncode == 0, made.stderr
    no_network = {"PIP_FIND_LINKS": "/nowhere"}

    first = place.run("install-edge.sh", "--wheels", wheels, "--root", root, **no_network)
    assert first.returncode == 0, first.stderr
    assert "next: write what this machine is" in first.stderr
    assert _version(root) == "0.1.0"
    settings = root / "etc/vendlink/edge.toml"
    assert settings.read_text() == (ROOT / "deploy/samples/edge.toml").read_text()
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    state = root / "var/lib/vendlink"
    assert stat.S_IMODE(state.stat().st_mode) == 0o750
    assert state == root / load(EdgeSettings, settings).data_dir.relative_to("/")
    program = settings_of(root / "etc/systemd/system/vend-edge.service")["ExecStart"][0].split()[0]
    assert (root / program.removeprefix("/")).exists()
    wanted = root / "etc/systemd/system/multi-user.target.wants/vend-edge.service"
    assert wanted.readlink() == Path("/etc/systemd/system/vend-edge.service")
    if os.geteuid() == 0:
        assert re.search(r"^dialout:.*vend-edge$", (root / "etc/group").read_text(), re.MULTILINE)
        user = re.search(r"^vend-edge:x:(\d+):", (root / "etc/passwd").read_text(), re.MULTILINE)
        assert user
        assert state.stat().st_uid == int(user[1])
    before = _tree(root)

    again = place.run("install-edge.sh", "--wheels", wheels, "--root", root, **no_network)
    assert again.returncode == 0, again.stderr
    assert "placing" not in again.stderr
    assert "next" not in again.stderr
    assert _tree(root) == before

    settings.write_text("# mine\n")
    (state / "journal.db").write_text("sales")
    _other_version(wheels, tmp_path / "bad", genuine=False)
    bad = place.run("install-edge.sh", "--wheels", tmp_path / "bad", "--root", root, **no_network)
    assert bad.returncode == 1
    assert "DO NOT MATCH THE HASHES" in bad.stderr
    assert "nothing was changed over" in bad.stderr
    assert _version(root) == "0.1.0"

    _other_version(wheels, tmp_path / "good", genuine=True)
    new = place.run("install-edge.sh", "--wheels", tmp_path / "good", "--root", root, **no_network)
    assert new.returncode == 0, new.stderr
    assert "next, when nobody buys: systemctl restart vend-edge" in new.stderr
    assert _version(root) == "0.2.0"
    assert (settings.read_text(), (state / "journal.db").read_text()) == ("# mine\n", "sales")
    assert len(list(root.glob("opt/vendlink/edge/*-????????"))) == 2, "the one before stays to go back to"
    checked = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--root={root}", "vend-edge.service"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Overall exposure level" in checked.stdout, checked.stderr


def _said(place: Place, script: str, *words: str | Path, **more: str) -> str:
    done = place.run(script, *words, **more)
    assert done.returncode, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def bare(tmp_path: Path) -> Place:
    """Where it never comes to packages."""
    return Place(ROOT, tmp_path, quick_python(tmp_path))


def test_what_it_says_when_it_cannot(bare: Place, tmp_path: Path) -> None:
    root = ("--root", tmp_path)
    old = tmp_path / "old"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2\nexit 1\n')
    old.chmod(0o755)
    assert "Python 3.9.2 is too old; 3.11 or newer" in _said(bare, "install-edge.sh", *root, PYTHON=str(old))
    assert "there is no /no/python" in _said(bare, "install-edge.sh", *root, PYTHON="/no/python")
    (tmp_path / "empty").mkdir()
    empty = _said(bare, "install-edge.sh", *root, "--wheels", tmp_path / "empty")
    assert "is not what `sh deploy/wheels.sh edge DIR` makes" in empty
    assert "there is no such folder" in _said(bare, "install-edge.sh", "--wheels", "/no/wheels", *root)
    assert "usage" in _said(bare, "install-edge.sh", "--help")
    assert "name a new folder" in _said(bare, "wheels.sh", "edge", tmp_path)
    assert "say what for" in _said(bare, "wheels.sh", "everything", tmp_path / "new")
    assert not (tmp_path / "etc").exists()


def test_only_root_installs_into_a_computer(tmp_path: Path) -> None:
    """As somebody else, whoever runs the tests; from a copy that he may read."""
    script = (ROOT / "deploy/setup/install.sh").read_text() + "\ncheck\n"
    done = subprocess.run(
        ["sh", "-c", f"set -eu\nprogram=edge\n{script}", "install-edge.sh"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        user=NOBODY if os.geteuid() == 0 else None,
        env={"PATH": os.environ["PATH"], "TMPDIR": "/tmp"},
    )
    assert done.returncode == 1
    assert "only root can install; say: sudo sh install-edge.sh" in done.stderr


# ---- what wheels.sh takes from the lock


def _blocks(lock: Path) -> dict[str, str]:
    blocks = re.split(r"\n(?=\S)", lock.read_text().strip())
    return {block.split("==")[0]: block for block in blocks}


def _needed(extra: str) -> set[str]:
    """Everything that vendlink[extra] needs on this computer, by the packages' own word."""
    todo, found = [Requirement(f"vendlink[{extra}]")], set()
    while todo:
        one = todo.pop()
        for text in requires(one.name) or ():
            more = Requirement(text)
            extras = one.extras or {""}
            if more.marker is None or any(more.marker.evaluate({"extra": e}) for e in extras):
                name = re.sub(r"[-_.]+", "-", more.name).lower()
                if name not in found:
                    found.add(name)
                    todo.append(more)
    return found


@pytest.mark.parametrize("program", ["edge", "cloud"])
def test_a_program_gets_all_that_it_needs_as_the_lock_has_it(program: str) -> None:
    whole, part = _blocks(ROOT / "requirements.lock"), _blocks(ROOT / f"deploy/locks/{program}.lock")
    assert {name: whole.get(name) for name in part} == part
    assert _needed(program) <= part.keys()
    assert not {"pytest", "mypy", "ruff"} & part.keys()


def test_the_builder_is_the_locks() -> None:
    build = _blocks(ROOT / "deploy/locks/build.lock")
    assert build == {"setuptools": _blocks(ROOT / "requirements.lock")["setuptools"]}
    assert "setuptools" in packages_distributions()


# ---- the cloud's script: the same version folders, other files


_STUB = """#!/bin/sh
[ "$1 $2" = "-m venv" ] || exec {python} "$@"
mkdir -p "$3/bin"
printf '#!/bin/sh\\n' >"$3/bin/python"
printf '#!/opt/x\\n' >"$3/bin/vend-cloud"
chmod 755 "$3/bin/python"
"""


def test_the_cloud_as_services(bare: Place, tmp_path: Path) -> None:
    """With a venv that takes everything: its packages are those of the image (test_dockerfile.py)."""
    python, wheels, root = tmp_path / "stub", tmp_path / "wheels", tmp_path / "root"
    python.write_text(_STUB.format(python=sys.executable))
    python.chmod(0o755)
    wheels.mkdir()
    root.mkdir()
    for name in ("vendlink-0.1.0-py3-none-any.whl", "cloud.lock"):
        (wheels / name).touch()
    words = ("--wheels", wheels, "--root", root)
    first = bare.run("install-cloud.sh", *words, PYTHON=str(python))
    assert first.returncode == 0, first.stderr
    assert "next: /etc/vendlink/cloud.toml" in first.stderr
    enabled = {path.name for path in (root / "etc/systemd/system/multi-user.target.wants").iterdir()}
    assert enabled == {"vend-cloud.service", "vend-broker-reload.path"}
    placed = {path.name for path in (root / "etc/systemd/system").iterdir() if path.is_file()}
    units = {
        path.name for path in (ROOT / "deploy/systemd").iterdir() if path.suffix in {".service", ".path"}
    }
    assert placed == units - {"vend-edge.service"}
    for unit in units - {"vend-edge.service", "vend-broker-reload.service", "vend-broker-reload.path"}:
        program = settings_of(root / "etc/systemd/system" / unit)["ExecStart"][0].split()[0]
        assert (root / program.removeprefix("/")).exists()
    settings = root / "etc/vendlink/cloud.toml"
    settings.write_text("# mine\n")
    again = bare.run("install-cloud.sh", *words, PYTHON=str(python))
    assert (again.returncode, "next" in again.stderr) == (0, False)
    assert settings.read_text() == "# mine\n"
    assert "/etc/vendlink" in (root / "usr/lib/tmpfiles.d/vendlink-cloud.conf").read_text()
