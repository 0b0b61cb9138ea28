import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cloud import prices as desk
from cloud.batch import Arrived, Batch, digest
from cloud.database import StoreError, make
from cloud.store import Store
from shared import codec, topics
from shared.messages import PriceList, PricesRefused, Reported
from tests.cloud.records import EPOCH, arrived, sale


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    make(tmp_path / "store.db")
    with closing(Store(tmp_path / "store.db")) as opened:
        yield opened


def reported(
    machine: str, version: int = 0, currency: str = "EUR", refused: PricesRefused | None = None, **prices: int
) -> Arrived:
    value = Reported(
        at_ns=1, prices=PriceList(version=version, currency=currency, prices=prices), refused=refused
    )
    return Arrived(topics.REPORTED.of(machine), value.model_dump_json().encode(), 1, False, 5)


def keep(store: Store, *messages: Arrived, at_ns: int = 5) -> None:
    store.keep(digest(messages), at_ns)


def test_what_is_there_is_left_as_it_is_and_a_broken_start_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "store.new").write_bytes(b"the power went here")
    make(tmp_path / "store.db")
    with closing(Store(tmp_path / "store.db")) as store:
        store.want({"m1": PriceList(version=1, currency="EUR", prices={"A1": 1})}, 1)
    make(tmp_path / "store.db")
    with closing(Store(tmp_path / "store.db")) as store:
        assert store.wanted("m1") is not None


def test_a_store_of_another_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    make(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(StoreError, match="version 2"):
        Store(path)


def test_it_is_durable_at_commit(store: Store) -> None:
    assert store._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert store._db.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_poison_sent_again_is_counted_in_whatever_company(store: Store) -> None:
    bad = {**sale("m1", 2), "price_minor": -5}
    keep(store, arrived("m1", sale("m1", 1), bad, at_ns=10))
    keep(store, arrived("m1", bad, sale("m1", 3), at_ns=20))
    (letter,) = store.dead_letters(10)
    assert (letter["count"], letter["first_at_ns"], letter["last_at_ns"]) == (2, 10, 20)
    assert (letter["topic"], letter["code"], letter["epoch"], letter["seq"]) == (
        "vend/v1/m1/sale",
        "bad_body",
        EPOCH,
        2,
    )
    assert codec.unpack(letter["payload"]) == bad


def test_an_oversized_letter_keeps_its_beginning_and_its_size(store: Store) -> None:
    huge = b"x" * (codec.MAX_MESSAGE_BYTES + 10)
    keep(store, Arrived(topics.SALE.of("m1"), huge, 1, False, 1))
    keep(store, Arrived(topics.SALE.of("m1"), huge + b"y", 1, False, 1))
    first, second = store.dead_letters(10)
    assert len(first["payload"]) == codec.MAX_MESSAGE_BYTES
    assert {first["reason"], second["reason"]} == {f"{len(huge)} bytes", f"{len(huge) + 1} bytes"}


def test_dead_letters_come_newest_first_and_as_many_as_asked(store: Store) -> None:
    for number in range(5):
        keep(store, Arrived("nowhere", bytes([number]), 1, False, number))
    assert [letter["last_at_ns"] for letter in store.dead_letters(3)] == [4, 3, 2]


def test_charged_is_the_newest_whatever_comes_late(store: Store) -> None:
    keep(store, arrived("m1", sale("m1", 5, price_minor=200)))
    keep(store, arrived("m1", sale("m1", 4, price_minor=100)))
    assert store.charged("m1")["A1", "cash"]["price_minor"] == 200


def test_a_retained_word_is_kept_and_is_no_sign_of_life(store: Store) -> None:
    old = reported("m1", A1=150)
    keep(store, Arrived(old.topic, old.payload, 1, True, 9), at_ns=9)
    (row,) = store.machines()
    assert row["reported"]
    assert row["seen_at_ns"] == 0
    keep(store, arrived("m1", sale("m1", 1)), at_ns=11)
    keep(store, Arrived(old.topic, old.payload, 1, True, 12), at_ns=12)
    assert store.machines()[0]["seen_at_ns"] == 11


def test_nothing_of_a_failed_batch_stays(store: Store) -> None:
    batch = digest([arrived("m1", sale("m1", 1))])
    batch.dead.append("no dead letter")  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        store.keep(batch, 1)
    assert store.machines() == []
    store.keep(Batch(), 1)


class TestPrices:
    def test_the_first_change_starts_from_what_the_machine_has(self, store: Store) -> None:
        keep(store, reported("m1", 7, A1=150, B2=90))
        wanted = desk.change(store, ["m1"], {"A1": "1.60"}, 1)["m1"]
        assert wanted == PriceList(version=8, currency="EUR", prices={"A1": 160, "B2": 90})
        assert store.wanted("m1") == wanted

    def test_the_next_starts_from_what_is_wanted(self, store: Store) -> None:
        keep(store, reported("m1", A1=150, B2=90))
        desk.change(store, ["m1"], {"A1": "1.60"}, 1)
        wanted = desk.change(store, ["m1"], {"B2": "1"}, 2)["m1"]
        assert (wanted.version, wanted.prices) == (2, {"A1": 160, "B2": 100})

    def test_the_slots_are_those_the_machine_has_now(self, store: Store) -> None:
        keep(store, reported("m1", A1=150, B2=90))
        desk.change(store, ["m1"], {"A1": "1.60"}, 1)
        keep(store, reported("m1", 1, A1=160, C3=70))
        assert desk.change(store, ["m1"], {"A1": "1.70"}, 2)["m1"].prices == {"A1": 170, "C3": 70}

    def test_a_machine_ahead_of_the_store_gets_a_newer_version(self, store: Store) -> None:
        keep(store, reported("m1", A1=150))
        desk.change(store, ["m1"], {"A1": "1.60"}, 1)
        keep(store, reported("m1", 40, A1=155))
        assert desk.change(store, ["m1"], {"A1": "1.70"}, 2)["m1"].version == 41

    @pytest.mark.parametrize(
        ("machines", "amounts", "words"),
        [
            (["m9"], {"A1": "1"}, "m9.*never reported"),
            (["m1", "m2"], {"B2": "1"}, "m2: no slot B2; it has A1"),
            (["m1"], {"A1": "1.555"}, "no whole number of EUR"),
            (["m1"], {"A1": "cheap"}, "not an amount"),
            (["m1"], {"A1": "0"}, "greater than or equal to 1"),
            (["m1"], {"A1": "-1"}, "greater than or equal to 1"),
            (["m1"], {"A1": "1e9"}, "less than or equal"),
            (["m1", "m3"], {"A1": "1"}, "CHF and EUR"),
            (None, {"Z9": "1"}, "no machine has Z9"),
        ],
    )
    def test_a_mistake_changes_no_machine(
        self, store: Store, machines: list[str] | None, amounts: dict[str, str], words: str
    ) -> None:
        keep(store, reported("m1", A1=150, B2=90), reported("m2", A1=150), reported("m3", 0, "CHF", A1=2))
        with pytest.raises((StoreError, ValueError), match=words):
            desk.change(store, machines, amounts, 1)
        assert [store.wanted(m) for m in ("m1", "m2", "m3")] == [None] * 3

    def test_all_is_every_machine_that_has_the_slots(self, store: Store) -> None:
        keep(store, reported("m1", A1=150, B2=90), reported("m2", A1=150))
        assert set(desk.change(store, None, {"B2": "1"}, 1)) == {"m1"}
        assert set(desk.change(store, None, {"A1": "1"}, 1)) == {"m1", "m2"}

    def test_two_people_at_once(self, store: Store) -> None:
        newer = PriceList(version=3, currency="EUR", prices={"A1": 1})
        store.want({"m1": newer}, 1)
        with pytest.raises(StoreError, match="somebody else"):
            store.want({"m2": newer, "m1": newer}, 1)
        assert store.wanted("m2") is None, "all or none"

    def test_what_is_published_is_remembered_by_version(self, store: Store) -> None:
        store.want({"m1": PriceList(version=1, currency="EUR", prices={"A1": 1})}, 1)
        ((machine, version, payload),) = store.unpublished(everything=False)
        store.want({"m1": PriceList(version=2, currency="EUR", prices={"A1": 2})}, 2)
        store.published(machine, version)
        assert PriceList.model_validate_json(payload).version == 1
        assert [row[1] for row in store.unpublished(everything=False)] == [2]
        store.published("m1", 2)
        assert store.unpublished(everything=False) == []
        assert [row[1] for row in store.unpublished(everything=True)] == [2]

    def test_the_columns_side_by_side(self, store: Store) -> None:
        keep(store, reported("m1", A1=150, B2=90), arrived("m1", sale("m1", 1)))
        assert [row.trouble for row in desk.table(store)] == ["", ""]
        desk.change(store, ["m1"], {"A1": "1.60"}, 1)
        a1, b2 = desk.table(store)
        assert (a1.wanted_minor, a1.applied_minor, a1.charged_minor) == (160, 150, 150)
        assert (a1.trouble, b2.trouble) == ("not applied yet", "")
        keep(store, reported("m1", 0, refused=PricesRefused(version=1, reason="too dear"), A1=150, B2=90))
        assert desk.table(store)[0].trouble == "refused: too dear"
        keep(store, reported("m1", 1, A1=160, B2=90))
        assert [row.trouble for row in desk.table(store)] == ["", ""], "charged before the change"
        keep(store, arrived("m1", sale("m1", 2, price_version=1)))
        assert desk.table(store)[0].trouble == "charged otherwise"

    def test_cards_have_prices_of_their_own_where_somebody_set_them(self, store: Store) -> None:
        keep(store, reported("m1", A1=150, B2=90))
        desk.change(store, ["m1"], {"A1": "1.40"}, 1, "card")
        desk.change(store, ["m1"], {"A1": "1.60"}, 2)
        assert [(row.slot, row.tender, row.wanted_minor) for row in desk.table(store)] == [
            ("A1", "card", 140),
            ("A1", "cash", 160),
            ("B2", "cash", 90),
        ]
