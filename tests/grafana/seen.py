"""How an expectation is written: which period is chosen, and what is shown then. A time is in ms."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.grafana.history import MINUTE_NS, at_ms

Points = list[tuple[int, float | None]]
Span = Callable[[int], tuple[int, int]]
HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = MINUTE_NS // 10**6


def DAY(_now_ms: int) -> tuple[int, int]:  # noqa: N802  # named as the table reads
    return at_ms("2026-09-21 00:00"), at_ms("2026-09-21 23:59")


def FORTNIGHT(_now_ms: int) -> tuple[int, int]:  # noqa: N802
    return at_ms("2026-09-14 00:00"), at_ms("2026-09-28 00:00")


def NOW(now_ms: int) -> tuple[int, int]:  # noqa: N802
    return now_ms - HOUR_MS, now_ms


@dataclass(frozen=True, slots=True)
class Seen:
    """`value`: what is shown, or a function of the present in ms."""

    span: Span
    value: Any


def rows(*names: str) -> Callable[..., list[dict[str, Any]]]:
    return lambda *rows: [dict(zip(names, row, strict=True)) for row in rows]
