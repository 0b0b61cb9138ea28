"""Records of whole sales, as a machine writes them."""

from collections.abc import Sequence
from typing import Final

from edge.store.kept import Kept
from shared import codec
from shared import records as m

EUR: Final = "EUR"
START_NS: Final = 1_790_000_000 * 10**9
SECOND_NS: Final = 10**9


def coin(value_minor: int = 200) -> m.CashIn:
    return m.CashIn(value_minor=value_minor, currency=EUR, medium="coin", type=5, route="tube")


def sale(paid_minor: int = 150, tender: str = "cash", outcome: str = "delivered") -> m.Sale:
    return m.Sale.model_validate(
        {
            "slot": "A1",
            "product": "cola",
            "price_minor": 150,
            "paid_minor": paid_minor,
            "currency": EUR,
            "price_version": 0,
            "tenders": ({"tender": tender, "amount_minor": paid_minor},),
            "stock_left": 9,
            "link_down": tender == "cash",
            "duration_ms": 2_345,
            "outcome": outcome,
        }
    )


def failed(tender: str = "cash", reason: str = "no_drop") -> m.VendFailed:
    return m.VendFailed.model_validate(
        {
            "slot": "A1",
            "product": "cola",
            "price_minor": 150,
            "currency": EUR,
            "tender": tender,
            "reason": reason,
        }
    )


def payout(paid_minor: int, wanted_minor: int | None = None) -> m.Payout:
    wanted_minor = paid_minor if wanted_minor is None else wanted_minor
    return m.Payout(wanted_minor=wanted_minor, paid_minor=paid_minor, currency=EUR, reason="change")


def owed(amount_minor: int, reason: str = "tubes_ran_short") -> m.Owed:
    return m.Owed(amount_minor=amount_minor, currency=EUR, reason=reason, claim="0001-123456")


REFUND: Final = m.Refund(amount_minor=150, currency=EUR)
FAULT: Final = m.Fault(device="changer", code="coin_jam")
AUDIT: Final = m.Audit(
    currency=EUR,
    sales=3,
    sold_minor=450,
    card_sales=0,
    card_sold_minor=0,
    cash_in_minor=450,
    card_in_minor=0,
    paid_out_minor=0,
    refunded_minor=0,
    owed_minor=50,
    redeemed_minor=20,
    settled_minor=0,
    credit_minor=0,
)

# Each is what one customer leaves behind.
SALES: Final[dict[str, tuple[m.Body, ...]]] = {
    "exact": (coin(100), coin(50), sale()),
    "change": (coin(), sale(), payout(50)),
    "two products": (coin(), coin(), sale(), sale(), payout(100)),
    "short": (coin(), sale(), payout(20, 50), owed(30)),
    "no change": (coin(), sale(), owed(50, "no_change")),
    "lever": (coin(), m.Payout(wanted_minor=200, paid_minor=200, currency=EUR, reason="refund")),
    "jam": (coin(), failed(), FAULT, failed(), payout(200)),
    "doubtful": (coin(150), m.Boot(software="1", recovered="vend"), AUDIT, sale(outcome="doubtful")),
    "coin meanwhile": (coin(), sale(), coin(10), payout(60)),
    "card": (sale(140, "card"),),
    "card jam": (failed("card"), FAULT, REFUND),
    "card lost": (failed("card"), owed(150, "refund_in_doubt")),
    "card too late": (coin(), REFUND, sale(), payout(50)),
    "claim": (m.ClaimUsed(claim="0001-123456", amount_minor=150, currency=EUR), sale()),
    "test": (sale(0, "test"),),
    "test jam": (failed("test"),),
}
BETWEEN: Final = (FAULT, AUDIT, m.Applied(price_version=3), m.FaultCleared(device="changer", code="coin_jam"))


def kept(
    bodies: Sequence[m.Body], *, step_ns: int = SECOND_NS, first_seq: int = 1, state: str = "stored"
) -> list[Kept]:
    """As the journal keeps them, one a step."""
    rows = []
    for seq, body in enumerate(bodies, first_seq):
        at_ns = START_NS + seq * step_ns
        header = m.Header(v=1, machine="m1", epoch="0" * 12, seq=seq, at_ns=at_ns, clock="synced")
        rows.append(Kept(seq, state, None, codec.pack(m.dump_record(header, body))))
    return rows
