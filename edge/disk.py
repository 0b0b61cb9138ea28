"""Room for the journal: looked at before money is taken, not after a commit failed."""

import os
from pathlib import Path
from typing import Final

STOP_BYTES: Final = 8 * 1024 * 1024
RESUME_BYTES: Final = 10 * 1024 * 1024  # above STOP, so that the machine does not flicker


def free_mb(folder: Path) -> int:
    """Megabytes that this user may still write."""
    return _free_bytes(folder) // 10**6


def has_room(folder: Path, *, was_ok: bool) -> bool:
    """Whether sales may go on: free bytes for this user against a threshold with hysteresis."""
    return _free_bytes(folder) >= (STOP_BYTES if was_ok else RESUME_BYTES)


def _free_bytes(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize
