"""Time for the shells; logic gets it as an argument.

Wall time is nanoseconds UTC with a word on how far it can be trusted; monotonic time is for every timer.
"""

import ctypes
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Trust = Literal["synced", "estimated"]
_TIME_ERROR: Final = 5  # adjtimex(2): the kernel clock is not synchronised
_TIMEX_BYTES: Final = 512  # larger than struct timex of any Linux ABI


@dataclass(frozen=True, slots=True)
class Now:
    """One reading of both clocks. `boot` names the run of the board that monotonic time counts in."""

    wall_ns: int
    monotonic_s: float
    trust: Trust
    boot: str = ""


class SystemClock:
    """The board's clocks. Whether the wall clock is synchronised is what the kernel says (adjtimex)."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    def now(self) -> Now:
        trust: Trust = "synced" if self._synced() else "estimated"
        return Now(time.time_ns(), time.monotonic(), trust, self._boot)

    def _synced(self) -> bool:
        query = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes = 0: read only, needs no rights
        state: int = self._libc.adjtimex(query)
        return 0 <= state < _TIME_ERROR
