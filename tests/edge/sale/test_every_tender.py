"""Coins, notes, cards, free and test vends together, in every order: no money is lost or made."""

import os
from collections.abc import Callable, Iterator
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.sale import card_events as cev
from edge.sale import events as ev
from edge.sale import operator_events as op
from edge.sale import visit_events as vev
from edge.sale.machine import TABLE, step
from edge.sale.state import Phase, State
from edge.sale.step import Policy
from shared import records as m
from shared.messages import Config, PlannedSlot, PriceList
from tests.edge.sale.cabinet import cash, moved
from tests.edge.sale.floor import ACTIONS, COINS, Floor, calm, opened, walk

ORDERS = int(os.environ.get("VEND_TEST_ORDERS", "100000"))  # a longer run on demand
EVENTS_AN_ORDER = 10
ORDERS_A_FLOOR = 50
OWE = Policy(without_change="owe", reserve=2)
REVALUE = Policy(revalue_cards=True)
POLICIES = (OWE, None, REVALUE, None)
# What a canteen sees: prepaid cards are shown and charged up all day.
CANTEEN = [
    9 * weight if action in {Floor.show_card, Floor.reader_answers, Floor.insert_note} else weight
    for action, weight in ACTIONS.items()
]


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(list(ACTIONS)), max_size=60), st.integers(0, 2**32), st.sampled_from(POLICIES)
)
def test_no_story_loses_money(story: list[Callable[[Floor], None]], seed: int, policy: Policy | None) -> None:
    """The same as below, for a story that can be shrunk to the shortest one that fails."""
    floor = opened(seed, policy)
    for action in story:
        action(floor)
        floor.settle()
    calm(floor)


@pytest.mark.timeout(3_600)
def test_no_order_of_events_loses_money() -> None:
    """Each step is checked against the floor; each floor comes to rest in the end."""
    for seed in range(ORDERS // ORDERS_A_FLOOR):
        floor = opened(seed, POLICIES[seed % len(POLICIES)])
        walk(floor, ORDERS_A_FLOOR * EVENTS_AN_ORDER, _weights(floor))
        calm(floor)


def _weights(floor: Floor) -> list[int] | None:
    return CANTEEN if floor.policy.revalue_cards else None


def _states() -> Iterator[State]:
    """A few states of each phase, as they come up."""
    seen: dict[Phase, int] = dict.fromkeys(Phase, 0)
    for seed in range(100):
        floor = opened(seed, POLICIES[seed % len(POLICIES)])
        for _ in range(40):
            walk(floor, 1, _weights(floor))
            if seen[floor.state.phase] < 5:
                seen[floor.state.phase] += 1
                yield floor.state
    assert all(seen.values()), seen


EVENTS: dict[type, ev.Event] = {
    type(event): event
    for event in (
        ev.Booted(),
        ev.CoinIn(1, 10, ev.Route.TUBE, 3),
        ev.BillIn(0, 500, ev.BillRoute.RECYCLER),
        ev.BillEscrowed(1, 1_000),
        ev.BillReturned(1, 1_000),
        ev.Lever(),
        ev.ClaimEntered("12"),
        vev.ClaimPaid("12"),
        ev.SlotSelected("B1"),
        ev.FreeVend("B1"),
        ev.VendEnded("B1", ev.VendResult.JAMMED),
        ev.Tick(),
        cev.CardReady(1, always_idle=False, refunds=True, reports_cash=False),
        cev.CardLost(2, "silent"),
        cev.SessionBegan(1, None),
        cev.VendApproved(3, 65),
        cev.VendDenied(3, ""),
        cev.RefundEnded(3, ok=True),
        cev.SessionEnded(3),
        cev.RevalueEnded(1, ok=True),
        cev.RevalueLimit(1, 0),
        ev.PayoutEnded((1, 2, 3, 4, 5, 0)),
        ev.BillPayoutEnded((0, 1, 0)),
        ev.ChangerReady(COINS, (9, 9, 9, 9, 9, 0)),
        ev.ChangerLost("silent"),
        ev.CoinsLoaded((1, 1), (9, 9, 9, 9, 9, 0)),
        ev.CoinsTaken((1, 1), (0, 0, 0, 0, 0, 0)),
        ev.BillsReady((500, 1_000), (0, 0), escrow=False),
        ev.BillsLost("silent"),
        ev.RecyclerChanged((2, 2, 2)),
        ev.StackerChanged(full=True, bills=500),
        ev.BoardReady(),
        ev.BoardLost("silent"),
        ev.DeviceFault("validator", "jammed"),
        ev.DeviceFaultCleared("validator", "jammed"),
        ev.LinkChanged(up=True),
        ev.DiskChanged(ok=False),
        ev.PricesWanted(PriceList(version=99, currency="EUR", prices={"A1": 5})),
        ev.ConfigWanted(
            Config(version=3, slots={"A1": PlannedSlot(product="rum", capacity=9, par=9)}),
        ),
        ev.PricesDue(),
        ev.ServiceChanged(on=True),
        ev.AuditDue(),
        vev.DoorChanged(open=True),
        vev.TemperatureRead("board", 90),
        vev.ClockSet(10**18),
        vev.Overdue(),
        vev.Refilled({"A1": 2}, others_to_par=True),
        vev.StockSet({"A1": 3}),
        vev.Collected("bag 7"),
        vev.GroupReleased("fresh"),
        vev.SlotReleased("A1"),
        op.Locked(None, "flood"),
        op.Unlocked(None),
        op.MotorTested("B1"),
        op.ClaimCredited("12"),
    )
}


def test_whatever_a_device_says_whenever_it_says_it_the_books_balance() -> None:
    """Every event in every phase, also those that no device should send there."""
    assert EVENTS.keys() == TABLE.keys()
    machine = opened(0).machine
    for state in _states():
        for event in EVENTS.values():
            done = step(machine, state, event, 1_000.0)
            assert done.state.balanced()
            assert cash(done.state) - cash(state) == moved(done.records)
            for field in fields(State):
                assert getattr(done.state, field.name) is not None or field.default is None


class Shop(Floor):
    """A floor that a test leads by the hand."""

    def money(self, *values_minor: int) -> None:
        for value_minor in values_minor:
            coin = COINS.index(value_minor)
            self.cash_minor += value_minor
            self.tubes[coin] += coin < 5
            route = ev.Route.TUBE if coin < 5 else ev.Route.CASHBOX
            self.feed(ev.CoinIn(coin, value_minor, route, self.tubes[coin]))

    def note(self, bill: int, value_minor: int) -> None:
        self.escrow, self.stacking = bill, False
        self.feed(ev.BillEscrowed(bill, value_minor))
        self.settle()

    def buy(self, slot: str, result: ev.VendResult = ev.VendResult.DELIVERED) -> None:
        self.feed(ev.SlotSelected(slot))
        self.ended(result)

    def ended(self, result: ev.VendResult) -> None:
        slot, self.motor = self.motor, ""
        self.drops += result is ev.VendResult.DELIVERED
        self.feed(ev.VendEnded(slot, result))

    def approve(self, number: int, amount_minor: int) -> None:
        reader = self.readers[number]
        reader.asked_minor, reader.approved_minor = None, amount_minor
        self.card_minor += amount_minor
        self.feed(cev.VendApproved(number, amount_minor))

    def refund(self, number: int, *, ok: bool) -> None:
        reader = self.readers[number]
        amount_minor, reader.refunding_minor = reader.refunding_minor or 0, None
        self.card_minor -= amount_minor * ok
        self.feed(cev.RefundEnded(number, ok))


def shop(policy: Policy | None = None, *, readers: bool = True) -> Shop:
    import random

    floor = Shop(random.Random(1), policy or Policy())
    floor.feed(ev.BoardReady())
    floor.feed(ev.ChangerReady(COINS, tuple(floor.tubes)))
    floor.feed(ev.BillsReady((500, 1_000, 2_000), (0, 0, 0), escrow=True))
    if readers:
        floor.readers[1].up = True
        floor.feed(cev.CardReady(1, always_idle=False, refunds=True, reports_cash=True))
    return floor


def test_a_note_whose_change_cannot_be_paid_goes_back_and_one_that_can_buys() -> None:
    s = shop()
    assert s.state.notes_accepted == frozenset({0, 1}), "not even lunch leaves change for a twenty"
    s.note(2, 2_000)
    assert (s.escrow, s.state.message) == (None, "no change for 20.00 EUR")
    s.note(0, 500)
    assert s.stacking
    s.escrow, s.cash_minor = None, s.cash_minor + 500
    s.feed(ev.BillIn(0, 500, ev.BillRoute.CASHBOX))
    assert s.state.credit_minor == 500
    s.buy("D1")
    s.payout_ends()
    assert (s.state.phase, s.cash_minor) == (Phase.IDLE, 450)


def test_no_second_note_is_stacked_while_one_is_on_its_way() -> None:
    s = shop()
    s.note(0, 500)
    assert s.stacking
    s.feed(ev.BillEscrowed(0, 500))
    assert not s.stacking


def test_a_note_that_comes_in_while_notes_go_out_is_counted() -> None:
    s = shop()
    s.recycled = [2, 0, 0]
    s.feed(ev.RecyclerChanged((2, 0, 0)))
    for _ in range(5):
        s.money(100)
    s.cash_minor += 500
    s.recycled = [3, 0, 0]
    s.feed(ev.BillIn(0, 500, ev.BillRoute.RECYCLER))
    s.feed(ev.Lever())
    assert s.notes_out == (2, 0, 0)
    s.cash_minor += 500
    s.recycled = [4, 0, 0]
    s.feed(ev.BillIn(0, 500, ev.BillRoute.RECYCLER))
    s.cash_minor -= 1_000
    s.recycled, s.notes_out = [2, 0, 0], None
    s.feed(ev.BillPayoutEnded((2, 0, 0)))
    assert (s.state.credit_minor, s.state.totals.paid_out_minor, s.state.totals.owed_minor) == (500, 1_000, 0)


def test_a_card_sale_with_the_network_down() -> None:
    s = shop()
    s.feed(ev.LinkChanged(up=False))
    s.readers[1].session = True
    s.feed(cev.SessionBegan(1, 500))
    s.feed(ev.SlotSelected("B1"))
    assert s.readers[1].asked_minor == 65, "the price for cards"
    s.approve(1, 60)  # the card grants a discount
    s.ended(ev.VendResult.DELIVERED)
    (sale,) = s.sales
    assert (sale.price_minor, sale.paid_minor, sale.link_down) == (65, 60, True)
    assert sale.tenders == (m.TenderAmount(tender="card", amount_minor=60),)
    assert (s.state.phase, s.readers[1].ending) == (Phase.CLOSING, True)
    s.reader_answers()
    calm(s)
    assert s.state.phase is Phase.IDLE


def test_a_jam_refunds_the_card_and_never_pays_cash() -> None:
    s = shop()
    s.readers[1].session = True
    s.feed(cev.SessionBegan(1, None))
    s.feed(ev.SlotSelected("A1"))
    s.approve(1, 150)
    s.ended(ev.VendResult.JAMMED)
    assert (s.state.phase, s.readers[1].refunding_minor) == (Phase.REFUNDING, 150)
    s.refund(1, ok=True)
    assert (s.card_minor, s.coins_out, s.state.totals.refunded_minor) == (0, None, 150)


def test_a_refund_that_fails_leaves_a_code_that_is_good_once() -> None:
    s = shop()
    s.readers[1].session = True
    s.feed(cev.SessionBegan(1, None))
    s.feed(ev.SlotSelected("A1"))
    s.approve(1, 150)
    s.ended(ev.VendResult.NO_DROP)
    s.refund(1, ok=False)
    (code,) = s.codes
    assert s.state.message == f"we owe you 1.50 EUR: code {code}"
    s.feed(ev.ClaimEntered(code.replace("-", "")))
    assert (s.state.credit_minor, s.state.claims) == (150, {})
    s.buy("A1")
    s.feed(ev.ClaimEntered(code))
    assert s.state.credit_minor == 0
    assert s.state.message == "this code is not known here"


def test_guessing_codes_makes_the_machine_deaf_until_a_technician_comes() -> None:
    s = shop()
    s.feed(ev.ChangerLost("silent"))
    s.feed(ev.ChangerReady(COINS, tuple(s.tubes)))
    s.money(200, 200)
    s.feed(ev.Lever())
    while s.state.phase is Phase.PAYING:
        s.coins_out = None
        s.feed(ev.PayoutEnded(tuple(s.tubes)))  # nothing comes out, of any type: all of it is owed
    (code,) = s.codes
    for guess in range(5):
        s.feed(ev.ClaimEntered(f"0001-{guess:06}"))
    s.feed(ev.ClaimEntered(code))
    assert (s.state.credit_minor, s.state.message) == (0, "too many wrong codes: please ask the operator")
    s.feed(ev.ServiceChanged(on=True))
    s.feed(ev.ServiceChanged(on=False))
    s.feed(ev.ClaimEntered(code))
    assert s.state.credit_minor == 400


def test_coins_while_a_reader_waits_for_a_card_are_the_customers_choice() -> None:
    s = shop(readers=False)
    s.readers[2].up = True
    s.feed(cev.CardReady(2, always_idle=True, refunds=True, reports_cash=False))
    s.feed(ev.SlotSelected("B1"))
    assert (s.state.phase, s.readers[2].asked_minor) == (Phase.AUTHORISING, 65)
    s.money(50)
    assert s.readers[2].cancelled
    s.readers[2].asked_minor = None
    s.feed(cev.VendDenied(2, "cancelled"))
    s.readers[2].ending = False
    s.feed(cev.SessionEnded(2))
    assert (s.state.phase, s.state.credit_minor) == (Phase.CREDIT, 50)
    s.money(10)
    s.buy("B1")
    assert s.sales[0].tenders[0].tender == "cash"


def test_one_tender_at_a_time() -> None:
    s = shop()
    assert (s.state.accepting, s.readers[1].enabled) == (True, True)
    s.money(50)
    assert (s.state.accepting, s.readers[1].enabled) == (True, False)
    s.feed(ev.Lever())
    s.payout_ends()
    assert s.readers[1].enabled
    s.readers[1].session = True
    s.feed(cev.SessionBegan(1, None))
    assert (s.state.accepting, s.state.notes_accepted) == (False, frozenset())


def test_power_fails_between_approval_and_drop_and_the_board_says_it_jammed() -> None:
    s = shop()
    s.readers[1].session = True
    s.feed(cev.SessionBegan(1, None))
    s.feed(ev.SlotSelected("A1"))
    s.approve(1, 150)
    s.power_cut()
    s.feed(ev.BoardReady())
    s.ended(ev.VendResult.JAMMED)
    assert len(s.codes) == 1, "the reader took its reset for a sale: the card cannot be refunded any more"
    assert (s.state.phase, s.state.totals.owed_minor) == (Phase.IDLE, 150)


def test_test_vends_and_free_vends_move_no_money() -> None:
    s = shop()
    s.feed(ev.ServiceChanged(on=True))
    assert s.state.accepting is False
    s.buy("A1")
    s.feed(ev.ServiceChanged(on=False))
    s.feed(ev.FreeVend("B1"))
    s.ended(ev.VendResult.DELIVERED)
    assert [(x.tenders[0].tender, x.paid_minor) for x in s.sales] == [("test", 0), ("free", 0)]
    assert s.state.totals.sold_minor == 0


def test_a_cash_sale_is_reported_to_readers_that_keep_books() -> None:
    s = shop()
    s.money(50, 10)
    done = step(s.machine, s.state, ev.SlotSelected("B1"), 1.0)
    done = step(s.machine, done.state, ev.VendEnded("B1", ev.VendResult.DELIVERED), 2.0)
    from edge.sale import effects as act

    assert act.ReportCashSale(1, 60, 21) in done.effects


@pytest.mark.parametrize(("reserve", "bought"), [(0, True), (5, False)])
def test_the_reserve_of_the_tubes_is_not_promised_as_change(reserve: int, bought: bool) -> None:
    s = shop(Policy(reserve=reserve))
    s.money(200)
    s.feed(ev.SlotSelected("B1"))
    assert bool(s.motor) is bought


def test_without_change_the_rest_is_owed_where_the_operator_wants_that() -> None:
    s = shop(Policy(without_change="owe"))
    s.tubes = [0, 0, 0, 0, 0, 0]
    s.feed(ev.CoinsTaken((5, 5, 5, 5, 5, 0), (0, 0, 0, 0, 0, 0)))
    s.money(200)
    s.buy("A1")
    assert s.sales
    assert s.state.claims == {1: 50}
    assert s.state.phase is Phase.IDLE


@pytest.mark.parametrize(
    ("bills", "credit_minor", "faults"), [(44, 500, []), (43, 0, []), (0, 0, ["note_in_doubt"])]
)
def test_a_note_on_its_way_when_the_power_fails_is_told_by_the_stackers_count(
    bills: int, credit_minor: int, faults: list[str]
) -> None:
    s = shop()
    s.feed(ev.StackerChanged(full=False, bills=43))
    s.note(0, 500)
    s.escrow, s.stacking = None, False  # the validator's word on it was lost
    s.cash_minor += credit_minor
    s.feed(ev.Booted())
    s.feed(ev.BillsReady((500, 1_000, 2_000), (0, 0, 0), escrow=True))
    s.feed(ev.StackerChanged(full=False, bills=bills))
    assert s.state.credit_minor == credit_minor
    assert [r.code for r in s.history if isinstance(r, m.Fault)] == faults
    s.feed(ev.StackerChanged(full=False, bills=bills + 1))
    assert s.state.credit_minor == credit_minor, "the next note has an event of its own"


def test_a_note_on_its_way_when_the_power_fails_is_told_by_the_recyclers_count() -> None:
    s = shop()
    s.note(0, 500)
    s.escrow, s.stacking = None, False
    s.cash_minor, s.recycled = 500, [1, 0, 0]
    s.feed(ev.Booted())
    s.feed(ev.BillsReady((500, 1_000, 2_000), (1, 0, 0), escrow=True))
    s.feed(ev.StackerChanged(full=False, bills=0))
    found = [r for r in s.history if isinstance(r, m.CashIn)]
    assert [(r.value_minor, r.route, r.found) for r in found] == [(500, "recycler", True)]
    assert not [r for r in s.history if isinstance(r, m.RecyclerCorrected)]


def test_a_note_that_is_told_after_a_start_is_not_counted_again() -> None:
    s = shop()
    s.feed(ev.StackerChanged(full=False, bills=43))
    s.note(0, 500)
    s.escrow, s.stacking, s.cash_minor = None, False, 500
    s.feed(ev.Booted())
    s.feed(ev.BillIn(0, 500, ev.BillRoute.CASHBOX))
    s.feed(ev.BillsReady((500, 1_000, 2_000), (0, 0, 0), escrow=True))
    s.feed(ev.StackerChanged(full=False, bills=44))
    assert s.state.credit_minor == 500


def charged_when_the_power_failed() -> Shop:
    """A motor that may have run, and a reader whose approval has become a sale by its reset."""
    s = shop()
    s.readers[1].session = True
    s.feed(cev.SessionBegan(1, None))
    s.feed(ev.SlotSelected("A1"))
    s.approve(1, 150)
    s.readers[1].reset()
    s.feed(ev.Booted())
    s.feed(cev.CardReady(1, always_idle=False, refunds=True, reports_cash=True))
    return s


@pytest.mark.parametrize("result", [ev.VendResult.DELIVERED, ev.VendResult.JAMMED])
def test_a_card_that_comes_after_the_reader_was_reset_under_a_vend_is_let_go(result: ev.VendResult) -> None:
    s = charged_when_the_power_failed()
    s.readers[1].session = True
    s.feed(cev.SessionBegan(1, None))
    s.ended(result)
    assert (s.state.phase, s.readers[1].ending) == (Phase.CLOSING, True)
    s.feed(cev.SessionEnded(1))
    assert s.state.phase is Phase.IDLE


def test_a_session_that_ended_with_the_power_is_not_waited_for() -> None:
    s = charged_when_the_power_failed()
    s.ended(ev.VendResult.DELIVERED)
    assert s.state.phase is Phase.IDLE


def test_an_approval_after_its_time_is_refunded() -> None:
    s = shop()
    s.feed(cev.SessionBegan(1, None))
    s.readers[1].session = True
    s.feed(ev.SlotSelected("A1"))
    s.now_s += 200.0  # the journal took nothing for so long
    s.approve(1, 150)
    assert s.state.phase is Phase.REFUNDING
    assert not s.motor


def test_an_outage_is_one_fault_and_its_end() -> None:
    s = shop()
    s.history.clear()
    lost = (ev.ChangerLost, ev.BillsLost, ev.BoardLost, lambda reason: cev.CardLost(1, reason))
    for event in (made(reason) for made in lost for reason in ("silent", "port_lost")):
        s.feed(event)
    s.feed(ev.ChangerReady(COINS, tuple(s.tubes)))
    s.feed(ev.BillsReady((500, 1_000, 2_000), (0, 0, 0), escrow=True))
    s.feed(ev.BoardReady())
    s.feed(cev.CardReady(1, always_idle=False, refunds=True, reports_cash=True))
    told = [(type(r), r.device, r.code) for r in s.history if isinstance(r, m.Fault | m.FaultCleared)]
    devices = ("changer", "validator", "board")
    assert [row for row in told if row[1] != "reader_1"] == [
        *((m.Fault, device, "offline") for device in devices),
        *((m.FaultCleared, device, "offline") for device in devices),
    ]
    assert [(kind, code) for kind, device, code in told if device == "reader_1"] == [
        (m.Fault, "silent"),
        (m.FaultCleared, "silent"),
        (m.Fault, "port_lost"),
        (m.FaultCleared, "port_lost"),
    ]


def test_the_screen_asks_nobody_who_has_left() -> None:
    s = shop()
    s.money(50)
    s.feed(ev.Lever())
    s.payout_ends()
    assert s.state.message == ""
    s.feed(cev.SessionBegan(1, None))
    s.feed(ev.Lever())
    assert s.state.message == ""
    s.feed(cev.SessionEnded(1))
    s.feed(cev.SessionBegan(1, None))
    s.feed(cev.SessionEnded(1))
    assert s.state.message == ""
    s.feed(cev.SessionBegan(1, None))
    s.feed(cev.CardLost(1, "network"))
    assert s.state.message == "card reader network"
