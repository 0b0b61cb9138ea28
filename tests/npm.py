"""Packages of npm, for tests alone: by their hashes, into a copy, so that nothing that is fetched stays."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

LIMIT_S: Final = 100
_NO_REGISTRY: Final = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|E40[34]|ENOTCACHED")


def installed(folder: Path, copy: Path) -> Path:
    """A copy of the folder with what its package-lock.json names.

    Skips the test where npm or its registry is not to be had.
    """
    shutil.copytree(folder, copy)
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    done = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund"],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode and _NO_REGISTRY.search(done.stderr):
        pytest.skip("npm's registry cannot be reached")
    assert done.returncode == 0, done.stderr
    return copy
