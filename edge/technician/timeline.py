"""From records to the story of one sale: which of them belong together. Pure.

Records do not name their customer. But nobody's money is in the machine between two customers, so a running
balance of cash in, sold, paid out and owed tells them apart: it is never negative, and where it is lowest in
what is looked at it is taken to be nothing. A card that was charged keeps its sale open until its refund.
What devices told shortly before and after belongs to the story; what another customer did does not.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any, Final

from edge.store.kept import Kept
from edge.technician.words import says, when
from shared import records as m
from shared import visit_records as v

REACH: Final = 249  # records to either side: no customer takes more
NEAR_NS: Final = 120 * 10**9
SURROUNDING: Final = (m.Fault, m.FaultCleared, m.Boot, v.Visit, v.Door, v.Lockout)
_MONEY: Final = (m.CashIn, m.Sale, m.VendFailed, m.Payout, m.Refund, m.Revalue, m.Owed, m.ClaimUsed)
_TO_CARD: Final = "refund_"  # how the reason of money owed begins that a card had paid

Span = tuple[int, int]  # places of the first and the last record, both included


@dataclass(frozen=True, slots=True)
class Entry:
    """`offset_ns`: since the sale's first record. `clock`: how far the time can be trusted."""

    seq: int
    at: str
    at_ns: int
    offset_ns: int
    clock: str
    kind: str
    text: str
    upload: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """`first` and `last`: the sale's own records; None for a record that belongs to no sale."""

    seq: int
    first: int | None
    last: int | None
    entries: tuple[Entry, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def timeline(kept: Sequence[Kept], seq: int) -> Timeline:
    """The story of record `seq`, out of the records around it. Raises KeyError when it is not among them, or
    cannot be read.
    """
    rows = [(row, record) for row in kept if (record := row.record()) is not None]
    here = {row.seq: at for at, (row, _) in enumerate(rows)}[seq]
    records = [record for _, record in rows]
    sales = spans([record.body for record in records])
    sale = next((span for span in sales if span[0] <= here <= span[1]), None)
    first, last = sale or (here, here)
    start_ns = records[first].header.at_ns
    entries = tuple(
        _entry(*rows[at], start_ns)
        for at in range(len(rows))
        if (first <= at <= last and (at == here or not isinstance(records[at].body, m.Audit)))
        or _is_near(records, sales, at, (first, last))
    )
    if sale is None:
        return Timeline(seq, None, None, entries)
    return Timeline(seq, rows[first][0].seq, rows[last][0].seq, entries)


def spans(bodies: Sequence[m.Body]) -> list[Span]:
    """The sales among these records, in order; the last may be under way."""
    balances = list(accumulate((_change_minor(body) for body in bodies), initial=0))
    lowest = min(balances)
    found: list[Span] = []
    first: int | None = None
    last = 0
    card_open = False
    for at, body in enumerate(bodies):
        if not isinstance(body, _MONEY):
            continue
        first, last = at if first is None else first, at
        card_open = _card_open(body, card_open)
        if balances[at + 1] == lowest and not card_open:
            found.append((first, at))
            first = None
    return found if first is None else [*found, (first, last)]


def _change_minor(body: m.Body) -> int:
    """By how much the customer's money in the machine changes. What cards pay never is in it."""
    match body:
        case m.CashIn():
            return body.value_minor
        case m.ClaimUsed():
            return body.amount_minor
        case m.Sale():
            return -sum(part.amount_minor for part in body.tenders if part.tender == "cash")
        case m.Payout():
            return -body.paid_minor
        case m.Revalue() | m.Owed() if not _to_card(body):
            return -body.amount_minor
        case _:
            return 0


def _to_card(body: m.Body) -> bool:
    return isinstance(body, m.Owed) and body.reason.startswith(_TO_CARD)


def _card_open(body: m.Body, before: bool) -> bool:
    """Whether a card has been charged and has neither product nor money."""
    match body:
        case m.VendFailed(tender="card"):
            return True
        case m.Refund() | m.Sale():
            return False
        case m.Owed() if _to_card(body):
            return False
        case _:
            return before


def _is_near(records: Sequence[m.Record], sales: Sequence[Span], at: int, story: Span) -> bool:
    first, last = story
    record = records[at]
    if first <= at <= last or not isinstance(record.body, SURROUNDING):
        return False
    edge = first if at < first else last
    between = range(min(at, edge), max(at, edge) + 1)
    others = (sale for sale in sales if sale != story)
    if any(sale[0] in between or sale[1] in between for sale in others):
        return False
    return abs(records[edge].header.at_ns - record.header.at_ns) <= NEAR_NS


def _entry(row: Kept, record: m.Record, start_ns: int) -> Entry:
    header = record.header
    upload = {
        "stored": "stored in the cloud",
        "parked": f"refused by the cloud: {row.refused}",
    }.get(row.state, "not confirmed by the cloud yet")
    return Entry(
        seq=row.seq,
        at=when(header.at_ns),
        at_ns=header.at_ns,
        offset_ns=header.at_ns - start_ns,
        clock=header.clock,
        kind=record.body.kind,
        text=says(record.body),
        upload=upload,
    )
