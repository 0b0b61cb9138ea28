"""What the operator wants done from afar. edge/sale/operator.py says beforehand what would be refused."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Locked:
    """A slot, or without one the whole machine, is not sold any more; `reason` in words, for everybody."""

    slot: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Unlocked:
    slot: str | None


@dataclass(frozen=True, slots=True)
class MotorTested:
    """Run a motor to see whether it delivers: booked as a test. Only while nobody buys."""

    slot: str


@dataclass(frozen=True, slots=True)
class ClaimCredited:
    """The operator has spoken with the customer: what his claim code is good for becomes credit."""

    code: str


OperatorEvent = Locked | Unlocked | MotorTested | ClaimCredited
