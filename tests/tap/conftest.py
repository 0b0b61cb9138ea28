from collections.abc import Callable
from pathlib import Path

import pytest

from shared.capture import Header, Message
from shared.capture.rotation import new
from tests.tap.messages import START_NS

Write = Callable[..., Path]


@pytest.fixture
def capture(tmp_path: Path) -> Write:
    """Writes messages to a capture of this name in the test's folder."""

    def write(name: str, *messages: Message) -> Path:
        writer = new(tmp_path / name, Header(START_NS, "test", {"retain_as_published": True}))
        writer.append(messages)
        writer.close()
        return tmp_path / name

    return write
