"""The transcripts beside this file are the tests: played again, they must come out as they stand.

`VEND_TEST_REWRITE=1` writes what came out into the files; the difference is then for a person to judge.
"""

import os
from pathlib import Path

import pytest

from tests.scenarios.script import Script

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))


@pytest.mark.parametrize("name", NAMES)
def test_transcript(tmp_path: Path, name: str) -> None:
    path = FOLDER / f"{name}.txt"
    text = path.read_text(encoding="utf-8")
    with Script(tmp_path) as script:
        played = script.play(text)
    if "VEND_TEST_REWRITE" in os.environ:
        path.write_text(played, encoding="utf-8")
    else:
        assert played == text
