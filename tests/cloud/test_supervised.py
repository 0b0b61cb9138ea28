"""The cloud's watchdog is fed by ingest: an idle process is well, one that hangs in a batch is not."""

import asyncio
import threading
from pathlib import Path

import pytest

from cloud import watch as watching
from cloud.config import InfluxSettings
from cloud.ingest import Ingest
from cloud.supervised import supervised
from cloud.watch import Part, Watch
from deploy.demo.fleet import Cloud
from deploy.demo.servers import Broker
from shared.supervisor import VARIABLE, Supervisor
from tests.cloud.records import arrived, sale
from tests.cloud.test_ingest import Parts
from tests.supervisor import Heard, listening

SILENCE_S = 1.6  # longer than from one word to the next


class Clock:
    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


async def hears(heard: Heard, within_s: float = 20.0) -> str:
    return await asyncio.to_thread(heard.next, within_s)


def test_the_program_says_that_it_is_there_turns_and_ends(
    tmp_path: Path, broker: Broker, influx: InfluxSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a broker too: it is waited for, and a restart brings none back."""
    address = str(tmp_path / "notify")
    monkeypatch.setenv(VARIABLE, address)
    broker.stop()
    with listening(address) as heard:
        with Cloud(tmp_path / "cloud", broker.port, influx.url, influx.database):
            assert [heard.next() for _ in range(3)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
        last = ""
        while word := heard.next(0.1):
            last = word
        assert last == "STOPPING=1"


def test_no_word_while_a_batch_hangs_in_the_disk(tmp_path: Path) -> None:
    """The event loop turns all the while."""
    clock, address = Clock(), str(tmp_path / "notify")
    watch, parts = Watch(clock), Parts()
    freed = threading.Event()

    async def on_disk(write: object) -> None:
        await asyncio.to_thread(freed.wait, 60)

    async def test(heard: Heard) -> None:
        ingest = Ingest(parts, parts, parts, parts.nap, on_disk, watch=watch)
        async with supervised(Supervisor(address), watch.is_stuck):
            assert await hears(heard) == "READY=1"
            batch = asyncio.create_task(ingest.process([arrived("m1", sale("m1", 1))], [{}]))
            assert await hears(heard) == "WATCHDOG=1"
            assert await hears(heard) == "WATCHDOG=1"
            clock.s += watching.STUCK_AFTER_S + 1
            heard.forget()
            assert await hears(heard, SILENCE_S) == ""
            freed.set()
            await batch
            assert await hears(heard) == "WATCHDOG=1"
        assert await hears(heard) == "STOPPING=1"

    with listening(address) as heard:
        asyncio.run(test(heard))


def test_no_word_while_the_event_loop_hangs(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")

    async def test(heard: Heard) -> None:
        async with supervised(Supervisor(address)):
            assert await hears(heard) == "READY=1"
            assert await hears(heard) == "WATCHDOG=1"
            heard.forget()
            assert heard.next(SILENCE_S) == "", "this wait is the hang"
            assert await hears(heard) == "WATCHDOG=1"

    with listening(address) as heard:
        asyncio.run(test(heard))


@pytest.mark.parametrize("part", [Part.INFLUX, Part.DISK])
def test_a_database_that_is_away_for_hours_is_no_reason_to_start_again(part: Part) -> None:
    clock = Clock()
    watch = Watch(clock)
    assert not watch.is_stuck()
    with watch.batch([arrived("m1", sale("m1", 1))]):
        for _ in range(100):
            clock.s += watching.STUCK_AFTER_S / 2
            watch.trouble(part, "away")
            assert not watch.is_stuck()
        clock.s += watching.STUCK_AFTER_S + 1
        watch.disconnected("no answer")
        assert watch.is_stuck(), "not even tried any more"
    assert not watch.is_stuck()
