"""Which numbers are stored, refused, waiting or missing."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.__main__ import main
from cloud.batch import Arrived, digest, settle
from cloud.books import MARKS, MAX_JUMP, Account, Books
from cloud.config import InfluxSettings
from cloud.database import make
from cloud.ranges import count, gaps, ranges_of
from cloud.store import Store
from shared import topics
from shared.messages import Mark, Receipt, Status
from tests.cloud.records import EPOCH, START_NS, arrived, boot, sale

OTHER = "ffffffffffff"


class Desk:
    """Store and books of one file, fed with batches as ingest feeds them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make(folder / "store.db")
        self.store = Store(folder / "store.db")
        self.books = Books(folder / "store.db")
        self.at_ns = 0

    def close(self) -> None:
        self.store.close()
        self.books.close()

    def take(self, *messages: Arrived) -> list[tuple[str, Receipt]]:
        batch = digest(messages)
        self.store.screen(batch)
        receipts = settle(batch, {})
        self.at_ns += 1
        self.store.keep(batch, self.at_ns)
        return receipts

    def say(self, machine: str, epoch: str = EPOCH, **said: object) -> None:
        fields = {"online": True, "since_ns": 7, "epoch": epoch, "software": "x", "tenders": {}, **said}
        payload = Status.model_validate(fields).model_dump_json().encode()
        self.take(Arrived(topics.STATUS.of(machine), payload, 1, False, 0))

    def account(self, machine: str = "m1") -> Account:
        return self.books.accounts(machine)[0]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(Desk(tmp_path)) as made:
        yield made


@settings(max_examples=30)
@given(st.lists(st.sets(st.integers(1, 60), min_size=1, max_size=30), max_size=8))
def test_ranges_are_the_set_of_all_numbers_whatever_the_order(batches: list[set[int]]) -> None:
    model: set[int] = set()
    with TemporaryDirectory() as folder, closing(Desk(Path(folder))) as desk:
        for batch in batches:
            desk.take(arrived("m1", *(sale("m1", seq) for seq in batch)))
            model |= batch
            account = desk.account()
            rows = desk.books._ranges(("m1", EPOCH))
            assert tuple(rows) == ranges_of(model)
            assert account.stored == count(rows) == len(model)
            assert account.highest == max(model)
            missing = {seq for first, last in account.missing for seq in range(first, last + 1)}
            assert missing == set(range(1, max(model))) - model
            assert account.complete_to == next(n for n in range(62) if n + 1 not in model)


@given(st.sets(st.integers(1, 40)), st.integers(1, 40), st.integers(0, 40))
def test_gaps_are_what_is_left_out(numbers: set[int], first: int, last: int) -> None:
    left = [n for a, b in gaps(ranges_of(numbers), first, last) for n in range(a, b + 1)]
    assert left == [n for n in range(first, last + 1) if n not in numbers]


def test_waiting_is_what_the_machine_still_owes_and_missing_what_it_does_not(desk: Desk) -> None:
    desk.take(arrived("m1", sale("m1", 1), sale("m1", 4), sale("m1", 8)))
    desk.say("m1", last_seq=10, owed_from=6, owed=4)
    account = desk.account()
    assert account.missing == ((2, 3), (5, 5))
    assert account.waiting == ((6, 7), (9, 10))
    assert (account.complete_to, account.highest) == (1, 8)
    desk.take(arrived("m1", *(sale("m1", seq) for seq in range(1, 11))))
    desk.say("m1", last_seq=10)
    account = desk.account()
    assert (account.complete_to, account.missing, account.waiting) == (10, (), ())


def test_what_a_lost_card_still_owed_is_missing(desk: Desk) -> None:
    desk.take(arrived("m1", sale("m1", 1)))
    desk.say("m1", last_seq=5, owed_from=2, owed=4)
    assert desk.account().waiting == ((2, 5),)
    desk.say("m1", OTHER, last_seq=0)
    new, old = desk.books.accounts("m1")
    assert (new.epoch, new.current, old.current) == (OTHER, True, False)
    assert old.missing == ((2, 5),)


def test_refused_is_neither_stored_nor_missing_until_it_is_stored(desk: Desk) -> None:
    bad = {**sale("m1", 2), "price_minor": -1}
    desk.take(arrived("m1", sale("m1", 1), bad, sale("m1", 3)))
    account = desk.account()
    assert (account.refused, account.missing, account.codes) == (((2, 2),), (), ("bad_body",))
    desk.take(arrived("m1", sale("m1", 2)))
    assert desk.account().refused == ()
    desk.take(arrived("m1", bad))
    assert desk.account().refused == ()


def test_a_number_out_of_reach_is_refused_and_hides_nothing_behind_it(desk: Desk) -> None:
    desk.take(arrived("m1", sale("m1", 1)))
    far = [sale("m1", seq, at_ns=START_NS + 5_000) for seq in (2**60, MAX_JUMP + 2)]
    ((_, receipt),) = desk.take(arrived("m1", far[0], sale("m1", 2), *far))
    assert [(r.seq, r.reason) for r in receipt.refused] == [(MAX_JUMP + 2, "seq_jump"), (2**60, "seq_jump")]
    assert receipt.stored == ((2, 2),)
    assert {letter["code"] for letter in desk.store.dead_letters(9)} == {"seq_jump"}
    desk.say("m1", last_seq=2**60)
    desk.take(arrived("m1", sale("m1", 4)))
    account = desk.account()
    assert (account.highest, account.complete_to, account.waiting, account.missing) == (4, 2, (), ((3, 3),))
    assert desk.books.watermark("m1").journals[0].seq == 4


def test_a_whole_day_again_changes_nothing(desk: Desk) -> None:
    day = [
        arrived("m1", *(sale("m1", seq) for seq in range(1, 200, 2))),
        arrived("m1", *(boot("m1", seq) for seq in range(2, 200, 2)), topic=topics.EVENT),
    ]
    receipts = [desk.take(message) for message in day]
    before = desk.account()
    watermark = desk.books.watermark("m1")
    assert [desk.take(message) for message in reversed(day)] == receipts[::-1]
    after = desk.account()
    assert (after.stored, after.highest, after.missing) == (before.stored, before.highest, before.missing)
    assert desk.books.watermark("m1") == watermark


def test_a_watermark_names_the_newest_journals_and_is_due_until_it_is_published(desk: Desk) -> None:
    epochs = [f"{number:012x}" for number in range(MARKS + 3)]
    for epoch in epochs:
        desk.take(arrived("m1", sale("m1", 1, epoch=epoch), sale("m1", 2, epoch=epoch)))
    assert (desk.books.unmarked(), desk.books.unanswered()) == (["m1"], [])
    desk.say("m1", epochs[-1], since_ns=99)
    said = desk.books.watermark("m1")
    assert said.heard_ns == 99
    assert said.journals[0] == Mark(epoch=epochs[-1], seq=2, at_ns=START_NS + 2_000_000)
    assert [mark.epoch for mark in said.journals] == epochs[: -MARKS - 1 : -1]
    assert desk.books.unanswered() == ["m1"]
    desk.books.published([("m1", said)])
    assert desk.books.unanswered() == []


def test_of_two_records_with_one_number_in_a_batch_the_first_has_it(desk: Desk) -> None:
    twin = sale("m1", 2, at_ns=START_NS + 77)
    ((_, receipt),) = desk.take(arrived("m1", sale("m1", 1), sale("m1", 2)), arrived("m1", twin))
    assert receipt.stored == ((1, 2),)
    assert [letter["code"] for letter in desk.store.dead_letters(9)] == ["number_taken"]


def test_a_lost_database_is_said_with_its_remedy(desk: Desk, tmp_path: Path, influx: InfluxSettings) -> None:
    desk.take(arrived("m1", sale("m1", 1)))
    config = tmp_path / "cloud.toml"
    config.write_text(f'data_dir = "{desk.folder}"\n[influx]\nurl = "{influx.url}"\ndatabase = "lost"\n')
    done = CliRunner().invoke(main, ["--config", str(config), "books"])
    assert (done.exit_code, "`vend-cloud rebuild`" in done.stderr) == (1, True)
