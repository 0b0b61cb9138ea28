import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cloud.batch import Arrived, Batch, digest
from cloud.database import StoreError, make
from cloud.store import Store
from shared import codec, topics
from shared.messages import PriceList, Reported
from tests.cloud.records import EPOCH, arrived, sale


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    make(tmp_path / "store.db")
    with closing(Store(tmp_path / "store.db")) as opened:
        yield opened


def reported(machine: str, **prices: int) -> Arrived:
    value = Reported(at_ns=1, prices=PriceList(version=0, currency="EUR", prices=prices))
    return Arrived(topics.REPORTED.of(machine), value.model_dump_json().encode(), 1, False, 5)


def keep(store: Store, *messages: Arrived, at_ns: int = 5) -> None:
    store.keep(digest(messages), at_ns)


def test_what_is_there_is_left_as_it_is_and_a_broken_start_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "store.new").write_bytes(b"the power went here")
    make(tmp_path / "store.db")
    with closing(Store(tmp_path / "store.db")) as store:
        keep(store, reported("m1", A1=1))
    make(tmp_path / "store.db")
    with closing(Store(tmp_path / "store.db")) as store:
        assert [row["machine"] for row in store.machines()] == ["m1"]


def test_a_store_of_another_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    make(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="version 99"):
        Store(path)


def test_it_is_durable_at_commit(store: Store) -> None:
    assert store.db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert store.db.execute("PRAGMA synchronous").fetchone()[0] == 2


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
    keep(store, arrived("m1", sale("m1", 1), at_ns=11), at_ns=11)
    keep(store, Arrived(old.topic, old.payload, 1, True, 12), at_ns=12)
    assert store.machines()[0]["seen_at_ns"] == 11


def test_nothing_of_a_failed_batch_stays(store: Store) -> None:
    batch = digest([arrived("m1", sale("m1", 1))])
    batch.dead.append("no dead letter")  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        store.keep(batch, 1)
    assert store.machines() == []
    store.keep(Batch(), 1)
