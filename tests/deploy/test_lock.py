"""The set-up installs a package only if it is the one that the lock names, byte for byte (T23)."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "deploy" / "setup" / "venv.sh"
FILES = {
    "parcel.py": "",
    "parcel-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: parcel\nVersion: 1.0\n",
    "parcel-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "parcel-1.0.dist-info/RECORD": "",
}


@pytest.mark.parametrize("genuine", [True, False], ids=["genuine", "tampered with"])
def test_only_what_the_lock_names_is_installed(tmp_path: Path, *, genuine: bool) -> None:
    wheel = tmp_path / "parcel-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (tmp_path / "requirements.lock").write_text(f"parcel==1.0 \\\n    --hash=sha256:{digest}\n")
    if not genuine:
        with zipfile.ZipFile(wheel, "a") as archive:
            archive.writestr("more.py", "")
    done = subprocess.run(
        ["sh", str(SETUP)],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    installed = [path.name for path in tmp_path.glob(".venv/lib/python*/site-packages/*.py")]
    assert ("parcel.py" in installed) is genuine
    assert done.returncode != 0, "in either case there is no project here to install"
    assert ("DO NOT MATCH THE HASHES" in done.stderr) is not genuine
