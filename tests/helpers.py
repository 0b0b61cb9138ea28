"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def eventually(look: Callable[[], _T], limit_s: float = 20.0) -> _T:
    """What `look` returns once it is true. Raises with the last value when the limit passes."""
    deadline_s = time.monotonic() + limit_s
    while not (value := look()):
        if time.monotonic() > deadline_s:
            raise AssertionError(f"still {value!r} after {limit_s} s")
        time.sleep(0.02)
    return value
