"""What the simulators of motor boards share: what a run may come to, and what really happened."""

from dataclasses import dataclass
from enum import Enum, auto


class Outcome(Enum):
    """What a motor run of a selection does."""

    DELIVERED = auto()
    JAMMED = auto()
    NO_DROP = auto()
    MOTOR_STUCK = auto()
    MOTOR_MISSING = auto()
    SILENT = auto()  # the board never tells


@dataclass(frozen=True, slots=True)
class BoardTruth:
    """By the board's selection number: how often the motor was started, what fell, what is left."""

    runs: dict[int, int]
    drops: dict[int, int]
    stock: dict[int, int]
