"""Cash for a prepaid card: taken only up to its room, on the card once, owed where nobody knows."""

import pytest

from edge.sale import card_events as cev
from edge.sale import events as ev
from edge.sale.state import Phase
from edge.sale.step import Policy
from shared import records as m
from tests.edge.sale.test_every_tender import Shop, shop


def canteen(room_minor: int) -> Shop:
    """A prepaid card is in reader 1."""
    s = shop(Policy(revalue_cards=True))
    s.readers[1].session = True
    s.feed(cev.SessionBegan(1, 300))
    assert s.readers[1].limit_asked
    s.feed(cev.RevalueLimit(1, room_minor))
    return s


def on_the_card(s: Shop, *, ok: bool) -> None:
    amount_minor, s.readers[1].revaluing_minor = s.readers[1].revaluing_minor, None
    s.revalued_minor += (amount_minor or 0) * ok
    s.feed(cev.RevalueEnded(1, ok))


@pytest.mark.parametrize(
    ("room_minor", "coins", "notes"),
    [
        (0, False, set()),
        (199, False, set()),  # a changer cannot be told to leave the two-euro coin out
        (200, True, set()),
        (500, True, {0}),
        (5_000, True, {0, 1, 2}),
    ],
)
def test_cash_is_let_in_as_far_as_the_card_has_room(room_minor: int, coins: bool, notes: set[int]) -> None:
    s = canteen(room_minor)
    assert s.state.accepting is coins
    assert set(s.state.notes_accepted or ()) == notes


def test_the_room_gets_smaller_and_the_card_pays_in_the_end() -> None:
    s = canteen(300)
    s.money(200)
    assert (s.state.phase, s.readers[1].revaluing_minor, s.state.credit_minor) == (Phase.REVALUING, 200, 0)
    assert not s.state.accepting
    on_the_card(s, ok=True)
    assert (s.state.phase, s.state.accepting, s.revalued_minor) == (Phase.SESSION, False, 200)
    s.feed(ev.SlotSelected("A1"))
    assert s.readers[1].asked_minor == 150


def test_a_coin_in_flight_follows_or_becomes_credit() -> None:
    s = canteen(250)
    s.money(200, 20)
    on_the_card(s, ok=True)
    assert (s.state.phase, s.readers[1].revaluing_minor) == (Phase.REVALUING, 20)
    s.money(100)  # more than the card has room for
    on_the_card(s, ok=True)
    assert (s.state.phase, s.readers[1].ending, s.state.credit_minor) == (Phase.CLOSING, True, 100)


def test_without_the_operators_word_no_card_is_asked() -> None:
    s = shop()
    s.readers[1].session = True
    s.feed(cev.SessionBegan(1, 300))
    assert not s.readers[1].limit_asked
    s.money(100)
    assert (s.state.phase, s.state.credit_minor) == (Phase.SESSION, 100)


def test_what_a_lost_reader_had_is_owed_and_a_late_yes_is_told_to_the_operator() -> None:
    s = canteen(500)
    s.money(200)
    s.readers[1].reset()
    s.feed(cev.CardLost(1, "silent"))
    (owed,) = [r for r in s.history if isinstance(r, m.Owed)]
    assert (owed.amount_minor, owed.reason, s.state.phase) == (200, "revalue_in_doubt", Phase.IDLE)
    s.revalued_minor, s.doubled_minor = 200, 200
    s.feed(cev.RevalueEnded(1, ok=True))
    assert s.records == (m.Fault(device="reader_1", code="late_revalue"),)
    s.feed(ev.ClaimEntered(owed.claim))
    assert s.state.credit_minor == 200


def test_a_reader_that_never_answers_is_given_up() -> None:
    s = canteen(500)
    s.money(100)
    s.feed(ev.Tick())
    assert (s.state.phase, s.state.totals.owed_minor) == (Phase.IDLE, 100)
