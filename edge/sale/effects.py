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
    """Pay these coins out of the tubes: a count for each coin type. Ends with PayoutEnded."""

    on_restart: ClassVar = OnRestart.VERIFY
    coins: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AcceptBills:
    """Let the validator take notes of these types; of none, disable it."""

    on_restart: ClassVar = OnRestart.REDO
    bills: frozenset[int]


@dataclass(frozen=True, slots=True)
class SettleBill:
    """Stack the note in escrow, or return it. Ends with BillIn, BillReturned or BillsLost."""

    on_restart: ClassVar = OnRestart.VERIFY
    stack: bool


@dataclass(frozen=True, slots=True)
class PayOutBills:
    """Pay these notes out of the recycler: a count for each bill type. Ends with BillPayoutEnded."""

    on_restart: ClassVar = OnRestart.VERIFY
    bills: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RunMotor:
    """Deliver one product from a slot. Ends with VendEnded, or with nothing at all if the board is lost."""

    on_restart: ClassVar = OnRestart.REPORT
    slot: str


Effect = AcceptCoins | PayOut | AcceptBills | SettleBill | PayOutBills | RunMotor
