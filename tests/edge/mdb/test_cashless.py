"""The cashless driver against the reader's simulator, through the adapter's bytes, in virtual time."""

import pytest

from edge.mdb.cashless.codes import State
from edge.mdb.cashless.driver import CashlessReader
from edge.mdb.cashless.phases import AUTHORISE_LIMIT_S
from edge.mdb.frame import Address, Silence
from edge.sale import card_events as cev
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sim.bus import Fault
from edge.sim.reader import SimReader
from edge.sim.reader_rules import Refund
from tests.edge.mdb.reader_rig import (
    APPROVED,
    BEGAN,
    CANCEL,
    COMPLETE,
    ENDED,
    FAILURE,
    ID,
    IDLE,
    READY,
    REQUEST,
    START,
    SUCCESS,
    VEND,
    WIDE,
    Event,
    ReaderRig,
    denied,
    lost,
    request,
)

# Initialisation


def test_start_of_a_reader_of_level_3_without_options() -> None:
    rig = ReaderRig()
    assert rig.run(2) == [READY]
    assert rig.commands() == START  # disabled until AcceptCards
    rig.do(act.AcceptCards(1, enabled=True))
    rig.run(0.5)
    assert rig.commands() == [*START, "14,01"]
    assert rig.sim.truth().state is State.ENABLED
    rig.do(act.AcceptCards(1, enabled=False))
    rig.run(0.5)
    assert rig.sim.truth().state is State.DISABLED


@pytest.mark.parametrize("level", [1, 2])
def test_start_of_lower_levels(level: int) -> None:
    rig = ReaderRig(SimReader(level=level, options=0x00, features=WIDE | IDLE))
    assert rig.run(2) == [cev.CardReady(1, always_idle=False, refunds=False, reports_cash=False)]
    assert rig.commands() == START


@pytest.mark.parametrize(
    ("features", "more"),
    [
        (IDLE, ["17,0400000020"]),
        (WIDE, ["17,0400000002", "11,01FFFFFFFF000000001978"]),
        (WIDE | IDLE, ["17,0400000022", "11,01FFFFFFFF000000001978"]),
        (0x1D, []),  # file transfer, currencies, negative vend, data entry: not ours
    ],
)
def test_options_that_the_reader_offers_and_we_want(features: int, more: list[str]) -> None:
    rig = ReaderRig(SimReader(features=features))
    assert rig.run(2) == [cev.CardReady(1, bool(features & IDLE), refunds=True, reports_cash=True)]
    assert rig.commands() == START + more
    assert rig.sim.truth().features == features & (WIDE | IDLE)


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("bundle", [False, True])
@pytest.mark.parametrize("features", [0, WIDE, IDLE, WIDE | IDLE])
@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_vend_with_every_kind_of_reader(level: int, features: int, bundle: bool, at_once: bool) -> None:
    rig = ReaderRig(SimReader(level=level, features=features))
    rig.sim.plan.at_once, rig.sim.plan.bundle = at_once, bundle
    always_idle = rig.ready().always_idle
    rig.sim.show_card(500)
    began = [] if always_idle else [cev.SessionBegan(1, 500)]
    assert rig.run(0.5) == began
    rig.do(request())
    assert rig.run(1) == [APPROVED]
    rig.do(act.ConfirmVend(1, 12))
    rig.run(0.5)
    rig.do(act.EndSession(1))
    assert rig.run(0.5) == ([] if always_idle else [ENDED])
    truth = rig.sim.truth()
    assert (truth.paid, truth.books.confirmed, truth.books.violations) == (150, [12], [])
    assert truth.state is State.ENABLED


def test_the_second_reader_has_its_own_address_and_effects() -> None:
    rig = ReaderRig()
    rig.sim = SimReader(Address.CASHLESS_2)
    rig.bus._peripherals = {Address.CASHLESS_2: rig.sim}
    rig.driver = CashlessReader(2)
    rig.dialogue._peripherals = [rig.driver]
    rig.do(act.AcceptCards(1, enabled=True))
    assert rig.run(2) == [cev.CardReady(2, always_idle=False, refunds=True, reports_cash=True)]
    assert rig.sim.truth().state is State.DISABLED
    rig.do(act.AcceptCards(2, enabled=True))
    rig.do(act.AcceptCoins(enabled=True))
    rig.sim.show_card(500)
    assert rig.until(cev.SessionBegan) == [cev.SessionBegan(2, 500)]
    rig.do(act.RequestVend(2, 150, 12))
    assert rig.until(cev.VendApproved) == [cev.VendApproved(2, 150)]
    assert "63,000096000C" in rig.sent


def test_a_reader_that_does_not_know_the_identification_goes_on_without() -> None:
    rig = ReaderRig(SimReader(level=1))
    exchange = rig.bus.exchange
    rig.bus.exchange = lambda block, now_s: (  # type: ignore[method-assign]
        Silence() if block.head == 0x17 else exchange(block, now_s)
    )
    assert rig.run(3) == [READY]
    assert rig.commands() == [*START, ID, ID]


@pytest.mark.parametrize("fault", Fault)
def test_a_reader_becomes_ready_whatever_single_exchange_is_lost(fault: Fault) -> None:
    for at in range(16):
        rig = ReaderRig(SimReader(features=WIDE | IDLE))
        rig.bus.fault_at[at] = fault
        rig.do(act.AcceptCards(1, enabled=True))
        rig.do(act.SetPriceRange(1, 500, 50))
        rig.run(15)
        assert isinstance(rig.events[-1], cev.CardReady), at
        assert rig.sim.truth().state is State.ENABLED, at
        assert rig.sim.truth().prices.hex() == "000001f4000000321978", at


def test_scale_of_zero_is_refused_and_asked_again_later() -> None:
    rig = ReaderRig(SimReader(scale=0))
    assert rig.run(9) == [ev.DeviceFault("reader_1", "scale_zero"), lost("scale_zero")]
    assert rig.sent.count("10") == 1
    rig.sim._config = SimReader()._config
    assert rig.until(cev.CardReady) == [ev.DeviceFaultCleared("reader_1", "scale_zero"), READY]


# Settings


def test_prices_are_set_before_enabling_and_again_when_they_change() -> None:
    rig = ReaderRig()
    rig.do(act.SetPriceRange(1, 500, 50))
    rig.do(act.AcceptCards(1, enabled=True))
    rig.run(2)
    assert rig.commands() == [*START, "11,0101F40032", "14,01"]
    rig.sent.clear()
    rig.do(act.SetPriceRange(1, 400, 50))
    rig.run(1)
    assert rig.commands() == ["14,00", "11,0101900032", "14,01"]
    assert rig.sim.truth().books.violations == []


def test_what_was_wanted_holds_through_a_reset() -> None:
    rig = ReaderRig()
    rig.do(act.SetPriceRange(1, 500, 50))
    rig.ready()
    rig.sim.reset()
    assert rig.until(cev.CardReady) == [lost("reset"), READY]
    rig.run(0.5)
    assert "10" not in rig.sent  # JUST RESET unasked needs no RESET
    assert rig.sim.truth().state is State.ENABLED
    assert rig.sim.truth().prices.hex() == "01f40032"


def test_settings_wait_for_the_end_of_a_session() -> None:
    rig = ReaderRig()
    rig.session()
    rig.do(act.AcceptCards(1, enabled=False))
    rig.do(act.SetPriceRange(1, 400, 50))
    rig.do(request())
    assert rig.run(1) == [APPROVED]
    rig.do(act.ConfirmVend(1, 12))
    rig.do(act.EndSession(1))
    rig.run(1)
    assert rig.commands() == [REQUEST, SUCCESS, COMPLETE, "14,00", "11,0101900032"]
    assert rig.sim.truth().state is State.DISABLED


def test_a_session_that_begins_as_the_reader_is_disabled_leaves_it_enabled() -> None:
    rig = ReaderRig()
    rig.ready()
    rig.do(act.AcceptCards(1, enabled=False))
    rig.until_sent("14,00")
    rig.sim._state = State.ENABLED
    rig.sim.show_card()
    assert rig.until(cev.SessionBegan) == [BEGAN]
    rig.do(act.EndSession(1))
    assert rig.run(1) == [ENDED]
    assert rig.commands() == ["14,00", COMPLETE, "14,00"]


# A vend, card first


def test_vend() -> None:
    rig = ReaderRig()
    rig.session(500)
    rig.do(request())
    assert rig.run(1) == [APPROVED]
    rig.do(act.ConfirmVend(1, 12))
    assert rig.run(1) == []
    rig.do(act.EndSession(1))
    assert rig.run(1) == [ENDED]
    assert rig.commands() == [REQUEST, SUCCESS, COMPLETE]


def test_nothing_but_poll_while_the_motor_runs_and_often_enough() -> None:
    rig = ReaderRig()
    rig.approved()
    rig.do(act.AcceptCards(1, enabled=False))
    rig.do(act.ReportCashSale(1, 100, 3))
    rig.do(act.EndSession(1))
    rig.do(act.CancelVend(1))
    rig.sim.report(b"\x11")
    assert rig.run(40) == []
    assert set(rig.sent) == {"12"}
    assert len(rig.sent) > 40 / 0.2
    rig.do(act.ConfirmVend(1, 12))
    assert rig.run(1) == [ENDED]
    assert rig.sim.truth().books.violations == []


def test_the_amount_may_differ_from_the_price() -> None:
    rig = ReaderRig(SimReader(scale=5))
    rig.sim.plan.amount = 27
    rig.session()
    rig.do(request())
    assert rig.until(cev.VendApproved) == [cev.VendApproved(1, 135)]


def test_a_token_pays_the_price() -> None:
    rig = ReaderRig()
    rig.sim.plan.amount = 0xFFFF
    rig.session()
    rig.do(request())
    assert rig.until(cev.VendApproved) == [APPROVED]


def test_funds_below_the_price_are_no_reason_to_refuse() -> None:
    rig = ReaderRig()
    rig.session(10)
    rig.do(request())
    assert rig.until(cev.VendApproved) == [APPROVED]


@pytest.mark.parametrize("price_minor", [152, 400000])
def test_a_price_that_is_no_whole_number_of_units_is_denied_at_once(price_minor: int) -> None:
    rig = ReaderRig(SimReader(scale=5))
    rig.session()
    rig.do(request(price_minor))
    assert rig.run(0.1) == [denied("price_not_whole")]
    assert rig.commands() == []
    rig.do(request())
    assert rig.until(cev.VendApproved) == [APPROVED]  # and the session goes on


def test_an_amount_that_is_no_whole_number_of_minor_units_is_given_back() -> None:
    rig = ReaderRig(SimReader(scale=5, decimals=3))
    rig.sim.plan.amount = 301
    rig.session()
    rig.do(request())
    assert rig.run(2) == [denied("amount_not_whole")]
    assert rig.sim.truth().paid == 0
    assert rig.commands() == ["13,00012C000C", FAILURE]


def test_denied_and_another_choice_where_the_reader_allows_several() -> None:
    rig = ReaderRig()
    rig.sim.plan.approve = False
    rig.session()
    rig.do(request())
    assert rig.run(1) == [denied("denied")]
    rig.sim.plan.approve = True
    rig.do(request(200))
    assert rig.run(1) == [cev.VendApproved(1, 200)]
    assert rig.commands() == [REQUEST, "13,0000C8000C"]


@pytest.mark.parametrize("approve", [True, False])
def test_one_vend_a_session_where_the_reader_allows_no_more(approve: bool) -> None:
    rig = ReaderRig(SimReader(options=0x01))
    rig.sim.plan.approve = approve
    rig.session()
    rig.do(request())
    answer = rig.until(cev.VendApproved, cev.VendDenied)
    if approve:
        rig.do(act.ConfirmVend(1, 12))
    assert answer + rig.run(1) == [APPROVED if approve else denied("denied"), ENDED]
    assert rig.commands()[-1] == COMPLETE


def test_a_request_while_the_reader_finishes_waits() -> None:
    rig = ReaderRig()
    rig.approved()
    rig.do(act.ConfirmVend(1, 12))
    rig.do(request(200))
    assert rig.run(1) == [cev.VendApproved(1, 200)]
    assert rig.commands() == [SUCCESS, "13,0000C8000C"]


def test_a_request_that_waits_for_a_session_that_ends_is_denied() -> None:
    rig = ReaderRig()
    rig.session()
    rig.do(act.EndSession(1))
    rig.do(request())
    assert rig.run(1) == [ENDED, denied("no_session")]
    rig.do(act.AcceptCards(1, enabled=False))
    rig.do(request())
    assert rig.run(1) == [denied("disabled")]


def test_a_second_request_before_the_answer_is_the_same_request() -> None:
    rig = ReaderRig()
    rig.session()
    rig.do(request())
    rig.do(request())
    rig.run(0.1)
    rig.do(request())
    assert rig.run(2) == [APPROVED]
    assert rig.driver.counts["requests_repeated"] == 2


# Cancelled


def test_cancel_while_the_reader_asks_its_host() -> None:
    rig = ReaderRig()
    rig.sim.plan.verdict_s = 2
    rig.session()
    rig.do(request())
    rig.run(0.5)
    rig.do(act.CancelVend(1))
    assert rig.run(1) == [denied("cancelled")]
    assert rig.commands() == [REQUEST, CANCEL]
    rig.do(act.EndSession(1))
    assert rig.run(5) == [ENDED]
    assert rig.sim.truth().books.charged == []


def test_cancel_before_the_request_was_sent() -> None:
    rig = ReaderRig()
    rig.session()
    rig.do(request())
    rig.do(act.CancelVend(1))
    assert rig.run(1) == [denied("cancelled")]
    assert rig.commands() == []
    rig.do(act.CancelVend(1))  # nothing is asked any more
    assert rig.run(1) == []


def test_an_approval_that_crosses_the_cancel_is_given_back() -> None:
    rig = ReaderRig()
    rig.sim.plan.cancel_wins = False
    rig.sim.plan.verdict_s = 0
    rig.session()
    rig.do(request())
    rig.until_sent(REQUEST)
    rig.do(act.CancelVend(1))
    assert rig.run(3) == [denied("cancelled")]
    assert rig.sim.truth().books.refunded == [150]
    assert rig.commands() == [REQUEST, CANCEL, FAILURE]
    assert rig.sim.truth().books.violations == []


def test_money_of_a_cancelled_vend_that_does_not_come_back_is_a_fault() -> None:
    rig = ReaderRig()
    rig.sim.plan.cancel_wins, rig.sim.plan.verdict_s, rig.sim.plan.refund = False, 0, Refund.FAILED
    rig.session()
    rig.do(request())
    rig.until_sent(REQUEST)
    rig.do(act.CancelVend(1))
    assert rig.run(3) == [
        denied("cancelled"),
        ev.DeviceFault("reader_1", "refund_error_0"),
        ev.DeviceFault("reader_1", "refund_failed"),
    ]


def test_a_reader_that_never_decides_is_cancelled() -> None:
    rig = ReaderRig()
    rig.sim.plan.verdict_s = 1000
    rig.session()
    rig.do(request())
    assert rig.until(cev.VendDenied, limit_s=AUTHORISE_LIMIT_S + 1) == [denied("timeout")]
    assert rig.commands() == [REQUEST, CANCEL]


# Not delivered


@pytest.mark.parametrize(("refund", "ok"), [(Refund.DONE, True), (Refund.FAILED, False)])
def test_refund(refund: Refund, ok: bool) -> None:
    rig = ReaderRig()
    rig.sim.plan.refund = refund
    rig.approved()
    rig.do(act.FailVend(1))
    events = [event for event in rig.run(2) if not isinstance(event, ev.DeviceFault)]
    assert events == [cev.RefundEnded(1, ok)]
    assert rig.sim.truth().paid == (0 if ok else 150)
    assert (ev.DeviceFault("reader_1", "refund_error_0") in rig.events) is not ok
    rig.do(act.EndSession(1))
    assert rig.run(1) == [ENDED]
    assert rig.commands() == [FAILURE, COMPLETE]


def test_a_refund_that_takes_long_is_waited_for() -> None:
    rig = ReaderRig()
    rig.sim.plan.refund_s = 4.5
    rig.approved()
    rig.do(act.FailVend(1))
    assert rig.run(4) == []
    assert rig.run(1) == [cev.RefundEnded(1, ok=True)]


def test_a_refund_without_a_word() -> None:
    rig = ReaderRig()
    rig.sim.plan.refund = Refund.SILENT
    rig.approved()
    rig.do(act.FailVend(1))
    asked_s = rig.now_s
    assert rig.until(cev.CardLost) == [cev.RefundEnded(1, ok=False), lost("silent"), ENDED]
    assert 5 < rig.now_s - asked_s < 6


@pytest.mark.parametrize("state", [4, 5])
def test_a_refund_that_ends_out_of_sequence_is_not_known(state: int) -> None:
    rig = ReaderRig()
    rig.approved()
    rig.do(act.FailVend(1))
    rig.run(0.1)
    rig.sim.report(bytes([0x0B, state]))
    assert rig.until(cev.CardLost) == [cev.RefundEnded(1, ok=False), lost("out_of_sequence"), ENDED]


def test_a_reader_that_cannot_refund_says_so() -> None:
    rig = ReaderRig(SimReader(options=0x02))
    rig.approved()
    rig.do(act.FailVend(1))
    assert rig.until(cev.RefundEnded) == [cev.RefundEnded(1, ok=False)]
    assert rig.commands() == [FAILURE]


def test_there_is_an_answer_to_every_fail_vend() -> None:
    rig = ReaderRig()
    rig.do(act.FailVend(1))
    rig.do(request())
    rig.do(act.AskRevalueLimit(1))
    rig.do(act.Revalue(1, 100))
    rig.do(act.EndSession(1))
    nothing: list[Event] = [
        cev.RefundEnded(1, ok=False),
        denied("not_ready"),
        cev.RevalueLimit(1, 0),
        cev.RevalueEnded(1, ok=False),
    ]
    assert rig.run(0.1) == nothing
    rig.ready()
    rig.do(act.FailVend(1))
    rig.do(act.ConfirmVend(1, 12))
    assert rig.run(0.1) == [cev.RefundEnded(1, ok=False)]


# The session ends


def test_the_reader_wants_its_card_back() -> None:
    rig = ReaderRig()
    rig.session()
    rig.sim.remove_card()
    assert rig.run(1) == [ENDED]
    assert rig.commands() == [COMPLETE]


def test_the_card_is_taken_while_the_host_is_asked() -> None:
    rig = ReaderRig()
    rig.sim.plan.verdict_s = 2
    rig.session()
    rig.do(request())
    rig.run(0.3)
    rig.sim.remove_card()
    assert rig.run(1) == [denied("denied"), ENDED]
    assert rig.commands() == [REQUEST, COMPLETE]


def test_the_card_is_taken_while_the_motor_runs() -> None:
    rig = ReaderRig()
    rig.approved()
    rig.sim.remove_card()
    assert rig.run(1) == []
    rig.do(act.ConfirmVend(1, 12))
    assert rig.run(1) == [ENDED]
    assert rig.commands() == [SUCCESS, COMPLETE]


def test_a_bundle_of_all_that_happened() -> None:
    rig = ReaderRig()
    rig.sim.plan.verdict_s = 30
    rig.session()
    rig.do(request())
    rig.run(0.3)
    rig.sim._later = None
    rig.sim.report(bytes.fromhex("060a0704"))  # the document's own example
    assert rig.run(0.2) == [denied("denied"), ev.DeviceFault("reader_1", "media_error_7")]
    assert rig.commands()[-1] == COMPLETE


def test_the_reader_ends_the_session_by_itself() -> None:
    rig = ReaderRig()
    rig.session()
    rig.sim.report(b"\x07")
    assert rig.run(0.2) == [ENDED]
    rig = ReaderRig()
    rig.sim.plan.verdict_s = 30
    rig.session()
    rig.do(request())
    rig.run(0.3)
    rig.sim.report(b"\x07")
    assert rig.run(0.2) == [denied("session_ended"), ENDED]


def test_an_end_that_does_not_come_is_a_reset() -> None:
    rig = ReaderRig()
    rig.session()
    rig.sim._owe = lambda *_: None  # type: ignore[method-assign]
    rig.do(act.EndSession(1))
    assert rig.until(cev.CardLost) == [lost("answer_timeout"), ENDED]
    assert rig.sent[-1] == "10"


def test_the_customer_leaves_before_a_session_began() -> None:
    rig = ReaderRig()
    rig.ready()
    rig.do(act.EndSession(1))
    assert rig.run(1) == []
    assert rig.commands() == ["14,02"]
    rig.sim.show_card()
    assert rig.until(cev.SessionBegan) == [BEGAN]


def test_a_session_that_begins_at_the_same_moment_is_told() -> None:
    rig = ReaderRig()
    rig.ready()
    rig.do(act.EndSession(1))
    rig.until_sent("14,02")
    rig.sim._events.clear()
    rig.sim._owed = False
    rig.sim.show_card()
    assert rig.until(cev.SessionBegan) == [BEGAN]


# Always idle


def test_a_product_first_and_then_the_card() -> None:
    rig = ReaderRig(SimReader(features=IDLE))
    assert rig.ready().always_idle
    rig.do(request())
    assert rig.run(4) == []
    rig.sim.show_card()
    assert rig.run(1) == [APPROVED]
    rig.do(act.ConfirmVend(1, 12))
    rig.do(request(200))  # the next customer's
    assert rig.run(2) == []
    rig.sim.show_card()
    assert rig.run(1) == [cev.VendApproved(1, 200)]
    assert rig.commands() == [REQUEST, SUCCESS, COMPLETE, "13,0000C8000C"]


def test_no_card_comes() -> None:
    rig = ReaderRig(SimReader(features=IDLE))
    rig.ready()
    rig.do(request())
    assert rig.run(12) == [denied("denied")]
    assert rig.commands() == [REQUEST, COMPLETE]
    assert rig.sim.truth().state is State.ENABLED


def test_coins_come_instead_of_a_card() -> None:
    rig = ReaderRig(SimReader(features=IDLE))
    rig.ready()
    rig.do(request())
    rig.run(1)
    rig.do(act.CancelVend(1))
    assert rig.run(1) == [denied("cancelled")]
    assert rig.commands() == [REQUEST, CANCEL, COMPLETE]


def test_a_request_enables_the_reader_first_or_is_denied() -> None:
    rig = ReaderRig(SimReader(features=IDLE))
    rig.until(cev.CardReady)
    rig.do(request())
    assert rig.run(0.5) == [denied("disabled")]
    rig.do(act.AcceptCards(1, enabled=True))
    rig.do(request())
    rig.run(0.5)
    assert rig.commands()[-2:] == ["14,01", REQUEST]
    rig.sim.show_card()
    assert rig.run(1) == [APPROVED]


def test_cards_are_refused_before_the_request_was_sent() -> None:
    rig = ReaderRig(SimReader(features=IDLE))
    rig.until(cev.CardReady)
    rig.do(act.AcceptCards(1, enabled=True))
    rig.do(request())
    rig.do(act.AcceptCards(1, enabled=False))
    assert rig.run(1) == [denied("disabled")]
    assert rig.sim.truth().books.violations == []


def test_an_always_idle_reader_may_begin_sessions_too() -> None:
    rig = ReaderRig(SimReader(features=IDLE))
    rig.ready()
    rig.sim._state = State.SESSION_IDLE
    rig.sim.report(bytes.fromhex("0301f4ffffffff000000"))
    assert rig.run(0.3) == [cev.SessionBegan(1, 500)]
    rig.do(act.EndSession(1))
    assert rig.run(1) == [ENDED]


# Reports, revalue, requests of the reader


def test_cash_sales_are_reported_to_a_reader_that_wants_them() -> None:
    rig = ReaderRig(SimReader(features=WIDE))
    rig.ready()
    rig.do(act.AcceptCards(1, enabled=False))
    rig.do(act.ReportCashSale(1, 150, 12))
    rig.do(act.ReportCashSale(1, 70, 3))
    rig.run(1)
    assert rig.sim.truth().books.cash_sales == []  # only while it is enabled
    rig.do(act.AcceptCards(1, enabled=True))
    rig.run(1)
    assert [sale.hex() for sale in rig.sim.truth().books.cash_sales] == [
        "00000096000c1978",
        "0000004600031978",
    ]


@pytest.mark.parametrize(("fault", "told"), [(Fault.ANSWER_LOST, 1), (Fault.COMMAND_LOST, 0)])
def test_a_cash_sale_is_never_reported_twice(fault: Fault, told: int) -> None:
    rig = ReaderRig()
    rig.ready()
    rig.bus.fault_next[VEND] = fault
    rig.do(act.ReportCashSale(1, 150, 12))
    assert rig.run(2) == []
    assert len(rig.sim.truth().books.cash_sales) == told
    assert rig.driver.counts["cash_sales_in_doubt"] == 1


def test_cash_sales_that_cannot_be_told_are_counted() -> None:
    rig = ReaderRig(SimReader(options=0x03))
    rig.ready()
    rig.do(act.ReportCashSale(1, 150, 12))
    rig.run(1)
    assert rig.commands() == []
    assert rig.driver.counts["cash_sales_not_reported"] == 1
    rig = ReaderRig(SimReader(scale=5))
    for _ in range(40):
        rig.do(act.ReportCashSale(1, 152, 12))
    rig.ready()
    assert rig.driver.counts["cash_sales_not_reported"] == 40


def test_revalue() -> None:
    rig = ReaderRig(SimReader(scale=5))
    rig.session()
    rig.do(act.AskRevalueLimit(1))
    assert rig.run(1) == [cev.RevalueLimit(1, 25000)]
    rig.do(act.Revalue(1, 500))
    assert rig.run(1) == [cev.RevalueEnded(1, ok=True)]
    assert rig.commands() == ["15,01", "15,000064"]
    assert rig.sim.truth().books.revalued == [100]
    rig.sim.plan.revalue = False
    rig.do(act.Revalue(1, 500))
    assert rig.run(1) == [cev.RevalueEnded(1, ok=False)]
    rig.do(act.Revalue(1, 501))
    assert rig.run(0.1) == [cev.RevalueEnded(1, ok=False)]
    rig.do(request())
    assert rig.run(1) == [APPROVED]


def test_a_limit_that_is_denied_is_none() -> None:
    rig = ReaderRig()
    rig.session()
    rig.sim._owe = lambda *_: rig.sim._events.append((b"\x0e", lambda: None))  # type: ignore[method-assign]
    rig.do(act.AskRevalueLimit(1))
    assert rig.run(1) == [cev.RevalueLimit(1, 0)]


@pytest.mark.parametrize(("fault", "revalued"), [(Fault.ANSWER_LOST, [500]), (Fault.COMMAND_LOST, [])])
def test_a_revalue_is_never_repeated(fault: Fault, revalued: list[int]) -> None:
    rig = ReaderRig()
    rig.session()
    rig.bus.fault_next[0x15] = fault
    rig.do(act.Revalue(1, 500))
    events = rig.run(6)
    assert events[0] == (cev.RevalueEnded(1, ok=True) if revalued else lost("answer_timeout"))
    assert rig.commands()[:1] == ["15,0001F4"]
    assert rig.sent.count("15,0001F4") == 1
    assert rig.sim.truth().books.revalued == revalued


def test_a_level_1_reader_is_not_asked_for_revalue() -> None:
    rig = ReaderRig(SimReader(level=1))
    rig.session()
    rig.do(act.AskRevalueLimit(1))
    rig.do(act.Revalue(1, 500))
    assert rig.run(1) == [cev.RevalueLimit(1, 0), cev.RevalueEnded(1, ok=False)]
    assert rig.commands() == []


def test_the_card_is_taken_during_a_revalue() -> None:
    rig = ReaderRig()
    rig.session()
    rig.do(act.Revalue(1, 500))
    rig.until_sent("15,0001F4")
    rig.sim.report(b"\x04")
    assert rig.run(1) == [cev.RevalueEnded(1, ok=True), ENDED]


@pytest.mark.parametrize("in_session", [False, True])
def test_the_time_is_declined(in_session: bool) -> None:
    rig = ReaderRig()
    if in_session:
        rig.session()
    else:
        rig.ready()
    rig.sim.report(b"\x11")
    assert rig.run(1) == []
    assert rig.sim.truth().time_written == b"\xff" * 10
    assert rig.commands() == ["17,03FFFFFFFFFFFFFFFFFFFF"]


def test_display_and_data_entry_are_ignored() -> None:
    rig = ReaderRig()
    rig.session()
    for data in (b"\x02\x0aPRESENT CARD    ", b"\x12\x84", b"\x13", b"\x2a\x2b"):
        rig.sim.report(data)
        assert rig.run(0.5) == []
    assert rig.commands() == []
    assert rig.driver.counts == {
        "ignored_display_request": 1,
        "ignored_data_entry_request": 1,
        "ignored_data_entry_cancel": 1,
        "ignored_unknown": 1,
    }
    rig.do(request())
    assert rig.run(1) == [APPROVED]


def test_a_reader_that_says_the_same_for_ever_does_not_hold_commands_up() -> None:
    rig = ReaderRig()
    rig.session()
    rig.sim.report_lasting(b"\x12\x84")
    rig.do(request())
    assert rig.run(2) == [APPROVED]
