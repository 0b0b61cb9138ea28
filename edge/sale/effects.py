"""What the sale wants done. Each class says what a restart does with it when it was not finished.

REDO: harmless to do again. VERIFY: ask the device what happened (tube counts before and after).
REPORT: nobody can know; the operator sees a doubtful sale, and it is never done a second time.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class OnRestart(StrEnum):
    REDO = "redo"
    VERIFY = "verify"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class AcceptCoins:
    """Let the changer take coins, or make it return them."""

    on_restart: ClassVar = OnRestart.REDO
    enabled: bool


@dataclass(frozen=True, slots=True)
class PayOut:
    """Pay these coins out of the tubes: a count for each coin type. Ends with PayoutEnded.

    tubes: the counts that the plan was made with. Where a tube has fewer by now, something happened that the
    sale has not read yet, and nothing is paid.
    """

    on_restart: ClassVar = OnRestart.VERIFY
    coins: tuple[int, ...]
    tubes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RunMotor:
    """Deliver one product from a slot. Ends with VendEnded, or with nothing at all if the board is lost."""

    on_restart: ClassVar = OnRestart.REPORT
    slot: str


Effect = AcceptCoins | PayOut | RunMotor
