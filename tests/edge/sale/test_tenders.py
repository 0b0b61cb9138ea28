"""What a customer can pay with, and the words for what not."""

from dataclasses import replace

import pytest

from edge.sale.state import NOT_FITTED, Cabinet, Reader, State, Visit
from edge.sale.tenders import availability
from shared.fields import Tender
from shared.messages import PriceList

WELL = State(
    prices=PriceList(version=0, currency="EUR", prices={"A1": 150}),
    stock={"A1": 5},
    changer="",
    validator="",
    readers={1: Reader(reason="")},
    board="",
    link_up=True,
)


def test_everything_works() -> None:
    found = availability(WELL)
    assert {tender: a.available for tender, a in found.items()} == {
        "cash": True,
        "card": True,
        "wallet": False,
    }
    assert found["wallet"].reason == "not set up"


@pytest.mark.parametrize(
    ("trouble", "tender", "reason"),
    [
        ({"link_up": False}, "wallet", "needs the machine's network, which is down"),
        ({"readers": {}}, "card", "no card reader fitted"),
        ({"readers": {1: Reader(reason="network")}}, "card", "card reader has no network"),
        ({"changer": "silent", "validator": NOT_FITTED}, "cash", "coin changer does not answer"),
        ({"changer": "silent", "validator": "reset"}, "cash", "does not answer, note validator was reset"),
        ({"board": "port_lost"}, "cash", "motor board was unplugged"),
        ({"board": "port_lost"}, "card", "motor board was unplugged"),
        ({"disk_ok": False}, "card", "journal disk full"),
        ({"cabinet": Cabinet(visit=Visit(door=True))}, "cash", "a technician is at the machine"),
        ({"readers": {1: Reader(reason="something_new")}}, "card", "card reader something new"),
    ],
)
def test_what_is_off_says_why(trouble: dict[str, object], tender: Tender, reason: str) -> None:
    found = availability(replace(WELL, **trouble))[tender]  # type: ignore[arg-type]
    assert not found.available
    assert reason in found.reason


def test_the_machines_network_stops_neither_cash_nor_card() -> None:
    found = availability(replace(WELL, link_up=False))
    assert found["cash"].available
    assert found["card"].available


def test_one_reader_of_two_is_enough() -> None:
    assert availability(replace(WELL, readers={1: Reader("network"), 2: Reader("")}))["card"].available


def test_notes_alone_are_said_to_be_notes_alone() -> None:
    found = availability(replace(WELL, changer="silent"))["cash"]
    assert found.available
    assert found.reason == "notes for the exact price only: coin changer does not answer"
