"""Points of this process and of its broker: `cloud` from what the watch has counted, `broker` from `$SYS`.

Both are written every period, changed or not: that they come at all is half of what they say. While InfluxDB
is away the one under way waits, and those in between are left out.
"""

import asyncio
import fcntl
import logging
import math
import sqlite3
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from influxdb_client.client.write.point import Point

from cloud.database import StoreError
from cloud.figures import Database
from cloud.gauges.broker import BrokerFigures
from cloud.said import line
from cloud.watch import Part, Watch
from shared import certificates
from shared.certificates import CertificateError
from shared.topics import CLOUD_USERS

_log = logging.getLogger(__name__)
PERIOD_S: Final = 15.0
LOOK_S: Final = 0.5
WORKERS: Final = 64  # that have a number of their own


def cloud_line(watch: Watch, name: str, started_ns: int, now_ns: int, dirty_ns: int | None = None) -> str:
    """Takes the lags and durations that were kept since the last one. `dirty_ns`: since when rollups wait to
    be rewritten.
    """
    point = Point("cloud").tag("process", name)
    lags_s, writes_s = _taken(watch.live_lags_s), _taken(watch.writes_s)
    fields = {
        "ready": int(not watch.troubles()),
        "broker_connected": int(watch.is_well(Part.BROKER)),
        "influx_ok": int(watch.is_well(Part.INFLUX)),
        "messages": watch.metrics.total("messages_total"),
        "records": watch.metrics.total("records_stored_total"),
        "dead_letters": watch.metrics.total("dead_letters_total"),
        "lag_p50_ms": quantile_ms(lags_s, 0.5),
        "lag_p99_ms": quantile_ms(lags_s, 0.99),
        "lag_max_ms": quantile_ms(lags_s, 1.0),
        "inbox": watch.inbox_messages(),
        "influx_write_p99_ms": quantile_ms(writes_s, 0.99),
        "oldest_dirty_s": 0 if dirty_ns is None else max(0, now_ns - dirty_ns) // 10**9,
        "started_ms": started_ns // 10**6,
    }
    for field, value in fields.items():
        point.field(field, value)  # None is left out
    return line(point, now_ns)


def quantile_ms(ordered_s: list[float], share: float) -> int | None:
    """The smallest value that this share of all does not exceed; None without values."""
    if not ordered_s:
        return None
    return round(ordered_s[math.ceil(share * len(ordered_s)) - 1] * 1000)


def _taken(kept: deque[float]) -> list[float]:
    """In order. Another thread may be adding to it."""
    return sorted(kept.popleft() for _ in range(len(kept)))


def broker_line(figures: BrokerFigures, now_ns: int) -> str | None:
    """None while the broker has said nothing."""
    fields = figures.fields()
    if not fields:
        return None
    point = Point("broker")
    for field, value in fields.items():
        point.field(field, value)
    return line(point, now_ns)


def name_by_certificate(path: Path) -> str | None:
    """Processes on several computers have no folder in common, but each has a certificate of its own."""
    try:
        name = certificates.read(path.read_bytes()).name
    except (OSError, CertificateError):
        return None  # connecting will tell of it
    return f"worker-{CLOUD_USERS.index(name) + 1}" if name in CLOUD_USERS else None


class Worker:
    """A number that no other process on this data_dir has, from 1; the kernel gives it back at the end."""

    def __init__(self, folder: Path) -> None:
        for number in range(1, WORKERS + 1):
            self._file = (folder / f"worker-{number}.lock").open("ab")
            self.name = f"worker-{number}"
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._file.close()
            else:
                return
        raise StoreError(f"more than {WORKERS} processes work on {folder}: end some")

    def close(self) -> None:
        self._file.close()


async def write_process(
    database: Database,
    watch: Watch,
    name: Callable[[], str],
    figures: BrokerFigures,
    wall_ns: Callable[[], int],
    oldest_dirty_ns: Callable[[], int | None] = lambda: None,
) -> None:
    """For ever, once a period. `name`: of the process, which may take the desk at any time.
    `oldest_dirty_ns` may raise sqlite3.OperationalError: then this point is left out.
    """
    started_ns = wall_ns()
    looks = round(PERIOD_S / LOOK_S)
    while looks and not figures.is_whole:  # so that the first point has the desk's name, and the broker's too
        await asyncio.sleep(LOOK_S)
        looks -= 1
    while True:
        try:
            own = cloud_line(watch, name(), started_ns, wall_ns(), oldest_dirty_ns())
        except sqlite3.OperationalError as error:
            _log.warning("no figures of this process this time (%s)", error)
            own = None
        lines = (own, broker_line(figures, wall_ns()))
        await database.write([text for text in lines if text is not None])
        await asyncio.sleep(PERIOD_S)
