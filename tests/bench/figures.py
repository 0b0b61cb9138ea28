"""What a benchmark measured."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` is the median where there are several `runs`."""

    name: str
    runs: tuple[float, ...]
    unit: str
    how: str
    aim: str = ""
    digits: int = 0

    @property
    def value(self) -> float:
        return statistics.median(self.runs)

    def text(self) -> str:
        shown = f"{self.value:,.{self.digits}f}"
        if len(self.runs) > 1:
            shown += f" ({min(self.runs):,.{self.digits}f} to {max(self.runs):,.{self.digits}f})"
        return f"{shown} {self.unit}"

    def as_json(self) -> dict[str, Any]:
        return {"value": self.value, **asdict(self)}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return next(v for n, v in enumerate(ordered, start=1) if n >= share * len(ordered))
