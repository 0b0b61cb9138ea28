"""What a process and its broker tell of themselves."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from cloud.batch import digest
from cloud.database import StoreError
from cloud.gauges import process
from cloud.gauges.broker import CONNECTED, DROPPED, RECEIVED, RETAINED, STORED, BrokerFigures
from cloud.gauges.process import (
    Worker,
    broker_line,
    cloud_line,
    name_by_certificate,
    quantile_ms,
    write_process,
)
from cloud.watch import Part, Watch
from tests.cloud.gauges.rig import NOW_NS, SECOND_NS, fields_of
from tests.cloud.records import arrived, sale
from tests.mosquitto.site import Site as Certificates


def of(line: str) -> dict[str, Any]:
    return fields_of(line.split(" ")[1])


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(1, 0.5, 1), (2, 0.5, 1), (3, 0.5, 2), (100, 0.99, 99), (101, 0.99, 100), (5, 1.0, 5), (0, 0.5, None)],
    ids=str,
)
def test_a_quantile_is_a_value_that_was_measured(count: int, share: float, expected: int | None) -> None:
    assert quantile_ms([n / 1000 for n in range(1, count + 1)], share) == expected


def test_a_process_tells_what_its_watch_counted_and_each_lag_once() -> None:
    watch = Watch(wall_ns=lambda: NOW_NS)
    watch.connected(lambda: (7, 900))
    watch.trouble(Part.INFLUX, "away")
    live = [sale("m1", n, at_ns=NOW_NS - lag * 10**6) for n, lag in ((1, 100), (2, 300), (3, 200))]
    late = sale("m1", 4, at_ns=NOW_NS - 3_600 * SECOND_NS)
    batch = digest([arrived("m1", *live, late, sale("m1", 5, v=9), at_ns=NOW_NS)])
    with watch.batch([arrived("m1")]):
        watch.settled(batch, {})
    watch.wrote(0.02, "")
    assert of(cloud_line(watch, "desk", NOW_NS - SECOND_NS, NOW_NS, NOW_NS - 90 * SECOND_NS)) == {
        "ready": 0,
        "broker_connected": 1,
        "influx_ok": 0,
        "messages": 1,
        "records": 4,
        "dead_letters": 1,
        "inbox": 7,
        "lag_p50_ms": 200,
        "lag_p99_ms": 300,
        "lag_max_ms": 300,
        "influx_write_p99_ms": 20,
        "oldest_dirty_s": 90,
        "started_ms": (NOW_NS - SECOND_NS) // 10**6,
    }
    again = of(cloud_line(watch, "desk", NOW_NS, NOW_NS))
    assert not [name for name in again if name.startswith(("lag", "influx_write"))]


def test_a_broker_that_is_away_is_told_by_the_process_and_not_by_itself() -> None:
    watch, figures = Watch(), BrokerFigures()
    watch.connected(lambda: (0, 0))
    for topic, payload in ((CONNECTED, b"51"), (STORED, b"90"), (RETAINED, b"80"), (DROPPED, b"3")):
        assert figures.hear(topic, payload)
    assert figures.hear(RECEIVED, b"90.00")
    assert of(broker_line(figures, NOW_NS) or "") == {
        "clients": 51,
        "stored_messages": 90,
        "queued_messages": 10,
        "dropped": 3,
        "received_rate": 1.5,
    }
    watch.disconnected("gone")
    figures.forget()
    assert of(cloud_line(watch, "desk", NOW_NS, NOW_NS))["broker_connected"] == 0
    assert broker_line(figures, NOW_NS) is None


def test_what_the_broker_says_is_believed_when_it_is_a_number() -> None:
    figures = BrokerFigures()
    for payload in (b"", b"many", b"nan", b"inf", b"-4", b"1" * 5_000, b"-0"):
        figures.hear(CONNECTED, payload)
        assert figures.fields() == ({"clients": 0} if payload == b"-0" else {})
    assert not figures.hear("$SYS/broker/uptime", b"2 seconds")
    assert not figures.hear("vend/v1/m1/sale", b"1")


def test_workers_of_a_folder_have_numbers_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "WORKERS", 3)
    with ExitStack() as stack:
        names = [stack.enter_context(closing(Worker(tmp_path))).name for _ in range(3)]
        assert names == ["worker-1", "worker-2", "worker-3"]
        with pytest.raises(StoreError, match="end some"):
            Worker(tmp_path)
    with closing(Worker(tmp_path)) as first:
        assert first.name == "worker-1"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("vend-cloud", "worker-1"), ("vend-cloud-3", "worker-3"), ("m-a", None)],
    ids=["first", "third", "a machine"],
)
def test_a_certificate_says_which_worker_of_several_computers_it_is(
    tmp_path: Path, name: str, expected: str | None
) -> None:
    site = Certificates(tmp_path)
    site.give(name)
    assert name_by_certificate(site.pem(name)) == expected
    site.register.close()


def test_without_a_readable_certificate_there_is_a_number_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "rubbish").write_bytes(b"rubbish")
    assert name_by_certificate(tmp_path / "rubbish") is None
    assert name_by_certificate(tmp_path / "nothing") is None


def test_points_come_every_period_whether_something_changed_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOOK_S", 0.001)
    monkeypatch.setattr(process, "PERIOD_S", 0.001)

    class Enough:
        def __init__(self) -> None:
            self.lines: list[str] = []

        async def query(self, _influxql: str) -> list[dict[str, Any]]:
            return []

        async def write(self, lines: Sequence[str]) -> dict[int, str]:
            self.lines += lines
            if len(self.lines) == 3:
                raise asyncio.CancelledError
            return {}

    database = Enough()
    names = iter(("worker-1", "desk", "desk"))
    with suppress(asyncio.CancelledError):
        asyncio.run(write_process(database, Watch(), lambda: next(names), BrokerFigures(), lambda: NOW_NS))
    assert [line.split(" ")[0] for line in database.lines] == [
        f"cloud,process={name}" for name in ("worker-1", "desk", "desk")
    ]
