"""What deploy/wheels.sh would find at an index: wheels that lend the packages of this Python."""

import hashlib
import re
import shlex
import shutil
import sys
import zipfile
from collections.abc import Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ABOUT = re.compile(r"[^/]+\.dist-info/WHEEL")  # and not of what a package brings with it
PARTS = ("pyproject.toml", "README.md", "LICENSE", "edge", "cloud", "shared", "deploy")


def wheel(folder: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """A wheel of these files, its list of them made anew."""
    (info,) = {path.split("/")[0] for path in files if _ABOUT.fullmatch(path)}
    record = f"{info}/RECORD"
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for file, data in sorted(files.items()):
            if file != record:
                archive.writestr(zipfile.ZipInfo(file), data)
        archive.writestr(zipfile.ZipInfo(record), "".join(f"{file},,\n" for file in [*files, record]))
    return path


def _lent(folder: Path, package: Distribution) -> Path:
    """Its name, version and needs; its modules stay where they are, and are found there."""
    names = ("METADATA", "WHEEL", "entry_points.txt")
    about = {name: text for name in names if (text := package.read_text(name))}
    info = f"{package.name.replace('-', '_')}-{package.version}.dist-info"
    files = {f"{info}/{name}": text.encode() for name, text in about.items()}
    files[f"{info.removesuffix('.dist-info')}.pth"] = f"{package.locate_file('')}\n".encode()
    tag = re.findall(r"^Tag: (.+)$", about["WHEEL"], re.MULTILINE)[-1].strip()
    return wheel(folder, f"{info.removesuffix('.dist-info')}-{tag}.whl", files)


def source_and_index(folder: Path, programs: tuple[str, ...] = ("edge",)) -> tuple[Path, Path]:
    """A copy of the project whose locks name the wheels of an index made here; and that index."""
    source, index = folder / "source", folder / "index"
    index.mkdir(parents=True)
    source.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=unwanted)
        else:
            shutil.copy(ROOT / part, source / part)
    for program in ("build", *programs):
        lock = source / f"deploy/locks/{program}.lock"
        text = []
        for block in re.split(r"\n(?=\S)", lock.read_text().strip()):
            first = block.splitlines()[0].rstrip(" \\")
            try:
                made = _lent(index, distribution(first.split("==")[0]))
            except PackageNotFoundError:
                assert " ; " in first, f"{first} is not installed here"
                text.append(block)  # not for this computer
            else:
                text.append(f"{first} \\\n    --hash=sha256:{hashlib.sha256(made.read_bytes()).hexdigest()}")
        lock.write_text("\n".join(text) + "\n")
    return source, index


def quick_python(folder: Path) -> Path:
    """This Python, whose `-m venv` borrows pip instead of unpacking it for three seconds."""
    pip = Path(str(distribution("pip").locate_file("pip")))
    (folder / "pip").mkdir()
    (folder / "pip" / "pip").symlink_to(pip)
    program = folder / "python"
    python, lent = shlex.quote(str(Path(sys.executable).resolve())), shlex.quote(str(folder / "pip"))
    program.write_text(
        "#!/bin/sh\n"
        f'[ "$1 $2" = "-m venv" ] || exec {python} "$@"\n'
        f'{python} -m venv --without-pip "$3"\n'
        f'for site in "$3"/lib/python*/site-packages; do echo {lent} >"$site/pip.pth"; done\n'
    )
    program.chmod(0o755)
    return program
