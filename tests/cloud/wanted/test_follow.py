"""Messages follow from the plan also where nobody waits for them."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud import publisher
from cloud.database import StoreError
from cloud.store import Store
from cloud.wanted import book, desk
from cloud.wanted.plan import Plan, Scope
from tests.cloud.wanted.rig import keep, messages, opened, reported, stocked, want, wanted

CHEAP, DEAR = (Plan(fleet=Scope(currency="EUR", slot_prices={"A1": price})) for price in (140, 160))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path) as store:
        yield store


def nothing(_done: int) -> None:
    pass


def prices_of(store: Store, machine: str) -> dict[str, int] | None:
    found = wanted(store.db, machine)
    return found.prices if found else None


def test_a_machine_that_speaks_for_the_first_time_gets_what_all_get(store: Store) -> None:
    want(store.db, DEAR, force=True)
    keep(store, reported("new", A1=150, B2=90))
    publisher._follow(store.db)
    assert messages(store.db) == {}, "what is in its slots is not known yet"
    keep(store, stocked("new", A1="cola", B2="milk"))
    publisher._follow(store.db)
    assert prices_of(store, "new") == {"A1": 160, "B2": 90}
    assert book.strangers(store.db) == []


def test_a_command_that_died_half_way_is_brought_to_its_end(store: Store) -> None:
    keep(store, reported("m1", A1=150), stocked("m1", A1="cola"))
    draft = desk.draft(store.db, lambda _plan: DEAR, nothing)
    desk.make(store.db, draft, "anna", "apply", time.time_ns(), force=True)
    publisher._follow(store.db)
    assert messages(store.db).keys() == {"m1"}, "nobody looked at it yet"
    draft = desk.draft(store.db, lambda _plan: CHEAP, nothing)
    desk.make(store.db, draft, "anna", "apply", time.time_ns(), force=True)
    publisher._follow(store.db)
    assert prices_of(store, "m1") == {"A1": 160}, "its command may still be at work"
    store.db.execute("UPDATE change SET at_ns = 0")
    store.db.commit()
    publisher._follow(store.db)
    assert prices_of(store, "m1") == {"A1": 140}
    assert [row["settled"] for row in book.history(store.db, 9)] == [1, 1]


def test_a_plan_that_changes_meanwhile_wins(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(store, *(reported(f"m{n:03}", A1=150) for n in range(book.PAGE + 1)))
    real, raced = book.put, False

    def put(*args: object) -> None:
        nonlocal raced
        if not raced:
            raced = True
            want(store.db, CHEAP, force=True)
        real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(book, "put", put)
    want(store.db, DEAR, force=True)
    assert {m.version for m in messages(store.db).values()} == {1}
    assert prices_of(store, "m000") == prices_of(store, f"m{book.PAGE:03}") == {"A1": 140}


def test_of_two_people_who_change_the_plan_the_second_looks_again(store: Store) -> None:
    first, second = (desk.draft(store.db, lambda _plan, p=p: p, nothing) for p in (CHEAP, DEAR))  # type: ignore[misc]
    desk.make(store.db, first, "anna", "apply", 1, force=True)
    with pytest.raises(StoreError, match="somebody else changed the plan just now"):
        desk.make(store.db, second, "bert", "apply", 1, force=True)
