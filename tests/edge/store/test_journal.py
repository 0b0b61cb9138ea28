"""The journal: numbers without gaps, time that rises, nothing lost and nothing half kept."""

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.store.journal import Counts, Journal, JournalError, JournalFull
from edge.store.stamps import stream_of
from shared import codec
from shared import records as m
from shared.clock import Now

SALE = m.Sale(
    slot="A1",
    product="cola",
    price_minor=150,
    paid_minor=150,
    currency="EUR",
    price_version=3,
    tenders=(m.TenderAmount(tender="cash", amount_minor=150),),
    stock_left=4,
    link_down=True,
    duration_ms=2100,
    outcome="delivered",
)
FAULT = m.Fault(device="changer", code="coin_jam")
NOW = Now(1_700_000_000_123_456_789, 5.0, "synced")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path, "m1") as opened:
        yield opened


def records(journal: Journal) -> list[m.Record]:
    return [m.parse_record(codec.unpack(body)) for _, _, body in journal.records()]


def counted(journal: Journal) -> Counts:
    """What the database says, as against the counts kept in memory."""
    states = Counter(state for _, state, _ in journal.records())
    return Counts(states["owed"], states["stored"], states["parked"])


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 2**61), st.integers(0, 3), st.booleans()), min_size=1, max_size=20))
def test_seq_has_no_gaps_and_time_rises_under_any_wall_clock(steps: list[tuple[int, int, bool]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        journal = Journal(path, "m1")
        for wall_ns, bodies, reopen in steps:
            if reopen:
                journal.close()
                journal = Journal(path, "m1")
            journal.commit(b"{}", [FAULT] * bodies, Now(wall_ns, 0.0, "estimated"))
        headers = [record.header for record in records(journal)]
        last_at_ns = journal.last_at_ns
        journal.close()
    assert [h.seq for h in headers] == list(range(1, len(headers) + 1))
    times = [h.at_ns for h in headers]
    assert times == sorted(set(times))
    assert last_at_ns == (times[-1] if times else 0)


def test_a_good_clock_is_kept_to_the_microsecond(journal: Journal) -> None:
    journal.commit(b"", [FAULT], NOW)
    assert 0 <= NOW.wall_ns - records(journal)[0].header.at_ns < 1_000


def test_a_second_opener_in_this_process_is_refused(journal: Journal, path: Path) -> None:
    with pytest.raises(JournalError, match="in use by another process"):
        Journal(path, "m1")
    journal.commit(b"", [FAULT], NOW)
    assert journal.counts == Counts(1, 0, 0)


def test_a_second_opener_in_another_process_is_refused(journal: Journal, path: Path) -> None:
    code = (
        f"from pathlib import Path; from edge.store.journal import Journal; Journal(Path({str(path)!r}), 'm')"
    )
    root = Path(__file__).parents[3]
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=root
    )
    assert other.returncode != 0
    assert "JournalError" in other.stderr


def test_a_closed_journal_can_be_opened_again(path: Path) -> None:
    Journal(path, "m1").close()
    Journal(path, "m1").close()


def test_reopening_keeps_everything(path: Path) -> None:
    with Journal(path, "m1") as journal:
        assert journal.state() is None
        journal.commit(b"first", [SALE, FAULT], NOW)
        journal.commit(b"second", [FAULT, FAULT], NOW)
        journal.settle([(1, 1)], [(2, "bad_body")])
        before = (journal.epoch, journal.counts, journal.last_at_ns, list(journal.records()))
    with Journal(path, "m1") as journal:
        assert (journal.epoch, journal.counts, journal.last_at_ns, list(journal.records())) == before
        assert journal.state() == b"second"
        journal.commit(b"third", [FAULT], NOW)
        assert [seq for seq, _, _ in journal.records()] == [1, 2, 3, 4, 5]


def test_two_journals_have_two_names(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.db", "m1") as a, Journal(tmp_path / "b.db", "m1") as b:
        assert a.epoch != b.epoch


def test_what_is_owed_is_what_was_written_byte_for_byte(journal: Journal) -> None:
    journal.commit(b"", [SALE, FAULT, SALE], NOW)
    bodies = {seq: body for seq, _, body in journal.records()}
    owed = [*journal.owed("sale", 0, 100), *journal.owed("event", 0, 100)]
    assert {o.seq: o.body for o in owed} == bodies
    assert [o.seq for o in owed] == [1, 3, 2]
    record = m.parse_record(codec.unpack(owed[0].body))
    assert record.body == SALE
    assert (record.header.machine, record.header.epoch, record.header.seq) == ("m1", journal.epoch, 1)
    assert (record.header.v, record.header.clock) == (m.SCHEMA_VERSION, "synced")


def test_streams() -> None:
    assert (stream_of(SALE), stream_of(FAULT)) == ("sale", "event")


def test_owed_pages_through_a_stream(journal: Journal) -> None:
    journal.commit(b"", [FAULT] * 5, NOW)
    assert [o.seq for o in journal.owed("event", 0, 2)] == [1, 2]
    assert [o.seq for o in journal.owed("event", 2, 2)] == [3, 4]
    assert journal.owed("event", 5, 2) == []
    assert journal.owed("sale", 0, 2) == []


SETTLEMENT = st.tuples(
    st.lists(st.tuples(st.integers(1, 25), st.integers(0, 6)), max_size=3),
    st.lists(st.tuples(st.integers(1, 25), st.just("bad_body")), max_size=3),
    st.integers(0, 3),
    st.integers(0, 25) | st.none(),
)


@settings(max_examples=60)
@given(st.lists(SETTLEMENT, max_size=8))
def test_counts_agree_with_the_database(
    steps: list[tuple[list[tuple[int, int]], list[tuple[int, str]], int, int | None]],
) -> None:
    with TemporaryDirectory() as folder, Journal(Path(folder) / "journal.db", "m1") as journal:
        journal.commit(b"", [SALE, FAULT] * 3, NOW)
        for stored, refused, more, keep in steps:
            journal.settle([(first, first + length) for first, length in stored], refused)
            assert journal.counts == counted(journal)
            journal.commit(b"", [FAULT] * more, NOW)
            if keep is not None:
                before = {seq: state for seq, state, _ in journal.records()}
                gone = journal.prune(0, keep)
                after = {seq: state for seq, state, _ in journal.records()}
                assert len(before) - len(after) == gone
                assert {before[seq] for seq in before.keys() - after.keys()} <= {"stored"}
                assert max(before) in after
            assert journal.counts == counted(journal)


def test_a_receipt_twice_and_for_records_that_are_not_there(journal: Journal) -> None:
    journal.commit(b"", [FAULT] * 3, NOW)
    for _ in range(2):
        journal.settle([(1, 2), (90, 99)], [(77, "bad_body")])
    assert journal.counts == counted(journal) == Counts(1, 2, 0)


def test_parked_then_stored_is_stored_and_stored_is_never_parked(journal: Journal) -> None:
    journal.commit(b"", [FAULT] * 2, NOW)
    journal.settle([(1, 1)], [(2, "bad_body")])
    assert journal.counts == Counts(0, 1, 1)
    assert journal.owed("event", 0, 9) == []
    journal.settle([(2, 2)], [(1, "bad_body")])
    assert journal.counts == counted(journal) == Counts(0, 2, 0)


def test_pruning_forgets_old_stored_records_events_before_sales(journal: Journal) -> None:
    journal.commit(b"", [SALE, FAULT, SALE, FAULT, FAULT, FAULT], NOW)
    journal.settle([(1, 4)], [(5, "bad_body")])
    assert journal.prune(0, 5) == 1
    assert [seq for seq, _, _ in journal.records()] == [1, 3, 4, 5, 6]
    assert journal.prune(0, 3) == 2
    assert [seq for seq, _, _ in journal.records()] == [3, 5, 6]
    assert journal.prune(2**62, 100) == 1
    assert journal.prune(2**62, 0) == 0  # what is owed or parked stays, whatever the limit
    assert journal.counts == counted(journal) == Counts(1, 0, 1)


def test_numbers_go_on_after_everything_is_pruned(path: Path) -> None:
    with Journal(path, "m1") as journal:
        journal.commit(b"", [FAULT] * 3, NOW)
        journal.settle([(1, 3)])
        journal.prune(2**62, 0)
    with Journal(path, "m1") as journal:
        journal.commit(b"", [FAULT], NOW)
        assert [seq for seq, _, _ in journal.records()] == [3, 4]


def fill(journal: Journal) -> None:
    """No page more for this file, as on a full disk."""
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count = {pages}")


def make_room(journal: Journal) -> None:
    journal._db.execute("PRAGMA max_page_count = 1000000")


def test_a_full_disk_keeps_nothing_of_the_step_and_works_again_afterwards(journal: Journal) -> None:
    journal.commit(b"before", [SALE, FAULT], NOW)
    before = (list(journal.records()), journal.counts, journal.last_at_ns)
    fill(journal)
    for _ in range(3):
        with pytest.raises(JournalFull):
            journal.commit(b"x" * 50_000, [SALE] * 100, NOW)
        assert (list(journal.records()), journal.counts, journal.last_at_ns) == before
        assert journal.state() == b"before"
    make_room(journal)
    journal.commit(b"after", [SALE] * 100, NOW)
    assert journal.state() == b"after"
    assert [r.header.seq for r in records(journal)] == list(range(1, 103))
    assert journal.counts == counted(journal)


def test_a_disk_full_in_the_middle_of_a_receipt_keeps_counts_true(journal: Journal) -> None:
    journal.commit(b"", [FAULT] * 400, NOW)
    fill(journal)
    with pytest.raises(JournalFull):
        journal.settle([(1, 1)], [(seq, "r" * 48) for seq in range(2, 400)])
    assert journal.counts == counted(journal) == Counts(400, 0, 0)
    make_room(journal)
    journal.settle([(1, 400)])
    assert journal.counts == counted(journal) == Counts(0, 400, 0)


@pytest.mark.parametrize("damage", ["header", "page", "truncated"])
def test_a_damaged_file_is_refused_with_words_and_left_as_it_is(path: Path, damage: str) -> None:
    with Journal(path, "m1") as journal:
        journal.commit(b"state", [SALE] * 500, NOW)
    raw = bytearray(path.read_bytes())
    if damage == "header":
        raw[:16] = b"not a database!!"
    elif damage == "page":
        raw[3 * 4096 :] = b"\xa5" * (len(raw) - 3 * 4096)
    else:
        del raw[len(raw) // 2 :]
    path.write_bytes(raw)
    with pytest.raises(JournalError, match=r"(?s)is damaged .*Move the file aside"):
        Journal(path, "m1")
    assert path.read_bytes() == raw
    path.rename(path.with_suffix(".bad"))
    with Journal(path, "m1") as journal:
        assert journal.counts == Counts(0, 0, 0)


def test_a_journal_of_another_version_is_refused_and_left_as_it_is(path: Path) -> None:
    Journal(path, "m1").close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 9")
    db.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="version 9"):
        Journal(path, "m1")
    assert path.read_bytes() == before


def test_an_error_that_is_not_a_full_disk_keeps_nothing_either(journal: Journal) -> None:
    journal.commit(b"before", [FAULT], NOW)
    journal._db.execute(
        "CREATE TEMP TRIGGER bad BEFORE UPDATE ON main.journal BEGIN SELECT raise(ABORT, 'x'); END"
    )
    with pytest.raises(sqlite3.Error):
        journal.commit(b"after", [FAULT], NOW)
    journal._db.execute("DROP TRIGGER bad")
    assert journal.state() == b"before"
    assert journal.counts == counted(journal) == Counts(1, 0, 0)
