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
class AcceptBills:
    """Let the validator take notes of these types; of none, disable it."""

    on_restart: ClassVar = OnRestart.REDO
    bills: frozenset[int]


@dataclass(frozen=True, slots=True)
class SettleBill:
    """Stack the note in escrow, or return it. Ends with BillIn, BillReturned or BillsLost.

    bill: of the BillEscrowed that was decided on; a decision that comes late is not taken for another note's.
    """

    on_restart: ClassVar = OnRestart.VERIFY
    bill: int
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


@dataclass(frozen=True, slots=True)
class AcceptCards:
    """Enable the reader, or disable it; an open session goes on. Holds through every initialisation."""

    on_restart: ClassVar = OnRestart.REDO
    reader: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class SetPriceRange:
    """The dearest and the cheapest product, for the reader to know what may come. Holds like AcceptCards."""

    on_restart: ClassVar = OnRestart.REDO
    reader: int
    max_minor: int
    min_minor: int


@dataclass(frozen=True, slots=True)
class RequestVend:
    """Ask the reader for the price. Ends with exactly one of VendApproved, VendDenied and CardLost.

    After a restart nobody knows whether the reader approved, and its reset made an approval a sale there.
    """

    on_restart: ClassVar = OnRestart.REPORT
    reader: int
    price_minor: int
    item: int


@dataclass(frozen=True, slots=True)
class CancelVend:
    """The customer does not want it any more; the RequestVend ends with VendDenied, unless already approved.

    After a restart the reader's reset has cancelled the request, and this does nothing.
    """

    on_restart: ClassVar = OnRestart.REDO
    reader: int


@dataclass(frozen=True, slots=True)
class ConfirmVend:
    """The approved product was delivered.

    After a restart this does nothing: a reader takes a reset after its approval for a sale, as this says.
    """

    on_restart: ClassVar = OnRestart.REDO
    reader: int
    item: int


@dataclass(frozen=True, slots=True)
class FailVend:
    """The approved product was not delivered: refund. Ends with RefundEnded.

    After a restart the refund may be made or not, and the reader's reset has made it a sale if not.
    """

    on_restart: ClassVar = OnRestart.REPORT
    reader: int


@dataclass(frozen=True, slots=True)
class EndSession:
    """Let the card go: ends with SessionEnded. Without a session it stops whatever the reader is reading."""

    on_restart: ClassVar = OnRestart.REDO
    reader: int


@dataclass(frozen=True, slots=True)
class ReportCashSale:
    """A cash sale for the reader's own books. One too few is better than one twice: never done again."""

    on_restart: ClassVar = OnRestart.REPORT
    reader: int
    price_minor: int
    item: int


@dataclass(frozen=True, slots=True)
class AskRevalueLimit:
    """How much the card may be charged up. Ends with RevalueLimit or CardLost."""

    on_restart: ClassVar = OnRestart.REDO
    reader: int


@dataclass(frozen=True, slots=True)
class Revalue:
    """Charge the card up with money that the machine has taken. Ends with RevalueEnded or CardLost.

    After CardLost, as after a restart, nobody knows.
    """

    on_restart: ClassVar = OnRestart.REPORT
    reader: int
    amount_minor: int


CardEffect = (
    AcceptCards
    | SetPriceRange
    | RequestVend
    | CancelVend
    | ConfirmVend
    | FailVend
    | EndSession
    | ReportCashSale
    | AskRevalueLimit
    | Revalue
)
BillEffect = AcceptBills | SettleBill | PayOutBills
Effect = AcceptCoins | PayOut | RunMotor | BillEffect | CardEffect
