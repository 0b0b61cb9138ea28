"""The file is brought up to date step by step, each whole or not at all, and a newer one is left alone."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from cloud import database
from cloud.database import StoreError, connect, make


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of today's version, and a program that is one step ahead."""
    path = tmp_path / "store.db"
    make(path)
    step = tmp_path / "step.sql"
    step.write_text("CREATE TABLE later (word TEXT) STRICT;\nINSERT INTO later VALUES ('here');\n")
    following = database.VERSION + 1
    monkeypatch.setattr(database, "STEPS", {**database.STEPS, following: step})
    monkeypatch.setattr(database, "VERSION", following)
    return path


def words(path: Path) -> list[str]:
    db = connect(path)
    found = [row["word"] for row in db.execute("SELECT word FROM later")]
    db.close()
    return found


def test_a_program_that_is_ahead_asks_for_a_run(older: Path) -> None:
    with pytest.raises(StoreError, match="start this version's `vend-cloud run` once"):
        connect(older)


def test_the_step_is_taken_once_however_many_programs_start(older: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, [older] * 4))
    assert words(older) == ["here"]


def test_a_step_that_fails_leaves_the_file_as_it_was(older: Path) -> None:
    step = database.STEPS[database.VERSION]
    step.write_text(step.read_text() + "nonsense;\n")
    with pytest.raises(sqlite3.OperationalError, match="nonsense"):
        make(older)
    db = sqlite3.connect(older)
    assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'later'").fetchone() == (0,)
    db.close()
    step.write_text(step.read_text().replace("nonsense;\n", ""))
    make(older)
    assert words(older) == ["here"]


def test_a_newer_file_is_left_alone(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(older)
    monkeypatch.undo()
    with pytest.raises(StoreError, match="install the version of vendlink that wrote it"):
        make(older)


def test_several_programs_that_start_at_once_have_one_file(tmp_path: Path) -> None:
    """The file of one must not be moved over that of another, with all that was written in between."""

    def start(number: int) -> None:
        make(tmp_path / "store.db")
        with closing(connect(tmp_path / "store.db")) as db, db:
            db.execute("INSERT INTO machine (machine) VALUES (?)", (f"m{number}",))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(start, range(8)))
    with closing(connect(tmp_path / "store.db")) as db:
        assert db.execute("SELECT count(*) FROM machine").fetchone()[0] == 8
