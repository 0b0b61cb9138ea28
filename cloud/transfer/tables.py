"""Tables of the cloud's database as JSON lines, an object a row; bytes are {"base64": ...}.

All tables, so that a new one is not forgotten; but not what a new system has of its own.
"""

import base64
import json
import sqlite3
from pathlib import Path
from typing import Any, Final

from cloud.database import StoreError

LEFT_OUT: Final = {
    "dirty_hour": "an import marks the hours that its own InfluxDB gets",
    "unmarked_past": "the same",
    "invitation": "an open invitation is void in a new system: invite again",
    "share_group": "the secret of the processes on one data_dir",
}


def names(db: sqlite3.Connection) -> list[str]:
    rows = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return sorted(name for (name,) in rows if name not in LEFT_OUT)


def is_empty(db: sqlite3.Connection) -> bool:
    return all(db.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() is None for name in names(db))  # noqa: S608


def write(db: sqlite3.Connection, table: str, path: Path) -> int:
    """Within the caller's transaction; returns how many rows. Raises OSError."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in db.execute(f"SELECT * FROM {table}"):  # noqa: S608  # a name of the schema
            file.write(json.dumps({name: _plain(row[name]) for name in row.keys()}) + "\n")  # noqa: SIM118
            count += 1
    return count


def load(db: sqlite3.Connection, table: str, path: Path) -> int:
    """Instead of what is in the table, within the caller's transaction; returns how many rows.

    Raises StoreError for a row that does not fit.
    """
    columns = [row["name"] for row in db.execute(f"PRAGMA table_info({table})")]
    places = ", ".join("?" * len(columns))
    db.execute(f"DELETE FROM {table}")  # noqa: S608  # a name of the schema
    count = 0
    with path.open(encoding="utf-8") as file:
        for count, line in enumerate(file, start=1):  # the last is the answer
            try:
                row = json.loads(line)
                values = [_value(row.pop(name)) for name in columns]
                if row:
                    raise KeyError(*row)
                db.execute(f"INSERT INTO {table} VALUES ({places})", values)  # noqa: S608  # the same
            except (ValueError, KeyError, TypeError, AttributeError, sqlite3.IntegrityError) as error:
                raise StoreError(
                    f"{path.name}, line {count} does not fit table {table} ({error!r})"
                ) from None
    return count


def _plain(value: Any) -> Any:  # noqa: ANN401  # what SQLite has
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _value(plain: Any) -> Any:  # noqa: ANN401  # the same
    return base64.b64decode(plain["base64"], validate=True) if isinstance(plain, dict) else plain
