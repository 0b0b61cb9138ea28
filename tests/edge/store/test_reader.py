"""Looking into the journal of a machine that is stopped: it is left as it was, whatever state it is in."""

import os
import sqlite3
from pathlib import Path

import pytest

from edge.store.journal import Counts, Journal, JournalError
from edge.store.reader import JournalInUse, JournalMissing, reading, stopped
from shared import records as m
from shared.clock import Now

NOW = Now(1_790_000_000 * 10**9, 5.0, "synced")
FAULT = m.Fault(device="board", code="offline")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three records: one stored, one parked, one owed."""
    with Journal(tmp_path / "journal.db", "m1") as journal:
        journal.commit(b"{}", [FAULT, FAULT, FAULT], NOW)
        journal.settle([(1, 1)], [(2, "bad_body")])
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def killed(data: Path) -> Path:
    """What a process leaves that was killed: its last commits are in the WAL only."""
    pid = os.fork()
    if not pid:
        journal = Journal(data / "journal.db", "m1")
        journal.commit(b"{}", [FAULT], NOW)
        os._exit(0)
    os.waitpid(pid, 0)
    assert (data / "journal.db-wal").stat().st_size
    return data


def test_records_and_counts(data: Path) -> None:
    before = files(data)
    with reading(data) as journal:
        journal.check()
        assert journal.counts() == Counts(1, 1, 1)
        assert [(k.seq, k.state, k.refused) for k in journal.between(1, 9)] == [
            (1, "stored", None),
            (2, "parked", "bad_body"),
            (3, "owed", None),
        ]
        assert [k.seq for k in journal.between(2, 2)] == [2]
        record = journal.between(3, 3)[0].record()
        assert record is not None
        assert record.body == FAULT
        assert files(data).keys() == before.keys()
    assert files(data) == before


def test_commits_of_a_killed_process_are_seen_and_left_alone(killed: Path) -> None:
    before = files(killed)
    with reading(killed) as journal:
        assert [k.seq for k in journal.between(1, 9)] == [1, 2, 3, 4]
        journal.check()
    assert files(killed) == before
    with Journal(killed / "journal.db", "m1") as machine:
        assert machine.counts.owed == 2


def test_nothing_can_be_written(killed: Path) -> None:
    with pytest.raises(JournalError, match="readonly"), reading(killed) as journal:
        journal._db.execute("DELETE FROM record")


def test_a_machine_that_runs_keeps_its_journal(data: Path) -> None:
    with Journal(data / "journal.db", "m1"), pytest.raises(JournalInUse), reading(data):
        pass
    with reading(data):
        pass


def test_a_machine_cannot_start_meanwhile_and_two_may_look(data: Path) -> None:
    with stopped(data), reading(data), pytest.raises(JournalError, match="in use"):
        Journal(data / "journal.db", "m1")
    Journal(data / "journal.db", "m1").close()


def test_a_machine_that_was_never_started(tmp_path: Path) -> None:
    with pytest.raises(JournalMissing), reading(tmp_path / "data"):
        pass
    assert not (tmp_path / "data").exists()
    with stopped(tmp_path / "data"):
        pass


def test_a_journal_of_another_version(data: Path) -> None:
    with sqlite3.connect(data / "journal.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(JournalError, match="journal version 99"), reading(data):
        pass


@pytest.mark.parametrize("content", [b"", b"garbage" * 2_000])
def test_a_file_that_is_no_journal(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.db").write_bytes(content)
    with pytest.raises(JournalError), reading(tmp_path):
        pass
    assert files(tmp_path) == {"journal.db": content}


def test_a_damaged_page_is_found(data: Path) -> None:
    path = data / "journal.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:8_192] + b"\xff" * 4_096 + whole[12_288:])
    with pytest.raises(JournalError, match="cannot be read"), reading(data) as journal:
        journal.check()
