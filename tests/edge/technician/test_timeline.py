"""The story of one sale out of a journal's records."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.technician.timeline import NEAR_NS, Timeline, spans, timeline
from edge.technician.words import says
from shared import codec
from shared import records as m
from shared import visit_records as v
from tests.edge.technician.stories import (
    AUDIT,
    BETWEEN,
    FAULT,
    REFUND,
    SALES,
    SECOND_NS,
    START_NS,
    coin,
    failed,
    kept,
    owed,
    payout,
    sale,
)

Part = tuple[m.Body, ...]
PARTS = st.one_of(st.sampled_from([*SALES.values()]), st.sampled_from([(body,) for body in BETWEEN]))


def seqs(story: Timeline) -> list[int]:
    return [entry.seq for entry in story.entries]


@given(st.lists(PARTS, max_size=30))
def test_sales_are_told_apart_whatever_comes_after_one_another(parts: list[Part]) -> None:
    bodies: list[m.Body] = []
    wanted = []
    for part in parts:
        if part in SALES.values():
            wanted.append((len(bodies), len(bodies) + len(part) - 1))
        bodies += part
    assert spans(bodies) == wanted


@given(st.lists(st.sampled_from([*SALES.values()]), min_size=2, max_size=20), st.data())
def test_it_does_not_matter_that_older_records_are_not_looked_at(
    parts: list[Part], data: st.DataObject
) -> None:
    """Of a sale cut in two the rest may be told wrongly; all later ones are right."""
    bodies = [body for part in parts for body in part]
    cut = data.draw(st.integers(0, len(parts[0])))
    later = len(parts) - 1
    assert spans(bodies[cut:])[-later:] == [(a - cut, b - cut) for a, b in spans(bodies)[-later:]]


@pytest.mark.parametrize("name", SALES)
def test_every_record_of_a_sale_finds_all_of_it(name: str) -> None:
    before, after = SALES["change"], SALES["card"]
    rows = kept([*before, *SALES[name], *after])
    own = range(len(before) + 1, len(before) + len(SALES[name]) + 1)
    for seq in own:
        story = timeline(rows, seq)
        assert (story.first, story.last) == (own[0], own[-1])
        told = [at for at in own if at == seq or SALES[name][at - own[0]] is not AUDIT]
        assert seqs(story) == told


def test_a_sale_under_way_ends_with_its_last_money() -> None:
    story = timeline(kept([*SALES["change"], coin(), failed(), AUDIT]), 5)
    assert (story.first, story.last, seqs(story)) == (4, 5, [4, 5])


def test_a_record_that_belongs_to_no_sale_stands_alone() -> None:
    story = timeline(kept([*SALES["change"], AUDIT, *SALES["card"]]), 4)
    assert (story.first, story.last, seqs(story)) == (None, None, [4])


def test_what_devices_told_shortly_before_and_after_belongs_to_it() -> None:
    late = m.Fault(device="board", code="late_delivered")
    rows = kept([FAULT, AUDIT, coin(150), sale(outcome="doubtful"), late, FAULT])
    assert seqs(timeline(rows, 4)) == [1, 3, 4, 5, 6]
    slow = kept([FAULT, coin(150), sale(), late], step_ns=NEAR_NS + 1)
    assert seqs(timeline(slow, 2)) == [2, 3]


def test_what_stands_beyond_another_customer_does_not() -> None:
    rows = kept([FAULT, *SALES["card"], FAULT, coin(150), sale(), FAULT, *SALES["card"], FAULT])
    assert seqs(timeline(rows, 4)) == [3, 4, 5, 6]
    assert seqs(timeline(rows, 1)) == [1]


def test_records_that_cannot_be_read_are_passed_over() -> None:
    rows = kept([coin(), sale(), payout(50)])
    rows[1] = replace(rows[1], body=codec.pack({"kind": "from the future"}))
    assert seqs(timeline(rows, 1)) == [1, 3]
    with pytest.raises(KeyError):
        timeline(rows, 2)


@pytest.mark.parametrize("seq", [0, 3, 99])
def test_a_record_that_is_not_there(seq: int) -> None:
    with pytest.raises(KeyError):
        timeline(kept([coin(150), sale()]), seq)


def test_times_and_uploads() -> None:
    rows = kept([coin(150), sale()])
    rows[1] = replace(rows[1], state="parked", refused="bad_body")
    first, second = timeline(rows, 1).entries
    assert (first.at, first.at_ns, first.offset_ns) == ("2026-09-21 14:13:21.000Z", START_NS + SECOND_NS, 0)
    assert (second.offset_ns, second.clock, second.kind) == (SECOND_NS, "synced", "sale")
    assert (first.upload, second.upload) == ("stored in the cloud", "refused by the cloud: bad_body")
    (only,) = timeline(kept([REFUND], state="owed"), 1).entries
    assert only.upload == "not confirmed by the cloud yet"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (coin(50), "coin of 0.50 EUR in, to the tube"),
        (
            coin(50).model_copy(update={"found": True}),
            "coin of 0.50 EUR found in its tube after a restart, and credited",
        ),
        (sale(), "A1 cola sold for 1.50 EUR cash: delivered after 2.3 s; 9 left; the network was down"),
        (sale(140, "card"), "A1 cola sold for 1.40 EUR card (price 1.50 EUR): delivered after 2.3 s; 9 left"),
        (
            sale(150, "card", "doubtful"),
            "A1 cola sold for 1.50 EUR card: nobody saw whether it dropped: booked once, as doubtful; 9 left",
        ),
        (failed(), "A1 cola for 1.50 EUR cash: not delivered, nothing dropped"),
        (failed(reason="on_fire"), "A1 cola for 1.50 EUR cash: not delivered, on fire"),
        (payout(20, 50), "change: 0.20 EUR of 0.50 EUR paid out"),
        (
            payout(1_000).model_copy(update={"paid_notes_minor": 500}),
            "change: 10.00 EUR paid out, 5.00 EUR of it in notes",
        ),
        (REFUND, "1.50 EUR given back to the card"),
        (owed(30), "0.30 EUR owed to the customer (tubes ran short): claim code 0001-123456"),
        (
            m.ClaimUsed(claim="0001-123456", amount_minor=30, currency="EUR"),
            "claim code 0001-123456 redeemed: 0.30 EUR credit",
        ),
        (
            m.ClaimPaid(claim="0001-123456", amount_minor=30, currency="EUR"),
            "claim code 0001-123456 paid by the operator: 0.30 EUR",
        ),
        (m.CoinsLoaded(value_minor=100, coins=5, currency="EUR"), "5 coins, 1.00 EUR, loaded by hand"),
        (m.CoinsTaken(value_minor=100, coins=5, currency="EUR"), "5 coins, 1.00 EUR, taken by hand"),
        (
            m.TubesCorrected(difference_minor=-30, currency="EUR"),
            "the tubes hold 0.30 EUR less than the books say",
        ),
        (
            m.RecyclerCorrected(difference_minor=500, currency="EUR"),
            "the recycler holds 5.00 EUR more than the books say",
        ),
        (v.Visit(event="began"), "a technician came"),
        (v.Visit(event="ended"), "the technician left"),
        (v.Door(open=True), "the door was opened"),
        (v.Door(open=False), "the door was closed"),
        (
            v.Lockout(event="began", scope="group", name="dairy", reason="too_warm"),
            "product group dairy is not sold any more: too warm",
        ),
        (
            v.Lockout(event="ended", scope="slot", name="A1", reason="serviced"),
            "slot A1 is sold again: serviced",
        ),
        (
            v.Refill(slot="A1", product="cola", before=2, after=8, added=6),
            "slot A1 refilled: 2 products before, 8 after",
        ),
        (
            v.StockCorrected(slot="A1", product="cola", before=2, after=3),
            "slot A1 counted: 3 products, and not 2",
        ),
        (
            v.Collection(
                bag="B-17",
                cashbox_minor=1250,
                stacker_minor=4500,
                tubes_minor=900,
                recycler_minor=0,
                currency="EUR",
            ),
            "cash collected in bag B-17: 12.50 EUR of coins and 45.00 EUR of notes should be in it",
        ),
        (FAULT, "fault of the changer: coin jam"),
        (
            m.FaultCleared(device="reader_1", code="reader_failure"),
            "fault of the reader 1 is over: reader failure",
        ),
        (
            m.Boot(software="0.1", recovered="vend"),
            "the machine was started (software 0.1); a vend was under way",
        ),
        (m.Applied(price_version=3), "price list 3 came into force"),
        (AUDIT, "running totals: 3 sales for 4.50 EUR, 0.30 EUR still owed"),
    ],
)
def test_each_kind_in_plain_words(body: m.Body, text: str) -> None:
    assert says(body) == text


def test_every_kind_has_its_words() -> None:
    from edge.technician.words import _WORDS

    assert set(_WORDS) == set(m.Body.__args__)
