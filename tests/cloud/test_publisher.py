"""Wanted prices reach the broker although it, or the disk, says no for a while."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from aiomqtt import MqttError

from cloud import publisher
from cloud.database import make
from cloud.mqtt import PublishRefusedError
from cloud.store import Store
from cloud.wanted import book
from shared import topics
from shared.messages import PriceList


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    make(tmp_path / "store.db")
    with closing(Store(tmp_path / "store.db")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "_LOOK_S", 0.001)
    monkeypatch.setattr(publisher, "_TROUBLE_PAUSE_S", 0.002)


class Broker:
    """Takes prices; refuses the topics in `refusing`; hangs up when `enough` says so."""

    def __init__(self, enough: Callable[["Broker"], bool]) -> None:
        self.refusing: set[str] = set()
        self.asked: list[str] = []
        self.taken: list[tuple[str, int]] = []
        self._enough = enough

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool, content_type: str) -> None:
        assert (qos, retain, content_type) == (1, True, "application/json")
        self.asked.append(topic)
        if topic in self.refusing:
            raise PublishRefusedError("Not authorized")
        self.taken.append((topic, PriceList.model_validate_json(payload).version))
        if self._enough(self):
            raise MqttError("enough")


def want(store: Store, version: int, *machines: str) -> None:
    payload = PriceList(version=version, currency="EUR", prices={"A1": 100}).model_dump_json()
    book.put(store.db, 0, (), [book.Message(topics.PRICES.name, m, version, payload) for m in machines], 1)


def publish(broker: Broker, store: Store) -> None:
    async def run() -> None:
        async with asyncio.timeout(10):
            await publisher.publish_wanted(broker, store.db)

    with pytest.raises(MqttError, match="enough"):
        asyncio.run(run())


def test_all_at_every_connect_then_only_what_changes(store: Store) -> None:
    want(store, 1, "m1", "m2")

    def enough(broker: Broker) -> bool:
        if len(broker.taken) == 2:
            want(store, 2, "m2")
        return len(broker.taken) == 3

    first = Broker(enough)
    publish(first, store)
    assert first.taken == [("vend/v1/m1/prices", 1), ("vend/v1/m2/prices", 1), ("vend/v1/m2/prices", 2)]
    again = Broker(lambda broker: len(broker.taken) == 2)
    publish(again, store)
    assert again.taken == [("vend/v1/m1/prices", 1), ("vend/v1/m2/prices", 2)]


def test_one_that_is_refused_holds_up_no_other_and_is_tried_again(store: Store) -> None:
    want(store, 1, "m1", "m2")
    refused = "vend/v1/m1/prices"

    def enough(broker: Broker) -> bool:
        if broker.asked.count(refused) == 3:
            broker.refusing.clear()
        return (refused, 1) in broker.taken

    broker = Broker(enough)
    broker.refusing = {refused}
    publish(broker, store)
    assert ("vend/v1/m2/prices", 1) in broker.taken
    assert broker.asked.count(refused) > 3


def test_a_store_that_cannot_be_written_is_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    want(store, 1, "m1")
    real, errors = book.published, [sqlite3.OperationalError("database or disk is full")] * 2

    def published(db: sqlite3.Connection, messages: Sequence[book.Message]) -> None:
        if errors:
            raise errors.pop()
        real(db, messages)

    monkeypatch.setattr(book, "published", published)
    broker = Broker(lambda broker: len(broker.taken) == 4)
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(publisher.publish_wanted(broker, store.db), 0.5))
    assert broker.taken == [("vend/v1/m1/prices", 1)] * 3
    assert book.unpublished(store.db, "prices", "", everything=False) == []
