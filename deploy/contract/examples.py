"""One example of every kind, all of one made-up machine. Golden bytes and the documents show these."""

from datetime import date
from typing import Any, Final

from pydantic import BaseModel

from shared import commands as c
from shared import messages as m
from shared import records as r
from shared import visit_records as v
from shared.schedules import Schedule

MACHINE: Final = "m-001"
EPOCH: Final = "5f0c1e9a7b2d"
AT_NS: Final = 1_790_000_000_000_000_000  # 2026-09-21 14:13:20 UTC
_DAY_NS: Final = 24 * 3_600 * 10**9
_PEM: Final = "-----BEGIN {0}-----\n(base64)\n-----END {0}-----\n"


def header(seq: int) -> r.Header:
    """As the edge stamps: the digits below a microsecond are the record's number."""
    at_ns = AT_NS + seq * 60 * 10**9 + seq
    return r.Header(v=r.SCHEMA_VERSION, machine=MACHINE, epoch=EPOCH, seq=seq, at_ns=at_ns, clock="synced")


# by model; several fields differ from their defaults, so that a field that gets lost is seen
BODIES: Final[dict[type[BaseModel], Any]] = {
    type(body): body
    for body in (
        r.Sale(
            slot="A1",
            product="cola",
            price_minor=150,
            paid_minor=150,
            currency="EUR",
            price_version=12,
            tenders=(r.TenderAmount(tender="cash", amount_minor=150),),
            stock_left=7,
            link_down=True,
            duration_ms=1_840,
            outcome="delivered",
        ),
        r.VendFailed(
            slot="A2",
            product="water",
            price_minor=120,
            currency="EUR",
            tender="card",
            reason="motor_timeout",
        ),
        r.CashIn(value_minor=200, currency="EUR", medium="coin", type=5, route="tube", found=True),
        r.Payout(wanted_minor=550, paid_minor=550, paid_notes_minor=500, currency="EUR", reason="change"),
        r.Refund(amount_minor=120, currency="EUR"),
        r.Revalue(amount_minor=500, currency="EUR"),
        r.Owed(amount_minor=50, currency="EUR", reason="tubes_empty", claim="0007-482913"),
        r.ClaimUsed(claim="0007-482913", amount_minor=50, currency="EUR"),
        r.ClaimPaid(claim="0008-190027", amount_minor=20, currency="EUR"),
        r.CoinsLoaded(value_minor=2_000, coins=40, currency="EUR"),
        r.CoinsTaken(value_minor=400, coins=2, currency="EUR"),
        r.TubesCorrected(difference_minor=-50, currency="EUR"),
        r.RecyclerCorrected(difference_minor=1_000, currency="EUR"),
        r.Fault(device="coin", code="jam", detail="coin jam in the acceptor"),
        r.FaultCleared(device="coin", code="jam"),
        r.Boot(software="0.1.0", recovered="vend"),
        r.Applied(price_version=13, config_version=4),
        r.Audit(
            currency="EUR",
            sales=2,
            sold_minor=270,
            card_sales=1,
            card_sold_minor=120,
            cash_in_minor=700,
            card_in_minor=120,
            paid_out_minor=550,
            refunded_minor=0,
            revalued_minor=0,
            owed_minor=0,
            redeemed_minor=0,
            settled_minor=0,
            credit_minor=0,
            free_sales=0,
            test_sales=0,
            slots={"A1": (1, 150), "A2": (1, 120)},
        ),
        v.Visit(event="began", door=True, service=True),
        v.Door(open=True),
        v.Lockout(event="began", scope="group", name="dairy", reason="too_warm"),
        v.Refill(slot="A1", product="cola", before=7, after=10, added=3),
        v.StockCorrected(slot="A2", product="water", before=5, after=4),
        v.Collection(
            bag="BAG-0412",
            cashbox_minor=18_350,
            stacker_minor=26_500,
            tubes_minor=9_900,
            recycler_minor=3_000,
            currency="EUR",
        ),
    )
}

_PRICES: Final = m.PriceList(
    version=13,
    currency="EUR",
    prices={"A1": 150, "A2": 120},
    card_prices={"A1": 140},
    time_zone="Europe/Vilnius",
    schedules=(
        Schedule(
            name="happy hour",
            days=("mon", "fri"),
            start="16:00",
            end="18:00",
            first=date(2026, 9, 1),
            last=date(2026, 12, 31),
            percent_off=20,
            step_minor=10,
            slots=("A1",),
        ),
    ),
)

MESSAGES: Final[dict[type[BaseModel], Any]] = {
    type(message): message
    for message in (
        m.Status(
            online=True,
            since_ns=AT_NS,
            epoch=EPOCH,
            software="0.1.0",
            tenders={
                "cash": m.Availability(available=True),
                "card": m.Availability(available=False, reason="the reader has no network"),
            },
            last_seq=24,
            owed_from=23,
            owed=2,
            parked=1,
            forked_from="0a1b2c3d4e5f",
        ),
        m.Stock(
            at_ns=AT_NS,
            slots={"A1": m.SlotStock(product="cola", count=7, capacity=10, par=9, wanted="cola-zero")},
        ),
        m.Health(
            at_ns=AT_NS,
            temperatures={"board": 4.5},
            lockouts=("milk",),
            door_open=False,
            tubes=(m.TubeLevel(coin_minor=50, count=31, capacity=70, full=False),),
            change_low=False,
            cashbox_minor=18_350,
            stacker_minor=26_500,
            stacker_notes=41,
            recycler_minor=3_000,
            tubes_minor=9_900,
            clock="synced",
            clock_offset_ms=-12,
            link=m.Link(reconnects_24h=2, up_since_ns=AT_NS, round_trip_ms=84),
            faults=(m.OpenFault(device="validator", code="stacker_full", since_ns=AT_NS),),
            locked_slots=("B3",),
            disk_free_mb=5_120,
        ),
        m.Reported(
            at_ns=AT_NS,
            prices=_PRICES,
            refused=m.PricesRefused(version=14, reason="no price for slot A2"),
            schedules=("happy hour",),
            config_version=4,
            config_refused=m.ConfigRefused(version=5, reason="slot Z9 is not in this machine"),
        ),
        m.Receipt(
            epoch=EPOCH,
            stored=((1, 3), (5, 5)),
            checks=(AT_NS, AT_NS + 5),
            refused=(m.Refusal(seq=4, reason="bad_body", at_ns=AT_NS + 4),),
        ),
        _PRICES,
        m.Config(
            version=4,
            slots={
                "A1": m.PlannedSlot(product="cola", capacity=10, par=9),
                "A2": m.PlannedSlot(product="milk", capacity=8, par=8, group="dairy"),
            },
            largest_note_minor=2_000,
            without_change="refuse",
            tenders_off={"wallet": "wallets are being serviced"},
        ),
        m.Watermark(heard_ns=AT_NS, journals=(m.Mark(epoch=EPOCH, seq=24, at_ns=AT_NS),)),
        c.Envelope(key="desk", signed=b"(an order, see command.*)", signature=bytes(range(64))),
        c.Reply(
            id="9f" * 16,
            digest="0d" * 32,
            outcome="done",
            code="done",
            text="3 records are owed again",
            at_ns=AT_NS,
            result={"records": 3},
            recording=("> 0B", "< 00"),
        ),
        m.CertificateRequest(serial="2a", csr=_PEM.format("CERTIFICATE REQUEST")),
        m.CertificateIssued(serial="2a", certificate=_PEM.format("CERTIFICATE")),
    )
}

ORDER_HEADER: Final = c.Header(machine=MACHINE, id="9f" * 16, issued_ns=AT_NS, expires_ns=AT_NS + _DAY_NS)
ACTIONS: Final[dict[type[BaseModel], Any]] = {
    type(action): action
    for action in (
        c.Restart(),
        c.Support(),
        c.MotorTest(slot="A1"),
        c.FreeVend(slot="A1"),
        c.Lock(slot="A1", reason="glass broken"),
        c.Unlock(slot="A1"),
        c.SetStock(counts={"A1": 9, "A2": 4}),
        c.Credit(claim="0007-482913"),
        c.PayClaim(claim="0007-482913"),
        c.Resend(epoch=EPOCH, first=5, last=7),
    )
}
