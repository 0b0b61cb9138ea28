from collections.abc import Callable
from pathlib import Path

import pytest

from shared.capture import Message
from tests.tap.messages import write

Write = Callable[..., Path]


@pytest.fixture
def capture(tmp_path: Path) -> Write:
    """Writes messages to a capture of this name in the test's folder."""

    def make(name: str, *messages: Message) -> Path:
        return write(tmp_path / name, *messages)

    return make
