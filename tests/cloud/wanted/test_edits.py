"""Prices set one by one, and the three columns side by side."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud import prices
from cloud.database import StoreError
from cloud.prices import Disagreement
from cloud.store import Store
from cloud.wanted import book
from cloud.wanted.plan import Plan, Planogram, Scope
from shared.messages import ConfigRefused, PlannedSlot, PriceList, PricesRefused
from shared.schedules import Schedule
from tests.cloud.records import arrived, sale
from tests.cloud.wanted.rig import (
    config,
    keep,
    messages,
    opened,
    reported,
    set_prices,
    stocked,
    undo,
    want,
    wanted,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path) as store:
        yield store


def listed(store: Store, machine: str = "m1") -> dict[str, int]:
    found = wanted(store.db, machine)
    assert found is not None
    return found.prices


def test_the_first_change_starts_from_what_the_machine_has(store: Store) -> None:
    keep(store, reported("m1", 7, A1=150, B2=90))
    set_prices(store.db, ["m1"], {"A1": "1.60"})
    assert wanted(store.db, "m1") == PriceList(version=8, currency="EUR", prices={"A1": 160, "B2": 90})


def test_the_next_starts_from_what_is_wanted(store: Store) -> None:
    keep(store, reported("m1", A1=150, B2=90))
    set_prices(store.db, ["m1"], {"A1": "1.60"})
    set_prices(store.db, ["m1"], {"B2": "1"})
    assert listed(store) == {"A1": 160, "B2": 100}
    assert messages(store.db)["m1"].version == 2


def test_the_slots_are_those_the_machine_has_now(store: Store) -> None:
    keep(store, reported("m1", A1=150, B2=90))
    set_prices(store.db, ["m1"], {"A1": "1.60"})
    keep(store, reported("m1", 1, A1=160, C3=70))
    set_prices(store.db, ["m1"], {"A1": "1.70"})
    assert listed(store) == {"A1": 170, "C3": 70}


def test_a_machine_ahead_of_the_store_gets_a_newer_version(store: Store) -> None:
    keep(store, reported("m1", A1=150))
    set_prices(store.db, ["m1"], {"A1": "1.60"})
    keep(store, reported("m1", 40, A1=155))
    set_prices(store.db, ["m1"], {"A1": "1.70"})
    assert messages(store.db)["m1"].version == 41


@pytest.mark.parametrize(
    ("machines", "amounts", "words"),
    [
        (["m9"], {"A1": "1"}, "m9.*never reported"),
        (["m1", "m2"], {"B2": "1"}, "m2: no slot B2; it has A1"),
        (["m1"], {"A1": "1.555"}, "no whole number of EUR"),
        (["m1"], {"A1": "cheap"}, "not an amount"),
        (["m1"], {"A1": "0"}, "A1=0: a price is more than 0 and at most 100000.00 EUR"),
        (["m1"], {"A1": "-1"}, "A1=-1"),
        (["m1"], {"A1": "1e9"}, "at most"),
        (["m1", "m3"], {"A1": "1"}, "CHF and EUR"),
        (None, {"Z9": "1"}, "no machine has Z9"),
    ],
)
def test_a_mistake_changes_no_machine(
    store: Store, machines: list[str] | None, amounts: dict[str, str], words: str
) -> None:
    keep(store, reported("m1", A1=150, B2=90), reported("m2", A1=150), reported("m3", 0, "CHF", A1=2))
    with pytest.raises((StoreError, ValueError), match=words):
        set_prices(store.db, machines, amounts)
    assert messages(store.db) == {}
    assert book.history(store.db, 10) == []


def test_all_is_every_machine_that_has_the_slots(store: Store) -> None:
    keep(store, reported("m1", A1=150, B2=90), reported("m2", A1=150))
    set_prices(store.db, None, {"B2": "1"})
    assert set(messages(store.db)) == {"m1"}
    set_prices(store.db, None, {"A1": "1"})
    assert set(messages(store.db)) == {"m1", "m2"}


def test_a_price_a_hundred_times_as_high_is_refused_and_the_first_edit_can_be_taken_back(
    store: Store,
) -> None:
    """T24: somebody types 160 for 1.60."""
    keep(store, reported("m1", A1=150, B2=90))
    with pytest.raises(StoreError, match=r"A1: 1.50 EUR becomes 160.00 EUR \(--force"):
        set_prices(store.db, ["m1"], {"A1": "160"}, force=False)
    assert messages(store.db) == {}
    set_prices(store.db, ["m1"], {"A1": "160"})
    keep(store, reported("m1", 1, A1=16_000, B2=90))
    undo(store.db)
    assert wanted(store.db, "m1") == PriceList(version=2, currency="EUR", prices={"A1": 150, "B2": 90})
    assert [(row["number"], row["who"], row["what"]) for row in book.history(store.db, 10)] == [
        (2, "anna", "undo 1"),
        (1, "anna", "prices set"),
    ]


def test_what_is_published_is_remembered_by_version(store: Store) -> None:
    keep(store, reported("m1", A1=150))
    set_prices(store.db, ["m1"], {"A1": "1"})
    (first,) = book.unpublished(store.db, "prices", "", everything=False)
    set_prices(store.db, ["m1"], {"A1": "2"})
    book.published(store.db, [first])
    (second,) = book.unpublished(store.db, "prices", "", everything=False)
    assert (first.version, second.version) == (1, 2)
    book.published(store.db, [second])
    assert book.unpublished(store.db, "prices", "", everything=False) == []
    assert book.unpublished(store.db, "prices", "", everything=True) == [second]


def test_the_columns_side_by_side(store: Store) -> None:
    keep(store, reported("m1", A1=150, B2=90), arrived("m1", sale("m1", 1)))
    assert [row.trouble for row in prices.table(store.db)] == ["", ""]
    set_prices(store.db, ["m1"], {"A1": "1.60"})
    a1, b2 = prices.table(store.db)
    assert (a1.wanted_minor, a1.applied_minor, a1.charged_minor) == (160, 150, 150)
    assert (a1.trouble, b2.trouble) == ("not applied yet", "")
    keep(store, reported("m1", 0, refused=PricesRefused(version=1, reason="too dear"), A1=150, B2=90))
    assert next(prices.table(store.db)).trouble == "refused: too dear"
    keep(store, reported("m1", 1, A1=160, B2=90))
    assert [row.trouble for row in prices.table(store.db)] == ["", ""], "charged before the change"
    keep(store, arrived("m1", sale("m1", 2, price_version=1)))
    assert next(prices.table(store.db)).trouble == "charged otherwise"
    assert list(prices.disagreements(store.db)) == [
        Disagreement("m1", "A1", "price by cash", "1.60 EUR", "1.60 EUR", "1.50 EUR", "charged otherwise")
    ]


def test_cards_have_prices_of_their_own_where_somebody_set_them(store: Store) -> None:
    keep(store, reported("m1", A1=150, B2=90))
    set_prices(store.db, ["m1"], {"A1": "1.40"}, "card")
    set_prices(store.db, ["m1"], {"A1": "1.60"})
    assert [(row.slot, row.tender, row.wanted_minor) for row in prices.table(store.db)] == [
        ("A1", "card", 140),
        ("A1", "cash", 160),
        ("B2", "cash", 90),
    ]


@pytest.mark.parametrize(
    ("charged_minor", "minutes_after_five", "agrees"),
    [
        (120, 0, True),
        (120, 119, True),
        (150, 30, True),  # the machine did not know the time
        (120, 150, True),  # the coins came in before seven
        (120, 300, False),
        (120, -1, False),
        (130, 30, False),
    ],
)
def test_a_schedules_price_is_no_disagreement_when_the_schedule_explains_it(
    store: Store, charged_minor: int, minutes_after_five: int, *, agrees: bool
) -> None:
    happy = Schedule(name="happy hour", start="17:00", end="19:00", percent_off=20)
    in_force = PriceList(
        version=1, currency="EUR", prices={"A1": 150}, time_zone="Europe/Berlin", schedules=(happy,)
    )
    five_ns = 1_790_002_800 * 10**9 + minutes_after_five * 60 * 10**9  # 17:00 in Berlin, in summer
    record = sale("m1", 1, price_minor=charged_minor, price_version=1, at_ns=five_ns)
    keep(store, reported("m1", prices=in_force), arrived("m1", record))
    assert [row.why for row in prices.disagreements(store.db)] == ([] if agrees else ["charged otherwise"])


def test_a_config_that_is_refused_or_waits_for_a_refill_is_a_disagreement(store: Store) -> None:
    keep(store, reported("m1", A1=150), stocked("m1", A1="cola"))
    plan = Plan(
        planograms={"std": Planogram(slots={"A1": PlannedSlot(product="rum", capacity=9, par=9)})},
        fleet=Scope(planogram="std"),
    )
    want(store.db, plan, force=True)
    assert config(store.db, "m1") is not None
    no = ConfigRefused(version=1, reason="slot B2 is not planned")
    keep(store, reported("m1", config_refused=no, A1=150))
    (row,) = prices.disagreements(store.db)
    assert (row.what, row.why) == ("config", "refused: slot B2 is not planned")
    keep(store, reported("m1", config_version=1, A1=150), stocked("m1", {"A1": "rum"}, A1="cola"))
    (row,) = prices.disagreements(store.db)
    assert (row.slot, row.what, row.wanted, row.applied) == ("A1", "product", "rum", "cola")
    assert "refill" in row.why
    keep(store, stocked("m1", A1="rum"))
    assert list(prices.disagreements(store.db)) == []
