"""The sale against a small model of the hardware: coins and products are counted, whatever the books say."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pydantic import TypeAdapter

from edge.sale import claims
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale.change import worth
from edge.sale.devices import PAYOUT_PATIENCE_S
from edge.sale.machine import TABLE, step
from edge.sale.motor import VEND_LIMIT_S
from edge.sale.state import Phase, State
from edge.sale.step import Machine, Step
from shared import records as m
from shared.messages import PriceList

VALUES = (5, 10, 20, 50, 100, 200)
CAPACITY = (6, 6, 6, 6, 6, 0)  # the two-euro coin has no tube
PRICES = {"A1": 150, "B1": 60, "C1": 35}
MACHINE = Machine(
    {"A1": "cola", "B1": "water", "C1": "gum"}, "test", items={"A1": 11, "B1": 21, "C1": 31}, claim_key=b"key"
)
ADAPTER = TypeAdapter(State)
MAY_RUN_A_MOTOR = (ev.SlotSelected,)
MAY_PAY = (ev.VendEnded, ev.Tick, ev.Lever, ev.PayoutEnded, ev.ChangerReady)


def price_list(version: int = 0, **prices: int) -> PriceList:
    return PriceList(version=version, currency="EUR", prices={**PRICES, **prices})


def fresh(stock: int = 20) -> State:
    return State(prices=price_list(), stock=dict.fromkeys(PRICES, stock))


class Session:
    """Runs events one after another and keeps all that came of them."""

    def __init__(self, tubes: tuple[int, ...] = (3, 3, 3, 3, 3, 0), stock: int = 20) -> None:
        self.state = fresh(stock)
        self.records: list[m.Body] = []
        self.effects: list[act.Effect] = []
        self.now_s = 100.0
        self.run(ev.Booted(), ev.ChangerReady(VALUES, tubes), ev.BoardReady())
        self.forget()

    def forget(self) -> None:
        self.records.clear()
        self.effects.clear()

    def run(self, *events: ev.Event) -> Step:
        done = Step(self.state)
        for event in events:
            done = step(MACHINE, self.state, event, self.now_s)
            self.state = done.state
            self.records += done.records
            self.effects += done.effects
        return done

    def insert(self, value_minor: int) -> None:
        coin = VALUES.index(value_minor)
        if CAPACITY[coin]:
            self.run(ev.CoinIn(coin, value_minor, ev.Route.TUBE, self.state.tubes[coin] + 1))
        else:
            self.run(ev.CoinIn(coin, value_minor, ev.Route.CASHBOX, 0))

    def restart(self) -> None:
        self.state = ADAPTER.validate_json(ADAPTER.dump_json(self.state))
        self.run(ev.Booted())

    def of(self, kind: type[m.Body]) -> list[m.Body]:
        return [record for record in self.records if isinstance(record, kind)]

    def motors(self) -> list[act.Effect]:
        return [effect for effect in self.effects if isinstance(effect, act.RunMotor)]

    def payouts(self) -> list[tuple[int, ...]]:
        return [effect.coins for effect in self.effects if isinstance(effect, act.PayOut)]


class Vending(RuleBasedStateMachine):
    """Customers, faults and power cuts in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.state = fresh()
        self.now_s = 10.0
        self.tubes = [3, 3, 3, 3, 3, 0]
        self.in_minor = 0
        self.paid_minor = 0
        self.motor = ""  # the slot whose motor runs
        self.drops = 0
        self.doubtful = 0
        self.order: tuple[int, ...] | None = None  # coins ordered, not yet paid
        self.unreported = 0  # coins that fell while the program was dead
        self.session = self.state.prices
        self.version = 0
        self.sales: list[m.Sale] = []
        self.feed(ev.Booted())

    def feed(self, event: ev.Event) -> None:
        self.now_s += 0.5
        if self.state.phase is Phase.IDLE:
            self.session = self.state.prices
        done = step(MACHINE, self.state, event, self.now_s)
        self.state = done.state
        for record in done.records:
            if isinstance(record, m.Sale):
                self.sales.append(record)
                assert record.price_minor == self.session.prices[record.slot]
                assert record.price_version == self.session.version
        for effect in done.effects:
            if isinstance(effect, act.RunMotor):
                assert isinstance(event, MAY_RUN_A_MOTOR)
                assert not self.motor, "a motor is started while one runs"
                self.motor = effect.slot
            elif isinstance(effect, act.PayOut):
                assert isinstance(event, MAY_PAY)
                assert self.order is None, "coins are ordered twice"
                assert all(n <= have for n, have in zip(effect.coins, self.tubes, strict=True))
                assert effect.tubes == self.state.tubes
                assert worth(effect.coins, VALUES) <= self.state.credit_minor
                self.order = effect.coins

    def ready(self) -> bool:
        return not self.state.changer

    def pay(self, share: int) -> None:
        """The changer pays what it can of an order: all for 4, nothing for 0."""
        assert self.order is not None
        for coin, count in enumerate(self.order):
            paid = count * share // 4
            self.tubes[coin] -= paid
            self.paid_minor += paid * VALUES[coin]
        self.order = None

    @rule(coin=st.integers(0, 5))
    @precondition(ready)
    def insert(self, coin: int) -> None:
        self.in_minor += VALUES[coin]
        if self.tubes[coin] < CAPACITY[coin]:
            self.tubes[coin] += 1
            # While coins leave the tubes the changer's count is in motion; the sale takes the difference.
            self.feed(ev.CoinIn(coin, VALUES[coin], ev.Route.TUBE, self.tubes[coin]))
        else:
            self.feed(ev.CoinIn(coin, VALUES[coin], ev.Route.CASHBOX, self.tubes[coin]))

    @rule(slot=st.sampled_from([*PRICES, "Z9"]))
    def select(self, slot: str) -> None:
        self.feed(ev.SlotSelected(slot))

    @rule()
    def lever(self) -> None:
        self.feed(ev.Lever())

    @rule(result=st.sampled_from([ev.VendResult.DELIVERED, *ev.VendResult]))
    @precondition(lambda self: self.motor)
    def motor_ends(self, result: ev.VendResult) -> None:
        slot, self.motor = self.motor, ""
        self.drops += result is ev.VendResult.DELIVERED
        self.feed(ev.VendEnded(slot, result))

    @rule()
    @precondition(lambda self: self.motor)
    def motor_never_answers(self) -> None:
        self.motor = ""
        self.doubtful += 1
        self.feed(ev.Tick())

    @rule(slot=st.sampled_from([*PRICES]), result=st.sampled_from(ev.VendResult))
    @precondition(lambda self: not self.motor)
    def late_word(self, slot: str, result: ev.VendResult) -> None:
        self.feed(ev.VendEnded(slot, result))

    @rule()
    @precondition(lambda self: not self.motor and self.state.phase is not Phase.PAYING)
    def idle_tick(self) -> None:
        self.feed(ev.Tick())

    @rule(share=st.integers(0, 4))
    @precondition(lambda self: self.order is not None and self.ready())
    def payout_ends(self, share: int) -> None:
        self.pay(share)
        self.feed(ev.PayoutEnded(tuple(self.tubes)))

    @rule(share=st.integers(0, 4))
    def changer_lost(self, share: int) -> None:
        if self.order is not None:
            self.pay(share)
        self.feed(ev.ChangerLost("silent"))

    @rule()
    @precondition(lambda self: not self.ready())
    def changer_ready(self) -> None:
        if self.order is not None:
            self.pay(4)
        self.feed(ev.ChangerReady(VALUES, tuple(self.tubes)))
        self.unreported = 0

    @rule(up=st.booleans())
    def board(self, up: bool) -> None:
        self.feed(ev.BoardReady() if up else ev.BoardLost("silent"))

    @rule(price=st.integers(1, 40).map(lambda n: n * 5))
    def new_prices(self, price: int) -> None:
        self.version += 1
        self.feed(ev.PricesWanted(price_list(self.version, B1=price)))

    @rule(ok=st.booleans())
    def disk(self, ok: bool) -> None:
        self.feed(ev.DiskChanged(ok))

    @rule(event=st.sampled_from([ev.LinkChanged(True), ev.AuditDue(), ev.DeviceFault("changer", "coin_jam")]))
    def bystander(self, event: ev.Event) -> None:
        self.feed(event)

    @rule(share=st.integers(0, 4), lost=st.lists(st.integers(0, 4), max_size=3))
    def power_cut(self, share: int, lost: list[int]) -> None:
        """The program dies; the hardware finishes what it does. Coins may fall that nobody reports."""
        # Nobody can miss a coin in tubes that were never counted, or tell it from change going out.
        countable = self.state.tubes and self.state.phase is not Phase.PAYING
        if self.order is not None:
            self.pay(share)
        for coin in lost:
            if countable and self.unreported < 8 and self.tubes[coin] < CAPACITY[coin]:
                self.tubes[coin] += 1
                self.in_minor += VALUES[coin]
                self.unreported += 1
        self.state = ADAPTER.validate_json(ADAPTER.dump_json(self.state))
        motor, phase = self.motor, self.state.phase
        self.feed(ev.Booted())
        assert self.motor == motor
        assert self.order is None
        if phase is not Phase.IDLE:
            assert self.state.phase is phase

    @invariant()
    def books_balance(self) -> None:
        state = self.state
        assert state.balanced()
        if state.phase is not Phase.PAYING and not self.unreported:
            kept = state.totals.sold_minor + state.totals.owed_minor + state.credit_minor + state.held_minor
            assert self.in_minor - self.paid_minor == kept

    @invariant()
    def tubes_are_known(self) -> None:
        if self.state.tubes and self.state.phase is not Phase.PAYING and not self.unreported:
            assert self.state.tubes == tuple(self.tubes)

    @invariant()
    def every_drop_is_one_sale(self) -> None:
        assert len(self.sales) == self.state.totals.sales == self.drops + self.doubtful
        assert sum(s.outcome == "doubtful" for s in self.sales) == self.doubtful
        assert sum(s.price_minor for s in self.sales) == self.state.totals.sold_minor
        assert sum(self.state.stock.values()) == max(0, 60 - len(self.sales))

    @invariant()
    def nothing_is_charged_without_a_motor(self) -> None:
        assert bool(self.state.vend) == (self.state.phase is Phase.VENDING) == bool(self.motor)
        assert (self.state.phase is Phase.IDLE) <= (self.state.credit_minor == 0)


Vending.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_no_story_loses_money = Vending.TestCase


def test_every_cell_of_the_table_is_decided() -> None:
    assert set(TABLE) == set(get_args(ev.Event))
    assert {event: set(row) for event, row in TABLE.items()} == {event: set(Phase) for event in TABLE}


def test_a_sale_with_change() -> None:
    s = Session()
    s.insert(100)
    s.run(ev.SlotSelected("B1"))
    assert s.motors() == [act.RunMotor("B1")]
    s.run(ev.VendEnded("B1", ev.VendResult.DELIVERED))
    assert s.payouts() == [(0, 0, 2, 0, 0, 0)]
    s.run(ev.PayoutEnded((3, 3, 1, 3, 4, 0)))
    (sale,) = s.of(m.Sale)
    assert isinstance(sale, m.Sale)
    assert (sale.price_minor, sale.outcome, sale.stock_left) == (60, "delivered", 19)
    assert s.of(m.Payout) == [m.Payout(wanted_minor=40, paid_minor=40, currency="EUR", reason="change")]
    assert (s.state.phase, s.state.credit_minor) == (Phase.IDLE, 0)


def test_exact_money_pays_no_change() -> None:
    s = Session()
    for value in (50, 10):
        s.insert(value)
    s.run(ev.SlotSelected("B1"), ev.VendEnded("B1", ev.VendResult.DELIVERED))
    assert s.payouts() == []
    assert s.state.phase is Phase.IDLE


@pytest.mark.parametrize("result", [r for r in ev.VendResult if r is not ev.VendResult.DELIVERED])
def test_a_failed_vend_gives_the_credit_back(result: ev.VendResult) -> None:
    s = Session()
    s.insert(100)
    s.run(ev.SlotSelected("B1"), ev.VendEnded("B1", result))
    assert (s.state.phase, s.state.credit_minor, s.state.stock["B1"]) == (Phase.CREDIT, 100, 20)
    assert s.of(m.Sale) == []
    assert len(s.of(m.VendFailed)) == 1
    s.run(ev.Lever())
    assert s.payouts() == [(0, 0, 0, 0, 1, 0)]


def test_a_silent_motor_is_one_doubtful_sale_and_the_late_word_moves_no_money() -> None:
    s = Session()
    s.insert(50)
    s.insert(10)
    s.run(ev.SlotSelected("B1"))
    assert s.state.deadline_s == s.now_s + VEND_LIMIT_S
    s.now_s += VEND_LIMIT_S
    s.run(ev.Tick(), ev.Tick())
    totals = s.state.totals
    s.run(ev.VendEnded("B1", ev.VendResult.NO_DROP), ev.VendEnded("B1", ev.VendResult.DELIVERED))
    (sale,) = s.of(m.Sale)
    assert isinstance(sale, m.Sale)
    assert sale.outcome == "doubtful"
    assert s.state.totals == totals
    assert len(s.motors()) == 1


def test_a_vend_cut_by_a_restart_still_takes_the_boards_word() -> None:
    s = Session()
    s.insert(50)
    s.insert(10)
    s.run(ev.SlotSelected("B1"))
    s.now_s = 1.0  # another run of the clock
    s.restart()
    assert s.state.deadline_s == 1.0 + VEND_LIMIT_S
    s.run(ev.BoardReady(), ev.VendEnded("B1", ev.VendResult.DELIVERED))
    (sale,) = s.of(m.Sale)
    assert isinstance(sale, m.Sale)
    assert (sale.outcome, sale.price_minor) == ("delivered", 60)
    assert len(s.motors()) == 1


@pytest.mark.parametrize(("tube", "orders"), [(4, 2), (3, 1)])
def test_a_payout_cut_by_a_restart_is_read_off_the_tubes_and_goes_on(tube: int, orders: int) -> None:
    s = Session()
    s.insert(100)
    s.run(ev.Lever())
    s.restart()
    s.run(ev.ChangerReady(VALUES, (3, 3, 3, 3, tube, 0)))
    assert s.payouts() == [(0, 0, 0, 0, 1, 0)] * orders
    s.run(ev.PayoutEnded((3, 3, 3, 3, 3, 0)))
    assert (s.state.totals.paid_out_minor, s.state.totals.owed_minor) == (100, 0)
    assert s.state.phase is Phase.IDLE


def test_a_coin_that_falls_in_while_others_fall_out_is_credit() -> None:
    s = Session()
    s.insert(100)
    s.run(ev.Lever(), ev.CoinIn(4, 100, ev.Route.TUBE, 4))
    s.run(ev.PayoutEnded((3, 3, 3, 3, 4, 0)))  # 4 + 1 - 1
    assert (s.state.credit_minor, s.state.totals.paid_out_minor, s.state.totals.owed_minor) == (100, 100, 0)
    assert s.state.phase is Phase.CREDIT


def test_tubes_that_run_short_leave_a_claim() -> None:
    s = Session()
    s.insert(50)
    s.insert(20)
    s.run(ev.Lever(), ev.PayoutEnded((3, 3, 4, 3, 3, 0)))
    assert s.payouts() == [(0, 0, 1, 1, 0, 0), (0, 2, 0, 0, 0, 0)], "other coins instead of those that stuck"
    s.run(ev.PayoutEnded((3, 3, 4, 3, 3, 0)), ev.PayoutEnded((3, 3, 4, 3, 3, 0)))
    assert s.of(m.Owed) == [
        m.Owed(amount_minor=20, currency="EUR", reason="tubes_ran_short", claim=claims.code(b"key", 1, 20))
    ]
    assert s.state.message == f"we owe you 0.20 EUR: code {claims.code(b'key', 1, 20)}"


def test_no_change_no_sale() -> None:
    s = Session(tubes=(0, 0, 0, 0, 0, 0))
    s.insert(100)
    s.run(ev.SlotSelected("B1"))
    assert s.motors() == []
    assert s.state.message == "no change: insert the exact amount"
    assert s.state.credit_minor == 100
    s.insert(20)
    s.insert(20)  # 140: the change of 80 is not in the tubes either
    s.run(ev.SlotSelected("B1"))
    assert s.motors() == []
    s.run(ev.Lever())
    assert s.payouts() == [(0, 0, 2, 0, 1, 0)]


def test_change_from_a_changer_that_is_away_is_refused_and_the_exact_sale_is_not() -> None:
    s = Session()
    s.insert(50)
    s.insert(20)
    s.run(ev.ChangerLost("silent"), ev.SlotSelected("B1"))
    assert s.state.message == "no change now: coin changer does not answer"
    s.insert(10)
    s.insert(50)
    s.insert(20)
    s.run(ev.SlotSelected("A1"))
    assert s.motors() == [act.RunMotor("A1")]


def test_refusals_have_their_reason() -> None:
    s = Session(stock=0)
    s.insert(200)
    s.run(ev.SlotSelected("A1"))
    assert s.state.message == "sold out"
    s.run(ev.SlotSelected("Z9"))
    assert s.state.message == "no such selection"
    s.run(ev.BoardLost("unplugged"), ev.SlotSelected("A1"))
    assert "motor board unplugged" in s.state.message
    s.run(ev.DiskChanged(False), ev.SlotSelected("A1"))
    assert "disk full" in s.state.message
    assert s.motors() == []
    assert s.state.credit_minor == 200


def test_too_little_money_shows_the_price() -> None:
    s = Session()
    s.insert(20)
    s.run(ev.SlotSelected("B1"))
    assert s.state.message.startswith("price ")
    assert s.motors() == []


def test_a_price_never_changes_inside_a_session() -> None:
    s = Session()
    s.insert(50)
    s.run(ev.PricesWanted(price_list(7, B1=200)))
    s.insert(10)
    s.run(ev.SlotSelected("B1"), ev.VendEnded("B1", ev.VendResult.DELIVERED))
    (sale,) = s.of(m.Sale)
    assert isinstance(sale, m.Sale)
    assert (sale.price_minor, sale.price_version) == (60, 0)
    assert s.state.prices.prices["B1"] == 200
    assert s.records[-1] == m.Applied(price_version=7)


def test_prices_wait_through_a_restart_for_the_customer_to_leave() -> None:
    s = Session()
    s.insert(50)
    s.run(ev.PricesWanted(price_list(7, B1=200)))
    s.restart()
    assert s.state.prices.version == 0
    s.run(ev.ChangerReady(VALUES, (3, 3, 3, 4, 3, 0)), ev.Lever(), ev.PayoutEnded((3, 3, 3, 3, 3, 0)))
    assert s.state.prices.version == 7


@pytest.mark.parametrize("coins", [1, 8])
def test_a_few_coins_found_in_the_tubes_are_the_customers(coins: int) -> None:
    s = Session()
    s.restart()
    s.forget()
    s.run(ev.ChangerReady(VALUES, (3, 3, 3 + coins, 3, 3, 0)))
    found = m.CashIn(value_minor=20, currency="EUR", medium="coin", type=2, route="tube", found=True)
    assert s.records == [found] * coins
    assert (s.state.credit_minor, s.state.phase) == (20 * coins, Phase.CREDIT)


@pytest.mark.parametrize("tubes", [(3, 3, 12, 3, 3, 0), (3, 3, 2, 3, 3, 0), (3, 3, 2, 4, 3, 0)])
def test_tubes_changed_by_hand_are_only_written_down(tubes: tuple[int, ...]) -> None:
    s = Session()
    s.restart()
    s.forget()
    s.run(ev.ChangerReady(VALUES, tubes))
    difference = worth(tubes, VALUES) - worth((3, 3, 3, 3, 3, 0), VALUES)
    assert s.records == [m.TubesCorrected(difference_minor=difference, currency="EUR")]
    assert (s.state.credit_minor, s.state.phase, s.state.tubes) == (0, Phase.IDLE, tubes)


def test_another_changer_brings_its_own_tubes() -> None:
    s = Session()
    s.run(ev.ChangerLost("silent"))
    s.forget()
    s.run(ev.ChangerReady((10, 20, 50), (9, 9, 9)))
    assert s.of(m.CashIn) == []
    assert (s.state.tubes, s.state.credit_minor) == ((9, 9, 9), 0)


def test_another_changer_in_the_middle_of_a_payout_brings_its_own_tubes() -> None:
    s = Session()
    s.insert(100)
    s.run(ev.Lever(), ev.ChangerLost("silent"), ev.ChangerReady((10, 20, 50), (9, 9, 9)))
    assert s.of(m.Owed) == [
        m.Owed(amount_minor=100, currency="EUR", reason="payout_in_doubt", claim=claims.code(b"key", 1, 100))
    ]
    assert s.state.tubes == (9, 9, 9)


@pytest.mark.parametrize("lost", [[], [ev.ChangerLost("silent")]], ids=["reset", "lost"])
def test_the_changers_start_is_answered_with_accept_coins(lost: list[ev.Event]) -> None:
    """The changer's driver takes this for the word that ChangerReady was read, and pays nothing before it."""
    s = Session()
    ready = ev.ChangerReady(VALUES, (3, 3, 3, 3, 3, 0))
    for before in ([], [ev.CoinIn(5, 200, ev.Route.CASHBOX, 0)], [ev.Lever()], [ev.DiskChanged(ok=False)]):
        s.run(*before, *lost)
        assert type(s.run(ready).effects[0]) is act.AcceptCoins


def test_coins_are_taken_only_while_something_can_be_sold() -> None:
    s = Session()
    s.run(ev.BoardLost("silent"), ev.BoardReady(), ev.DiskChanged(False), ev.DiskChanged(True))
    s.insert(200)  # the dearest product costs less
    assert s.effects == [act.AcceptCoins(on) for on in (False, True, False, True, False)]


def test_the_audit_says_where_all_money_is() -> None:
    s = Session()
    s.insert(100)
    s.run(ev.SlotSelected("B1"))
    s.forget()
    s.run(ev.AuditDue())
    (audit,) = s.records
    assert isinstance(audit, m.Audit)
    assert (audit.cash_in_minor, audit.credit_minor, audit.sold_minor) == (100, 100, 0)


def test_a_slot_without_stock_in_a_doubtful_sale_never_goes_below_zero() -> None:
    s = Session(stock=1)
    s.insert(50)
    s.insert(10)
    s.run(ev.SlotSelected("B1"))
    s.state = replace(s.state, stock={**s.state.stock, "B1": 0})
    s.run(ev.Tick())
    assert s.state.stock["B1"] == 0


def test_a_changer_that_leaves_tubes_out_crashes_nothing() -> None:
    s = Session()
    s.restart()
    s.forget()
    s.run(ev.ChangerReady(VALUES, (3, 3, 3)))
    assert s.of(m.TubesCorrected) == [m.TubesCorrected(difference_minor=-450, currency="EUR")]
    assert s.of(m.CashIn) == []


def test_a_changer_that_never_comes_back_leaves_a_claim_and_a_machine_that_sells_on() -> None:
    s = Session()
    s.insert(100)
    s.run(ev.Lever(), ev.ChangerLost("port_lost"))
    assert s.state.deadline_s == s.now_s + PAYOUT_PATIENCE_S
    s.now_s += PAYOUT_PATIENCE_S
    s.run(ev.Tick())
    (owed,) = s.of(m.Owed)
    assert isinstance(owed, m.Owed)
    assert (owed.amount_minor, owed.reason, s.state.phase) == (100, "payout_in_doubt", Phase.IDLE)
    s.forget()
    s.run(ev.ChangerReady(VALUES, (3, 3, 3, 3, 3, 0)))  # the coin had come out all the same
    assert s.of(m.TubesCorrected) == [m.TubesCorrected(difference_minor=-100, currency="EUR")]
    assert s.state.credit_minor == 0


def test_a_refund_that_nothing_can_pay_is_a_claim() -> None:
    s = Session(tubes=(0, 0, 0, 0, 0, 0))
    s.run(ev.CoinIn(5, 200, ev.Route.CASHBOX, 0), ev.Lever())
    assert [type(record) for record in s.records] == [m.CashIn, m.Owed]
    assert (s.state.phase, s.state.claims) == (Phase.IDLE, {1: 200})


def test_credit_is_on_the_screen_again_after_a_power_cut() -> None:
    s = Session()
    s.insert(50)
    s.restart()
    assert s.state.message == "credit 0.50 EUR"
