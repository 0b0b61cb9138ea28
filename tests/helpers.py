"""Waiting for a condition, never for a time; and what the docs show."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edge.link_events import Publish
from shared import topics

_T = TypeVar("_T")


def eventually(look: Callable[[], _T], limit_s: float = 20.0) -> _T:
    """What `look` returns once it is true. Raises with the last value when the limit passes."""
    deadline_s = time.monotonic() + limit_s
    while not (value := look()):
        if time.monotonic() > deadline_s:
            raise AssertionError(f"still {value!r} after {limit_s} s")
        time.sleep(0.02)
    return value


def has_records(message: Publish) -> bool:
    """A message of the journal's: not one that tells how things are."""
    parsed = topics.parse(message.topic)
    return parsed is not None and parsed[1] in (topics.SALE, topics.EVENT)


def docs_example(part: str) -> str:
    """The one block of Python in docs/captures.md that has this in it."""
    text = (Path(__file__).parents[1] / "docs" / "captures.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (example,) = (str(block) for block in blocks if part in block)
    return example
