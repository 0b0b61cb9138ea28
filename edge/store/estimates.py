"""Times that a clock only estimated: they may be corrected until their record has left (decision 10).

The rows that may still change are the last ones of the journal.
"""

import sqlite3
from typing import Final

from edge.store.stamps import ns, stamp, trusted
from shared import codec
from shared.clock import Now

ESTIMATES: Final = "FROM record WHERE made_ns IS NOT NULL"


def correct(db: sqlite3.Connection, now: Now, newest: int, after: int) -> int:
    """Give those of this boot their true time, in the caller's transaction; returns the newest record's.

    `newest`: its place; `after`: the place before the first number of the epoch.
    """
    rows = db.execute(
        f"SELECT seq, body, made_ns {ESTIMATES} AND boot = ? ORDER BY seq", (now.boot,)
    ).fetchall()
    first = rows[0][0] if rows else newest + 1
    # Out of the way first: no two records share a stamp, not even in passing.
    db.execute("UPDATE record SET at_ns = -seq WHERE seq >= ?", (first,))
    (at_ns,) = db.execute("SELECT coalesce(max(at_ns), 0) FROM record WHERE seq < ?", (first,)).fetchone()
    for seq, body, made_ns in rows:
        wall_ns = now.wall_ns - (ns(now.monotonic_s) - made_ns)
        at_ns = stamp(wall_ns, at_ns, seq - after)
        fields = codec.unpack(body)
        assert isinstance(fields, dict)
        corrected = codec.pack({**fields, "at_ns": at_ns, "clock": trusted(now, at_ns, wall_ns)})
        db.execute("UPDATE record SET at_ns = ?, body = ? WHERE seq = ?", (at_ns, corrected, seq))
    freeze(db)
    return int(at_ns)


def freeze(db: sqlite3.Connection) -> None:
    """No stamp changes any more."""
    db.execute("UPDATE record SET boot = NULL, made_ns = NULL WHERE made_ns IS NOT NULL")
