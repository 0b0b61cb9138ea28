from collections import Counter

from edge.mdb.coin.codes import POLL, dispense_commands
from edge.mdb.coin.expansion import PAYOUT_STATUS, PAYOUT_VALUE_POLL, Sub, expansion
from edge.mdb.coin.ledger import Ledger
from edge.mdb.coin.payout import Payout
from edge.mdb.coin.phases import PAYOUT_LIMIT_S
from edge.mdb.frame import Ack, Data, Silence
from edge.mdb.peripheral import Faults

ORDER = expansion(Sub.PAYOUT, b"\x0f")


def ledger() -> Ledger:
    return Ledger(Faults("changer"), Counter())


def test_coins_are_done_when_the_changer_is_quiet() -> None:
    orders = dispense_commands((0, 16))
    payout = Payout(orders, ledger(), 0.0)
    for order in orders:
        assert payout.request == order
        payout.on_reply(order, Ack(), 1.0)
        assert payout.waiting
        assert payout.request == POLL
        payout.on_quiet()
    assert payout.done


def test_a_value_is_done_when_value_poll_and_status_say_so() -> None:
    payout = Payout([ORDER], ledger(), 0.0)
    payout.on_reply(ORDER, Ack(), 1.0)
    assert payout.deadline_s == 1.0 + PAYOUT_LIMIT_S
    payout.on_quiet()
    payout.on_reply(PAYOUT_VALUE_POLL, Data(b"\0"), 50.0)  # none yet
    assert payout.deadline_s == 1.0 + PAYOUT_LIMIT_S
    payout.on_quiet()
    payout.on_reply(PAYOUT_VALUE_POLL, Data(b"\x0a"), 55.0)  # coins fall
    assert payout.deadline_s == 55.0 + PAYOUT_LIMIT_S
    payout.on_quiet()
    payout.on_reply(PAYOUT_VALUE_POLL, Silence(), 56.0)
    assert payout.request == PAYOUT_VALUE_POLL
    payout.on_reply(PAYOUT_VALUE_POLL, Ack(), 57.0)
    payout.on_reply(PAYOUT_STATUS, Silence(), 58.0)
    assert payout.request == PAYOUT_STATUS
    payout.on_reply(PAYOUT_STATUS, Ack(), 59.0)  # busy again
    assert payout.waiting
    payout.on_quiet()
    payout.on_reply(PAYOUT_VALUE_POLL, Ack(), 60.0)
    payout.on_reply(PAYOUT_STATUS, Data(b"\1\0\1\1"), 61.0)
    assert payout.done


def test_an_order_in_doubt_is_the_last() -> None:
    for reply in (Silence(), Data(b"\1")):
        payout = Payout([ORDER, ORDER], ledger(), 0.0)
        payout.on_reply(ORDER, reply, 1.0)
        assert payout.request == POLL
        payout.on_quiet()
        payout.on_reply(PAYOUT_VALUE_POLL, Ack(), 2.0)
        payout.on_reply(PAYOUT_STATUS, Data(b"\0"), 3.0)
        assert payout.done


def test_answers_to_other_blocks_change_nothing() -> None:
    payout = Payout([ORDER], ledger(), 0.0)
    payout.on_reply(PAYOUT_STATUS, Data(b"\1"), 1.0)
    payout.on_reply(PAYOUT_VALUE_POLL, Ack(), 1.0)
    payout.on_quiet()
    assert payout.ordering
