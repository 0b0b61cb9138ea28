"""Points of this process and of its broker: `cloud` from what the watch has counted, `broker` from `$SYS`.

Both are written every period, changed or not: that they come at all is half of what they say. While InfluxDB
is away the one under way waits, and those in between are left out.
"""

import asyncio
import fcntl
import math
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

PERIOD_S: Final = 15.0
FIRST_S: Final = 2.0  # so long it may take to have the desk, and to hear the broker's figures
WORKERS: Final = 64  # that have a number of their own


def cloud_line(watch: Watch, name: str, started_ns: int, now_ns: int) -> str:
    """Takes the lags and durations that were kept since the last one."""
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
) -> None:
    """For ever, once a period. `name`: of the process, which may take the desk at any time."""
    started_ns = wall_ns()
    await asyncio.sleep(FIRST_S)
    while True:
        lines = [cloud_line(watch, name(), started_ns, wall_ns()), broker_line(figures, wall_ns())]
        await database.write([text for text in lines if text is not None])
        await asyncio.sleep(PERIOD_S)
