"""The contract's document is valid by the schema that the AsyncAPI initiative publishes.

Skipped where npm or its registry is not to be had; test_asyncapi.py holds the structure everywhere.
"""

import copy
import json
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.contract.described import DOCUMENT
from tests.contract.test_asyncapi import WRONG
from tests.npm import LIMIT_S, installed

FOLDER: Final = Path(__file__).parent / "published"
# Allowed by the published schema; the text of the specification, or its bindings, want it.
_ONLY_OURS: Final = {"a key with a slash", "no address"}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(FOLDER, tmp_path_factory.mktemp("published") / "copy")


def wrong_with(document: object, packages: Path) -> str:
    done = subprocess.run(
        ["node", packages / "check.cjs"],
        input=json.dumps(document),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    return done.stdout


def test_nothing_is_wrong_with_the_document(packages: Path) -> None:
    assert wrong_with(DOCUMENT, packages) == ""


@pytest.mark.parametrize("what", sorted(WRONG.keys() - _ONLY_OURS))
def test_what_is_wrong_is_seen(packages: Path, what: str) -> None:
    spoiled = copy.deepcopy(DOCUMENT)
    WRONG[what](spoiled)
    assert wrong_with(spoiled, packages)
