"""Doors, visits, refills, the cash box and motors that fail."""

from dataclasses import replace
from math import inf

import pytest

from edge.sale import events as ev
from edge.sale import visit_events as vev
from edge.sale.state import with_cabinet
from edge.sale.technician import NO_SERVICE, NO_VISIT, refusal
from shared import records as m
from shared import visit_records as vr
from tests.edge.sale.floor import COINS, STOCK
from tests.edge.sale.test_every_tender import Shop, shop

JAMMED, DELIVERED = ev.VendResult.JAMMED, ev.VendResult.DELIVERED


def written(s: Shop, event: ev.Event) -> list[m.Body]:
    """The records of one event; the audits beside a visit's are not looked at here."""
    s.feed(event)
    return [record for record in s.records if not isinstance(record, m.Audit)]


def unchilled() -> Shop:
    """A shop whose products spoil never: time may pass."""
    s = shop()
    s.machine = replace(s.machine, groups={})
    s.state = with_cabinet(s.state, climate={}, overdue_s=None)
    s.cabinet.good_s = inf
    return s


def visit(event: str, **known: bool) -> vr.Visit:
    return vr.Visit.model_validate({"event": event, **known})


def door(s: Shop, *, is_open: bool) -> list[m.Body]:
    s.cabinet.door = is_open
    return written(s, vev.DoorChanged(is_open))


def later(s: Shop, seconds: float) -> list[m.Body]:
    s.now_s += seconds
    return written(s, vev.Overdue())


def test_an_open_door_begins_a_visit_and_a_closed_one_does_not_end_it() -> None:
    s = shop()
    assert door(s, is_open=True) == [vr.Door(open=True), visit("began", door=True)]
    assert (s.state.accepting, s.state.notes_accepted, s.readers[1].enabled) == (False, frozenset(), False)
    assert door(s, is_open=False) == [vr.Door(open=False)]
    s.buy("A1")
    assert s.sales[-1].tenders[0].tender == "test"
    assert written(s, ev.ServiceChanged(on=False)) == [visit("ended", door=True)]
    assert s.state.accepting


def test_door_and_word_are_one_visit() -> None:
    s = shop()
    assert written(s, ev.ServiceChanged(on=True)) == [visit("began", service=True)]
    assert door(s, is_open=True) == [vr.Door(open=True)]
    assert written(s, ev.ServiceChanged(on=True)) == []
    assert door(s, is_open=False) == [vr.Door(open=False)]
    assert written(s, ev.ServiceChanged(on=False)) == [visit("ended", door=True, service=True)]
    assert written(s, ev.ServiceChanged(on=False)) == []


def test_a_visit_goes_on_while_the_door_is_open_whatever_is_said() -> None:
    s = unchilled()
    door(s, is_open=True)
    assert written(s, ev.ServiceChanged(on=False)) == []
    assert later(s, 100_000.0) == []
    assert s.state.service
    assert door(s, is_open=False) == [vr.Door(open=False), visit("ended", door=True)]


def test_a_forgotten_visit_ends_by_itself_once_nothing_more_is_done() -> None:
    s = unchilled()
    door(s, is_open=True)
    door(s, is_open=False)
    assert later(s, 590.0) == []
    s.buy("A1")
    assert later(s, 590.0) == []
    s.feed(vev.Refilled({"A1": 4}))
    assert later(s, 598.0) == []
    assert later(s, 2.0) == [visit("ended", door=True)]
    s.feed(ev.SlotSelected("A1"))
    assert (s.motor, s.state.message) == ("", "price 1.50 EUR")


def test_a_forgotten_visit_is_over_before_the_next_customer_chooses() -> None:
    s = unchilled()
    door(s, is_open=True)
    door(s, is_open=False)
    s.now_s += 601.0
    s.feed(ev.SlotSelected("A1"))
    assert not s.motor


def test_a_visit_without_a_door_lasts_until_he_says_so() -> None:
    s = unchilled()
    s.feed(ev.ServiceChanged(on=True))
    assert later(s, 100_000.0) == []
    assert s.state.service


def test_the_same_door_told_again_is_nothing_new() -> None:
    s = shop()
    assert door(s, is_open=False) == []
    door(s, is_open=True)
    assert door(s, is_open=True) == []


def test_a_power_cut_in_a_visit() -> None:
    s = unchilled()
    door(s, is_open=True)
    s.power_cut()
    assert s.state.service
    assert s.state.cabinet.door_open, "the door is told again"
    door(s, is_open=False)
    s.power_cut()
    assert s.state.service
    assert visit("ended", door=True) in later(s, 601.0)


def test_a_card_that_is_in_the_reader_when_the_door_opens_buys_nothing() -> None:
    from edge.sale import card_events as cev

    s = shop()
    s.readers[1].session = True
    s.feed(cev.SessionBegan(1, None))
    door(s, is_open=True)
    s.feed(ev.SlotSelected("A1"))
    assert s.readers[1].asked_minor is None
    assert s.state.message == "no sale now: a technician is at the machine"


# --- products ---------------------------------------------------------------------------------------------


def refill(slot: str, product: str, before: int, after: int) -> vr.Refill:
    return vr.Refill(slot=slot, product=product, before=before, after=after, added=after - before)


def test_a_refill_keeps_what_was_there_on_arrival() -> None:
    s = shop()
    s.feed(vev.StockSet({"A1": 3, "B1": 1}))
    assert written(s, vev.Refilled({"A1": 9})) == []
    assert s.state.message == NO_VISIT
    door(s, is_open=True)
    assert written(s, vev.Refilled({"A1": 9})) == [refill("A1", "cola", 3, 9)]
    assert written(s, vev.Refilled({"A1": 9})) == [refill("A1", "cola", 9, 9)]
    assert written(s, vev.Refilled({"A1": 3})) == [refill("A1", "cola", 9, 3)], "taken back"
    assert s.state.stock["A1"] == 3


def test_all_to_par_with_exceptions() -> None:
    s = shop()
    par = STOCK - 10
    s.feed(vev.StockSet({"A1": par, "B1": 1, "C1": 5, "D1": 7}))
    door(s, is_open=True)
    records = written(s, vev.Refilled({"C1": 8}, others_to_par=True))
    assert records == [
        refill("B1", "water", 1, par),
        refill("C1", "gum", 5, 8),
        refill("D1", "lunch", 7, par),
    ]
    assert s.state.stock == {"A1": par, "B1": par, "C1": 8, "D1": par}


def test_a_correction_moves_no_product_and_needs_no_visit() -> None:
    s = shop()
    corrected = vr.StockCorrected(slot="A1", product="cola", before=STOCK, after=2)
    assert written(s, vev.StockSet({"A1": 2, "B1": STOCK})) == [corrected]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (vev.StockSet({"Z9": 1}), "there is no slot Z9"),
        (vev.StockSet({"A1": 401}), "slot A1 holds 0 to 400"),
        (vev.Refilled({"A1": -1}), "slot A1 holds 0 to 400"),
        (vev.Collected("\n"), "a bag number has 1 to 32 letters and digits"),
        (vev.GroupReleased("frozen"), "there is no product group frozen"),
        (vev.SlotReleased("Z9"), "there is no slot Z9"),
        (vev.GroupReleased("fresh"), ""),
        (ev.ServiceChanged(on=True), ""),
    ],
)
def test_what_is_refused_is_said_in_the_same_words_before_and_after(
    event: ev.TechnicianEvent, words: str
) -> None:
    s = shop()
    s.feed(ev.ServiceChanged(on=True))
    assert refusal(s.machine, s.state, event) == words
    stock = s.state.stock
    assert not words or written(s, event) == []
    assert s.state.stock == stock
    assert not words or s.state.message == words


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (vev.Refilled({}), NO_VISIT),
        (vev.Collected("7"), NO_VISIT),
        (vev.GroupReleased("fresh"), NO_SERVICE),
        (vev.SlotReleased("A1"), NO_SERVICE),
    ],
)
def test_what_needs_a_visit(event: ev.TechnicianEvent, words: str) -> None:
    s = shop()
    assert refusal(s.machine, s.state, event) == words
    door(s, is_open=True)
    assert refusal(s.machine, s.state, event) == ("" if words == NO_VISIT else NO_SERVICE)
    s.feed(ev.ServiceChanged(on=True))
    assert refusal(s.machine, s.state, event) == ""
    s.feed(ev.ServiceChanged(on=False))
    assert refusal(s.machine, s.state, event) == ("" if words == NO_VISIT else NO_SERVICE)


# --- the cash box -----------------------------------------------------------------------------------------


def test_a_collection_says_what_must_be_in_the_bag() -> None:
    s = shop()
    s.money(200, 200, 50)
    s.buy("D1")
    s.payout_ends()
    s.cash_minor += 500
    s.feed(ev.BillIn(0, 500, ev.BillRoute.CASHBOX))
    s.cash_minor += 1_000
    s.recycled[1] = 1
    s.feed(ev.BillIn(1, 1_000, ev.BillRoute.RECYCLER))
    door(s, is_open=True)
    tubes_minor = sum(n * v for n, v in zip(s.tubes, (5, 10, 20, 50, 100, 200), strict=True))
    bag = vr.Collection(
        bag="2026/17",
        cashbox_minor=400,
        stacker_minor=500,
        tubes_minor=tubes_minor,
        recycler_minor=1_000,
        currency="EUR",
    )
    assert written(s, vev.Collected("2026/17")) == [bag]
    again = bag.model_copy(update={"cashbox_minor": 0, "stacker_minor": 0})
    assert written(s, vev.Collected("2026/17")) == [again]


def test_no_collection_while_money_is_paid_out() -> None:
    s = shop()
    s.money(200)
    s.feed(ev.Lever())
    door(s, is_open=True)
    assert written(s, vev.Collected("7")) == []
    assert s.state.message == "money is being paid out: again in a moment"
    s.payout_ends()
    assert len(written(s, vev.Collected("7"))) == 1


def test_a_power_cut_keeps_what_is_in_the_cash_box() -> None:
    s = unchilled()
    s.money(200)
    s.power_cut()
    assert s.state.cashbox_minor == 200


def test_coins_that_no_event_told_of_are_written_down() -> None:
    s = shop()
    s.cash_minor += 10
    s.tubes[1] += 3
    records = written(s, ev.CoinIn(1, 10, ev.Route.TUBE, s.tubes[1]))
    assert records[1:] == [m.TubesCorrected(difference_minor=20, currency="EUR")]
    s.tubes[1] += 5
    records = written(s, ev.CoinsLoaded((0, 1), tuple(s.tubes)))
    assert records[1:] == [m.TubesCorrected(difference_minor=40, currency="EUR")]


def test_another_changer_brings_its_own_float() -> None:
    s = shop()
    s.feed(ev.ChangerLost("silent"))
    s.tubes = [3, 3]
    records = written(s, ev.ChangerReady((10, 20), (3, 3)))
    before_minor = 5 * (5 + 10 + 20 + 50 + 100)
    assert records[1:] == [m.TubesCorrected(difference_minor=90 - before_minor, currency="EUR")]
    records = written(s, ev.BillsReady((100,), (2,), escrow=True))
    assert records == [m.RecyclerCorrected(difference_minor=200, currency="EUR")]


# --- motors -----------------------------------------------------------------------------------------------


def lockout(event: str, reason: str) -> vr.Lockout:
    return vr.Lockout.model_validate({"event": event, "scope": "slot", "name": "A1", "reason": reason})


def failed_twice(s: Shop) -> None:
    s.money(100, 50)
    s.buy("A1", JAMMED)
    assert "A1" not in s.state.closed
    s.buy("A1", ev.VendResult.NO_DROP)


def test_a_slot_whose_motor_failed_twice_is_not_sold_and_others_are() -> None:
    s = unchilled()
    failed_twice(s)
    s.power_cut()
    s.feed(ev.BoardReady())
    s.feed(ev.ChangerReady(COINS, tuple(s.tubes)))
    s.feed(ev.SlotSelected("A1"))
    assert (s.motor, s.state.message) == ("", "out of order: please choose another product")
    s.feed(ev.FreeVend("A1"))
    assert not s.motor
    s.buy("B1")
    assert len(s.sales) == 1


def test_a_delivery_in_between_forgets_the_failure() -> None:
    s = shop()
    s.money(200, 100)
    for result in (JAMMED, DELIVERED, JAMMED):
        s.buy("A1", result)
        s.payout_ends()
    assert s.state.closed == {}


@pytest.mark.parametrize(
    "result", [ev.VendResult.LIFT_ERROR, ev.VendResult.NOT_STARTED, ev.VendResult.ABORTED]
)
def test_what_is_not_the_slots_fault_closes_none(result: ev.VendResult) -> None:
    s = shop()
    s.money(100, 50)
    for _ in range(3):
        s.buy("A1", result)
    assert s.state.closed == {}


def test_a_test_vend_that_delivers_opens_the_slot_and_one_that_fails_does_not() -> None:
    s = shop()
    failed_twice(s)
    s.feed(ev.ServiceChanged(on=True))
    s.buy("A1", JAMMED)
    assert "A1" in s.state.closed
    s.feed(ev.SlotSelected("A1"))
    s.motor, s.drops = "", s.drops + 1
    assert written(s, ev.VendEnded("A1", DELIVERED))[-1] == lockout("ended", "delivered")
    assert s.state.closed == {}


def test_the_technicians_word_opens_a_slot() -> None:
    s = shop()
    s.money(100, 50)
    s.buy("A1", JAMMED)
    s.feed(ev.SlotSelected("A1"))
    s.motor = ""
    assert written(s, ev.VendEnded("A1", JAMMED))[-1] == lockout("began", "jammed")
    s.feed(ev.ServiceChanged(on=True))
    assert written(s, vev.SlotReleased("A1")) == [lockout("ended", "released")]
    assert written(s, vev.SlotReleased("A1")) == []
    s.feed(ev.ServiceChanged(on=False))
    s.buy("A1")
    assert len(s.sales) == 1


def test_no_card_is_charged_for_a_slot_that_is_closed() -> None:
    from edge.sale import card_events as cev

    s = shop()
    failed_twice(s)
    s.feed(ev.Lever())
    s.payout_ends()
    s.readers[1].session = True
    s.feed(cev.SessionBegan(1, None))
    s.feed(ev.SlotSelected("A1"))
    assert s.readers[1].asked_minor is None
    assert s.state.message == "out of order: please choose another product"


def test_a_card_approved_for_a_slot_that_closed_meanwhile_is_refunded() -> None:
    from edge.sale import card_events as cev

    s = shop()
    s.readers[1].session = True
    s.feed(cev.SessionBegan(1, None))
    s.feed(ev.SlotSelected("A1"))
    s.now_s += 101.0
    s.cabinet.pass_time(101.0)
    s.approve(1, 150)
    assert (s.motor, s.readers[1].refunding_minor) == ("", 150)
