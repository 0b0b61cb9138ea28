"""Each kind of record in plain words: a table, one row a kind."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from edge.sale.events import VendResult
from shared import money
from shared import records as m
from shared import visit_records as v

FAILURES: Final = {
    VendResult.NO_DROP: "nothing dropped",
    VendResult.JAMMED: "it jammed, or nothing dropped",
    VendResult.MOTOR_STUCK: "the motor did not turn",
    VendResult.MOTOR_MISSING: "there is no motor",
    VendResult.LIFT_ERROR: "the lift failed",
    VendResult.ABORTED: "the board stopped the run",
    VendResult.NOT_STARTED: "the board never took the command",
}
RECOVERED: Final = {
    "nothing": "nothing was under way",
    "vend": "a vend was under way",
    "payout": "a payout was under way",
    "authorisation": "a card was being authorised",
    "refund": "a card was being refunded",
    "revalue": "a card was being charged up",
}


def says(body: m.Body) -> str:
    return _WORDS[type(body)](body)


def when(at_ns: int) -> str:
    """UTC to the millisecond, rounded down."""
    at = datetime.fromtimestamp(at_ns // 10**9, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at_ns // 10**6 % 1000:03}Z"


def spoken(code: str) -> str:
    """A stable code as words: `coin_jam` is "coin jam"."""
    return code.replace("_", " ")


def _sale(sale: m.Sale) -> str:
    paid = " and ".join(
        f"{money.text(part.amount_minor, sale.currency)} {part.tender}" for part in sale.tenders
    )
    if sale.outcome == "doubtful":
        story = "nobody saw whether it dropped: booked once, as doubtful"
    else:
        story = f"delivered after {sale.duration_ms / 1000:.1f} s"
    price = "" if sale.paid_minor == sale.price_minor else f" (price {_of(sale, sale.price_minor)})"
    link = "; the network was down" if sale.link_down else ""
    return f"{sale.slot} {sale.product} sold for {paid}{price}: {story}; {sale.stock_left} left{link}"


def _vend_failed(failed: m.VendFailed) -> str:
    reasons = {result.value: text for result, text in FAILURES.items()}
    reason = reasons.get(failed.reason, spoken(failed.reason))
    return (
        f"{failed.slot} {failed.product} for {_of(failed, failed.price_minor)} {failed.tender}: "
        f"not delivered, {reason}"
    )


def _cash_in(cash: m.CashIn) -> str:
    coin = f"{cash.medium} of {_of(cash, cash.value_minor)}"
    if cash.found:
        return f"{coin} found in its {cash.route} after a restart, and credited"
    return f"{coin} in, to the {cash.route}"


def _payout(payout: m.Payout) -> str:
    notes = f", {_of(payout, payout.paid_notes_minor)} of it in notes" if payout.paid_notes_minor else ""
    short = "" if payout.paid_minor == payout.wanted_minor else f" of {_of(payout, payout.wanted_minor)}"
    return f"{payout.reason}: {_of(payout, payout.paid_minor)}{short} paid out{notes}"


def _owed(owed: m.Owed) -> str:
    reason = spoken(owed.reason)
    return f"{_of(owed, owed.amount_minor)} owed to the customer ({reason}): claim code {owed.claim}"


def _corrected(place: str, corrected: m.TubesCorrected | m.RecyclerCorrected) -> str:
    difference = corrected.difference_minor
    more = "more" if difference > 0 else "less"
    return f"{place} {_of(corrected, abs(difference))} {more} than the books say"


def _audit(audit: m.Audit) -> str:
    return (
        f"running totals: {audit.sales} sales for {_of(audit, audit.sold_minor)}, "
        f"{_of(audit, audit.owed_minor - audit.redeemed_minor - audit.settled_minor)} still owed"
    )


def _by_hand(moved: m.CoinsLoaded | m.CoinsTaken, verb: str) -> str:
    return f"{moved.coins} coins, {_of(moved, moved.value_minor)}, {verb} by hand"


def _lockout(body: v.Lockout) -> str:
    what = {
        "group": f"product group {body.name}",
        "slot": f"slot {body.name}",
        "machine": "the whole machine",
    }[body.scope]
    sold = "not sold any more" if body.event == "began" else "sold again"
    return f"{what} is {sold}: {spoken(body.reason)}"


def _collection(body: v.Collection) -> str:
    cash = f"{_of(body, body.cashbox_minor)} of coins and {_of(body, body.stacker_minor)} of notes"
    return f"cash collected in bag {body.bag}: {cash} should be in it"


def _of(body: Any, amount_minor: int) -> str:  # noqa: ANN401  # any record of money
    return money.text(amount_minor, body.currency)


_WORDS: Final[dict[type, Callable[[Any], str]]] = {
    m.Sale: _sale,
    m.VendFailed: _vend_failed,
    m.CashIn: _cash_in,
    m.Payout: _payout,
    m.Revalue: lambda r: f"{_of(r, r.amount_minor)} put on the card",
    m.Refund: lambda r: f"{_of(r, r.amount_minor)} given back to the card",
    m.Owed: _owed,
    m.ClaimUsed: lambda r: f"claim code {r.claim} redeemed: {_of(r, r.amount_minor)} credit",
    m.ClaimPaid: lambda r: f"claim code {r.claim} paid by the operator: {_of(r, r.amount_minor)}",
    m.CoinsLoaded: lambda r: _by_hand(r, "loaded"),
    m.CoinsTaken: lambda r: _by_hand(r, "taken"),
    m.TubesCorrected: lambda r: _corrected("the tubes hold", r),
    m.RecyclerCorrected: lambda r: _corrected("the recycler holds", r),
    v.Visit: lambda r: "a technician came" if r.event == "began" else "the technician left",
    v.Door: lambda r: "the door was opened" if r.open else "the door was closed",
    v.Lockout: _lockout,
    v.Refill: lambda r: f"slot {r.slot} refilled: {r.before} products before, {r.after} after",
    v.StockCorrected: lambda r: f"slot {r.slot} counted: {r.after} products, and not {r.before}",
    v.Collection: _collection,
    m.Fault: lambda r: f"fault of the {spoken(r.device)}: {spoken(r.code)}",
    m.FaultCleared: lambda r: f"fault of the {spoken(r.device)} is over: {spoken(r.code)}",
    m.Boot: lambda r: f"the machine was started (software {r.software}); {RECOVERED[r.recovered]}",
    m.Applied: lambda r: (
        f"price list {r.price_version} came into force"
        if r.config_version is None
        else f"config {r.config_version} came into force"
    ),
    m.Audit: _audit,
}
