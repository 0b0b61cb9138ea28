"""Looking into the journal of a machine that is stopped. Nothing of it is made, changed or left behind.

Another program must never open the file of a machine that runs. So the journal's own lock is held meanwhile,
and a machine that is started in these moments is told that the journal is in use.
"""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from edge.store.journal import JOURNAL_VERSION, Counts, JournalError
from edge.store.kept import Kept, between


class JournalInUse(JournalError):  # noqa: N818  # the field's word
    """The machine is running."""


class JournalMissing(JournalError):  # noqa: N818
    """The machine was never started here."""


class JournalReader:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def between(self, first: int, last: int) -> list[Kept]:
        return between(self._db, first, last)

    def counts(self) -> Counts:
        counted = dict(self._db.execute("SELECT state, count(*) FROM record GROUP BY state"))
        return Counts(*(counted.get(state, 0) for state in ("owed", "stored", "parked")))

    def sale(self) -> tuple[str, int, bytes | None]:
        """Epoch, its last number, and the sale's state after the last step."""
        epoch, after = self._db.execute("SELECT epoch, max(after) FROM epoch").fetchone()
        (last,) = self._db.execute("SELECT coalesce(max(seq), 0) FROM record").fetchone()
        (state,) = self._db.execute("SELECT state FROM journal").fetchone()
        return epoch, last - after, state

    def check(self) -> None:
        """Every page. Raises sqlite3.DatabaseError, which `reading` puts in words."""
        (verdict,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)


@contextmanager
def stopped(data_dir: Path) -> Iterator[None]:
    """Keep the machine from being started meanwhile. Raises JournalInUse when it runs."""
    try:
        lock = (data_dir / "journal.lock").open("rb")
    except FileNotFoundError:
        yield  # never started: there is nothing to keep it from yet
        return
    except OSError as error:
        raise JournalError(f"{data_dir}: {error.strerror}; ask as the machine's user, or with sudo") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            raise JournalInUse(f"the machine is running ({data_dir} is in use)") from None
        yield


@contextmanager
def reading(data_dir: Path) -> Iterator[JournalReader]:
    """Raises JournalInUse, JournalMissing, or JournalError for a file that cannot be read."""
    path = data_dir / "journal.db"
    with stopped(data_dir):
        if not path.exists():
            raise JournalMissing(f"there is no {path}: the machine has not been started")
        wal, shm = path.with_name("journal.db-wal"), path.with_name("journal.db-shm")
        # With nothing in the WAL the file alone is the journal, and SQLite needs no files beside it.
        whole = not wal.exists() or not wal.stat().st_size
        had_shm = shm.exists()
        db: sqlite3.Connection | None = None
        try:
            uri = f"file:{quote(str(path))}?mode=ro{'&immutable=1' if whole else ''}"
            db = sqlite3.connect(uri, uri=True, isolation_level=None)
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version != JOURNAL_VERSION:
                raise JournalError(
                    f"{path} has journal version {version}; this program reads {JOURNAL_VERSION}"
                )
            yield JournalReader(db)
        except sqlite3.Error as error:
            raise JournalError(f"{path} cannot be read ({error}). Nothing was changed.") from None
        finally:
            if db is not None:
                db.close()
            if not had_shm:
                shm.unlink(missing_ok=True)
