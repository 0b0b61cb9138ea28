"""The cashless driver and a reader, an adapter or a wire that do not do what they should."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.mdb.cashless.codes import Code, State
from edge.mdb.cashless.driver import CashlessReader
from edge.mdb.frame import Ack, Data, Reply, Silence
from edge.sale import card_events as cev
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sim.bus import Fault
from edge.sim.reader import SimReader
from tests.edge.mdb.reader_rig import (
    APPROVED,
    BEGAN,
    CANCEL,
    COMPLETE,
    ENDED,
    FAILURE,
    POLL,
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

# Commands whose answer was lost


def test_a_success_that_was_heard_is_not_repeated() -> None:
    rig = ReaderRig()
    rig.approved()
    rig.bus.fault_next[VEND] = Fault.ANSWER_LOST
    rig.do(act.ConfirmVend(1, 12))
    assert rig.run(2) == [ENDED]
    assert rig.sent[:2] == [SUCCESS, "12"]
    assert rig.commands() == [SUCCESS, COMPLETE]
    assert rig.sim.truth().books.violations == []


def test_a_success_that_was_not_heard_becomes_one_by_the_reset() -> None:
    rig = ReaderRig()
    rig.approved()
    rig.bus.fault_next[VEND] = Fault.COMMAND_LOST
    rig.do(act.ConfirmVend(1, 12))
    assert rig.until(cev.CardReady) == [lost("out_of_sequence"), ENDED, READY]
    assert rig.commands()[:3] == [SUCCESS, COMPLETE, "10"]
    assert rig.sim.truth().books.sold_by_reset == 1


def test_a_failure_that_was_not_heard_is_sent_again() -> None:
    rig = ReaderRig()
    rig.approved()
    rig.bus.fault_next[VEND] = Fault.COMMAND_LOST
    rig.do(act.FailVend(1))
    assert rig.run(2) == [cev.RefundEnded(1, ok=True)]
    assert rig.sent[:3] == [FAILURE, "12", FAILURE]
    assert rig.sim.truth().books.refunded == [150]


@pytest.mark.parametrize("level", [1, 3])
def test_a_failure_that_was_heard_refunds_once(level: int) -> None:
    rig = ReaderRig(SimReader(level=level))
    rig.approved()
    rig.bus.fault_next[VEND] = Fault.ANSWER_LOST
    rig.do(act.FailVend(1))
    assert rig.until(cev.CardReady)[:3] == [cev.RefundEnded(1, ok=True), lost("out_of_sequence"), ENDED]
    assert rig.sim.truth().books.refunded == [150]


def test_a_request_that_was_not_heard_is_repeated_in_turn_with_poll() -> None:
    rig = ReaderRig()
    rig.session()
    rig.bus.fault_next[VEND] = Fault.COMMAND_LOST
    rig.do(request())
    assert rig.until(cev.VendApproved) == [APPROVED]
    assert rig.sent[:3] == [REQUEST, "12", REQUEST]


def test_a_request_whose_answer_comes_at_the_poll_is_not_repeated() -> None:
    rig = ReaderRig()
    rig.sim.plan.verdict_s = 0
    rig.session()
    rig.bus.fault_next[VEND] = Fault.ANSWER_LOST
    rig.do(request())
    assert rig.run(1) == [APPROVED]
    assert rig.commands() == [REQUEST]


def test_news_whose_acknowledgement_was_lost_are_told_once() -> None:
    rig = ReaderRig()
    rig.ready()
    for at in range(300):
        rig.bus.fault_at[rig.bus.exchanges + at] = Fault.ACK_LOST
    rig.sim.show_card()
    assert rig.run(0.4) == [BEGAN]
    assert rig.driver.counts["sessions_repeated"] > 2
    rig.bus.fault_at.clear()
    rig.run(0.3)
    rig.do(request())
    rig.run(0.1)
    rig.bus.fault_next[POLL] = Fault.ACK_LOST
    assert rig.run(1) == [APPROVED]
    rig.do(act.ConfirmVend(1, 12))
    rig.run(1)
    assert rig.sim.truth().books.confirmed == [12]
    assert rig.sim.truth().books.violations == []


# Out of sequence, reset, silence, bus lost


def test_out_of_sequence_is_a_reset_and_everything_anew() -> None:
    rig = ReaderRig()
    rig.session()
    rig.sim.report(b"\x0b\x05")
    assert rig.until(cev.CardReady) == [lost("out_of_sequence"), ENDED, READY]
    assert rig.commands() == [*START]


def test_a_request_is_answered_by_the_loss() -> None:
    rig = ReaderRig()
    rig.sim.plan.verdict_s = 2
    rig.session()
    rig.do(request())
    rig.run(0.3)
    rig.sim.report(b"\x0b\x05")
    rig.until_sent("10")
    rig.sim.remove_card()
    assert rig.run(5) == [READY]
    assert rig.events[:2] == [lost("out_of_sequence"), ENDED]
    assert rig.sim.truth().paid == 0


def test_an_approval_that_comes_with_out_of_sequence_is_told() -> None:
    rig = ReaderRig()
    rig.sim.plan.verdict_s = 2
    rig.session()
    rig.do(request())
    rig.run(0.3)
    rig.sim.report(b"\x0b\x05\x05\x00\x96")
    assert rig.until(cev.CardReady) == [APPROVED, lost("out_of_sequence"), ENDED, READY]


@pytest.mark.parametrize("motor_works", [True, False])
def test_a_reset_while_the_motor_runs_is_a_sale(motor_works: bool) -> None:
    rig = ReaderRig()
    rig.approved()
    rig.sim.reset()
    rig.sim.remove_card()
    assert rig.until(cev.CardReady) == [lost("reset"), ENDED, READY]
    rig.do(act.ConfirmVend(1, 12) if motor_works else act.FailVend(1))
    assert rig.run(2) == ([] if motor_works else [cev.RefundEnded(1, ok=False)])
    assert rig.sim.truth().books.sold_by_reset == 1
    assert rig.sim.truth().books.violations == []


def test_a_process_that_is_killed_while_the_motor_runs_leaves_a_sale() -> None:
    rig = ReaderRig()
    rig.approved()
    rig.restart()
    assert rig.until(cev.CardReady) == [READY]
    assert rig.sim.truth().books.sold_by_reset == 1


@pytest.mark.parametrize(("response_s", "limit_s"), [(2, 5), (30, 30)])
def test_offline_and_back(response_s: int, limit_s: int) -> None:
    rig = ReaderRig(SimReader(response_s=response_s))
    rig.ready()
    rig.bus.silent = True
    silent_s = rig.now_s
    assert rig.until(cev.CardLost, limit_s=40) == [lost("silent")]
    assert limit_s <= rig.now_s - silent_s < limit_s + 0.6
    assert rig.sent[-1] == "10"  # at once
    rig.sent.clear()
    rig.run(35)
    assert rig.sent == ["10"] * 3  # and every 10 s
    rig.bus.silent = False
    assert rig.until(cev.CardReady) == [READY]
    rig.run(0.5)
    assert rig.sim.truth().state is State.ENABLED


def test_a_reader_that_never_was_there_is_told_once() -> None:
    rig = ReaderRig()
    rig.bus.silent = True
    assert rig.run(60) == [lost("silent")]
    rig.do(request())
    assert rig.run(0.2) == [denied("not_ready")]
    rig.bus.silent = False
    assert rig.run(15) == [READY]


def test_a_reader_that_hears_nothing_but_poll_is_lost() -> None:
    rig = ReaderRig()
    rig.session()
    rig.bus.exchange = lambda block, now_s: (  # type: ignore[method-assign]
        Silence() if block.head != POLL else Ack()
    )
    rig.do(act.EndSession(1))
    asked_s = rig.now_s
    assert rig.until(cev.CardLost) == [lost("silent"), ENDED]
    assert 5 < rig.now_s - asked_s < 6


def test_a_reader_that_is_long_in_waking_up_is_not_reset_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.sim.reader_rules.RESET_BUSY_S", 8.0)
    rig = ReaderRig()
    assert rig.run(12) == [READY]
    assert rig.sent.count("10") == 1


def test_a_reader_that_only_acknowledges_is_given_up_after_a_while() -> None:
    driver, now_s = CashlessReader(1), 0.0
    events: list[Event] = []
    while not events:
        now_s = max(now_s + 0.001, driver.next_wake_s)
        block = driver.next_request(now_s)
        assert block is not None
        events += driver.on_reply(block, Ack(), now_s)
    assert events == [lost("start_timeout")]
    assert 30 < now_s < 31


def test_a_vend_whose_approval_was_in_the_lost_cable_is_voided() -> None:
    rig = ReaderRig()
    rig.session()
    rig.do(request())
    while not rig.sim.truth().books.charged:
        rig.step()
    assert rig.unplug() == [lost("port_lost"), ENDED]
    assert rig.until(cev.CardReady) == [READY]
    assert rig.sim.truth().books.refunded == [150]
    assert rig.commands()[:3] == [REQUEST, FAILURE, "10"]


def test_an_approved_vend_is_not_voided_by_a_lost_bus() -> None:
    rig = ReaderRig()
    rig.approved()
    assert rig.unplug() == [lost("port_lost"), ENDED]
    rig.do(act.ConfirmVend(1, 12))
    assert rig.until(cev.CardReady) == [READY]
    assert FAILURE not in rig.sent
    assert rig.sim.truth().books.sold_by_reset == 1


def test_an_approval_that_nobody_asked_for_is_given_back() -> None:
    rig = ReaderRig()
    rig.session()
    rig.sim._state = State.VEND
    rig.sim._push(Code.VEND_APPROVED, b"\x00\x96", lambda: rig.sim._charge(150))
    assert rig.run(2) == []
    assert rig.commands() == [FAILURE]
    assert rig.sim.truth().paid == 0
    assert rig.driver.counts["approvals_unasked"] == 1


def test_a_vend_in_32_bit_money_that_is_approved_while_it_is_voided_is_given_back() -> None:
    rig = ReaderRig(SimReader(features=WIDE))
    rig.sim.plan.verdict_s = 0.17
    rig.session(500)
    rig.do(request())
    rig.until_sent("13,0000000096000C")
    rig.run(0.02)
    assert rig.unplug() == [lost("port_lost"), ENDED]
    assert rig.until(cev.CardReady) == [READY]
    assert rig.sim.truth().books.refunded == [150]
    assert rig.commands()[1:4] == [FAILURE, FAILURE, "10"]


# Malfunctions


def test_a_malfunction_that_lasts_is_told_once_and_cleared() -> None:
    rig = ReaderRig()
    rig.session()
    rig.sim.report_lasting(b"\x0a\x52")
    rig.do(request())
    assert rig.run(1) == [ev.DeviceFault("reader_1", "needs_service_2"), APPROVED]  # it works all the same
    rig.do(act.FailVend(1))
    assert rig.run(1) == [cev.RefundEnded(1, ok=True)]
    rig.sim.report_lasting(b"")
    assert rig.run(1) == [ev.DeviceFaultCleared("reader_1", "needs_service_2")]


def test_malfunctions_of_a_moment_are_told_each_time_and_cleared_by_a_reset() -> None:
    rig = ReaderRig()
    rig.ready()
    rig.sim.report(b"\x0a\x13")
    rig.run(1)
    rig.sim.report(b"\x0a\x13")
    rig.run(1)
    assert rig.events == [ev.DeviceFault("reader_1", "invalid_media_3")] * 2
    rig.sim.reset()
    assert ev.DeviceFaultCleared("reader_1", "invalid_media_3") in rig.until(cev.CardReady)


NETWORK = ev.DeviceFault("reader_1", "communications_failure_0")
NETWORK_BACK = ev.DeviceFaultCleared("reader_1", "communications_failure_0")


def test_the_readers_own_network_goes_away_and_comes_back() -> None:
    rig = ReaderRig()
    rig.ready()
    rig.sim.network(up=False)
    assert rig.run(5) == [NETWORK, lost("network")]
    rig.do(request())
    assert rig.run(0.5) == [denied("network")]
    rig.sim.network(up=True)
    assert rig.run(1) == [NETWORK_BACK, READY]
    rig.sim.show_card()
    assert rig.run(1) == [BEGAN]


@pytest.mark.parametrize(
    ("class_", "reason"), [(8, "failure"), (9, "network"), (0xA, "jammed"), (0xB, "maker_failure")]
)
def test_malfunctions_that_stop_the_reader(class_: int, reason: str) -> None:
    rig = ReaderRig()
    rig.ready()
    rig.sim.report_lasting(bytes([0x0A, class_ << 4]))
    assert lost(reason) in rig.run(1)
    rig.sim.report_lasting(b"")
    assert rig.run(1)[-1] == READY


def test_what_else_is_told_does_not_bring_the_network_back() -> None:
    rig = ReaderRig()
    rig.ready()
    rig.sim.network(up=False)
    rig.run(1)
    rig.sim.network(up=True)
    rig.sim.report(b"\x0a\x07\x11")
    rig.until_sent("12")
    rig.sim.network(up=False)
    assert READY not in rig.run(2)


def test_a_reader_that_starts_without_its_network_is_lost_until_it_is_there() -> None:
    rig = ReaderRig()
    rig.sim.network(up=False)
    assert rig.run(3) == [NETWORK, lost("network")]
    rig.sim.network(up=True)
    assert rig.run(1) == [NETWORK_BACK, READY]


def test_the_network_goes_away_in_a_session() -> None:
    rig = ReaderRig()
    rig.session()
    rig.sim.network(up=False)
    assert rig.run(1) == [NETWORK, ENDED, lost("network")]


def test_the_network_goes_away_while_the_host_is_asked() -> None:
    rig = ReaderRig()
    rig.sim.plan.verdict_s = 60
    rig.session()
    rig.do(request())
    rig.run(0.3)
    rig.sim.network(up=False)
    assert rig.run(2) == [NETWORK, denied("network"), ENDED, lost("network")]
    assert rig.commands() == [REQUEST, CANCEL, COMPLETE]


@pytest.mark.parametrize("motor_works", [True, False])
def test_the_network_goes_away_while_the_motor_runs(motor_works: bool) -> None:
    rig = ReaderRig()
    rig.approved()
    rig.sim.network(up=False)
    assert rig.run(2) == [NETWORK]
    rig.do(act.ConfirmVend(1, 12) if motor_works else act.FailVend(1))
    rest = [ENDED, lost("network")]
    assert rig.run(2) == (rest if motor_works else [cev.RefundEnded(1, ok=True), *rest])


def test_a_card_at_a_reader_that_cannot_sell_is_sent_away() -> None:
    rig = ReaderRig()
    rig.ready()
    rig.sim.report_lasting(b"\x0a\x80")
    rig.run(0.5)
    rig.sim.show_card()
    rig.sent.clear()
    assert rig.run(1) == []
    assert rig.commands() == [COMPLETE]


# Messages at the wrong moment


def asked(verdict_s: float = 30) -> ReaderRig:
    """A session with a vend that the reader does not decide."""
    rig = ReaderRig()
    rig.sim.plan.verdict_s = verdict_s
    rig.session()
    rig.do(request())
    rig.run(0.3)
    rig.sent.clear()
    return rig


def test_cancel_of_a_request_that_waits() -> None:
    rig = ReaderRig()
    rig.approved()
    rig.do(act.ConfirmVend(1, 12))
    rig.do(request())
    rig.do(act.CancelVend(1))
    assert rig.run(1) == [denied("cancelled")]
    assert rig.commands() == [SUCCESS]


def test_a_cancel_request_waits_for_the_result() -> None:
    rig = asked(verdict_s=0.6)
    rig.sim.report(b"\x04")
    assert rig.run(0.2) == []
    assert rig.run(1) == [APPROVED]
    rig.do(act.ConfirmVend(1, 12))
    assert rig.run(1) == [ENDED]


def test_while_the_motor_runs_no_message_changes_the_sale() -> None:
    rig = ReaderRig()
    rig.approved()
    for message in ("050096", "06", "07", "0D", "0301f4ffffffff000000", "0AC0"):
        rig.sim.report(bytes.fromhex(message))
    assert rig.run(1) == [ev.DeviceFault("reader_1", "refund_error_0")]
    rig.do(act.ConfirmVend(1, 12))
    rig.run(1)
    assert rig.commands() == [SUCCESS]
    assert rig.driver.counts["ends_unasked"] == 1


def test_fail_vend_before_an_approval_refunds_nothing() -> None:
    rig = asked(verdict_s=0.6)
    rig.do(act.FailVend(1))
    assert rig.run(1) == [cev.RefundEnded(1, ok=False), APPROVED]


def test_approved_and_then_cancelled_after_all() -> None:
    rig = asked()
    rig.do(act.CancelVend(1))
    rig.sim._later, rig.sim.plan.cancel_wins = None, False
    rig.sim.report(bytes.fromhex("05009606"))
    assert rig.run(1) == [denied("cancelled")]
    assert rig.commands() == [CANCEL]


def test_a_reader_that_answers_no_cancel_is_voided_and_reset() -> None:
    rig = asked()
    rig.sim._deny = lambda: None  # type: ignore[method-assign]
    rig.do(act.CancelVend(1))
    assert rig.until(cev.CardLost) == [lost("answer_timeout"), ENDED]
    rig.run(0.5)
    assert rig.commands()[:3] == [CANCEL, FAILURE, "10"]


def test_an_approval_before_the_reset_is_voided() -> None:
    rig = ReaderRig()
    rig.session()
    rig.bus.fault_next[0x10] = Fault.COMMAND_LOST
    rig.sim.report(b"\x0b\x04")
    rig.until(cev.CardLost)
    rig.sim._state = State.VEND
    rig.sim._push(Code.VEND_APPROVED, b"\x00\x96", lambda: rig.sim._charge(150))
    assert rig.until(cev.CardReady) == [READY]
    assert rig.sim.truth().paid == 0


# Whatever comes


@given(
    st.lists(
        st.tuples(
            st.floats(0, 8),
            st.one_of(
                st.just(Ack()), st.just(Silence()), st.builds(Data, st.binary(min_size=1, max_size=35))
            ),
            st.sampled_from(
                [
                    act.AcceptCards(1, enabled=True),
                    act.RequestVend(1, 150, 12),
                    act.CancelVend(1),
                    act.ConfirmVend(1, 12),
                    act.FailVend(1),
                    act.EndSession(1),
                    act.ReportCashSale(1, 150, 12),
                    act.AskRevalueLimit(1),
                    act.Revalue(1, 500),
                    act.SetPriceRange(1, 500, 50),
                ]
            ),
        )
    )
)
@settings(max_examples=300)
def test_no_reply_whatever_breaks_the_driver(replies: list[tuple[float, Reply, act.Effect]]) -> None:
    driver = CashlessReader(1)
    now_s = 0.0
    for wait_s, reply, effect in replies:
        now_s += wait_s
        driver.perform(effect, now_s)
        block = driver.next_request(now_s)
        if block is not None:
            driver.on_reply(block, reply, now_s)
