"""A machine of the next version: nothing stops, the unknown is kept aside, and stored after the upgrade."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cloud.batch import Arrived, Line
from cloud.books import Books
from cloud.config import InfluxSettings
from cloud.letters import again, receipts
from cloud.store import Store
from deploy.demo.fleet import Cloud
from deploy.demo.servers import Broker
from shared import capture, codec, topics
from shared.messages import check
from tests.cloud.far_end import Machine
from tests.cloud.letters.newer import mood, of, upgrade
from tests.cloud.rebuild.day import System, reported
from tests.cloud.records import EPOCH, START_NS, arrived, sale
from tests.helpers import eventually

RECORDS = 5_000
KINDS = (100, 700, 1_500, 4_999)  # places of records of a new kind
FIELDS = (101, 2_222, 5_000)  # of known ones with a new field
VERSIONS = (1, 1_501, 3_333)  # of a new schema version


@pytest.fixture
def system(tmp_path: Path, influx: InfluxSettings, machine: str) -> System:
    return System(tmp_path, influx.url, influx.database)


def of_tomorrow(machine: str, seq: int) -> dict[str, Any]:
    if seq in KINDS:
        return mood(machine, seq)
    if seq in VERSIONS:
        return of("sale", machine, seq, v=2, rounding="none")
    if seq in FIELDS:
        return of("sale", machine, seq, weather={"sky": "blue", "degrees": [21, 22]})
    return of("sale", machine, seq)


def messages(machine: str) -> list[Arrived]:
    """As a backlog comes: a hundred records a message, a topic at a time."""
    sent = []
    for topic in (topics.SALE, topics.EVENT):
        all_of = [
            of_tomorrow(machine, seq)
            for seq in range(1, RECORDS + 1)
            if (seq in KINDS) == (topic is topics.EVENT)
        ]
        sent += [
            arrived(machine, *all_of[start : start + 100], topic=topic, at_ns=START_NS + start)
            for start in range(0, len(all_of), 100)
        ]
    return sent


def count(system: System, machine: str, kind: str) -> int:
    answer = system.ask(f'SELECT count("seq") FROM "{kind}" WHERE "machine" = \'{machine}\'')
    return int(answer["results"][0]["series"][0]["values"][0][1]) if "series" in answer["results"][0] else 0


def account(system: System, machine: str) -> tuple[int, int, tuple[tuple[int, int], ...]]:
    with closing(Books(system.data / "store.db")) as books:
        (found,) = books.accounts(machine)
    return found.stored, found.complete_to, found.refused


def retried(system: System, *words: str) -> Any:  # noqa: ANN401  # what the command prints
    done = system.call("dead-letters", "retry", "--json", *words)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_of_a_newer_machines_backlog_the_good_is_stored_and_the_rest_after_the_upgrade(
    system: System, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.live(messages(machine), batch=20)
    unknown = sorted({*KINDS, *VERSIONS})
    assert count(system, machine, "sale") == RECORDS - len(unknown)
    refused = ((1, 1), (100, 100), (700, 700), (1_500, 1_501), (3_333, 3_333), (4_999, 4_999))
    assert account(system, machine) == (RECORDS - len(unknown), 0, refused)
    letters = json.loads(system.call("dead-letters", "--json").stdout)
    assert {letter["seq"]: letter["code"] for letter in letters} == {
        **dict.fromkeys(KINDS, "bad_body"),
        **dict.fromkeys(VERSIONS, "unsupported_version"),
    }
    kept = {letter["seq"]: codec.unpack(bytes.fromhex(letter["payload"])) for letter in letters}
    assert all(kept[seq] == of_tomorrow(machine, seq) for seq in unknown), "with the fields nobody knows"
    written = [m for path in system.archive.iterdir() for m in capture.read(path)]
    assert {m.payload for m in written} == {m.payload for m in messages(machine)}

    told = retried(system)
    assert (told["ended"], told["stored"]) == (0, [])
    assert told["left"] == {"bad_body": len(KINDS), "unsupported_version": len(VERSIONS)}

    upgrade(monkeypatch)
    told = retried(system)
    assert (told["looked_at"], told["ended"], told["left"]) == (len(unknown), len(unknown), {})
    assert [row["records"] for row in told["stored"]] == [len(unknown)]
    assert count(system, machine, "sale") == RECORDS - len(KINDS)
    answer = system.ask(f'SELECT "seq", "volume" FROM "mood" WHERE "machine" = \'{machine}\'')
    assert [row[1:] for row in answer["results"][0]["series"][0]["values"]] == [[n, n] for n in KINDS]
    assert account(system, machine) == (RECORDS, RECORDS, ())
    assert json.loads(system.call("dead-letters", "--json").stdout) == []
    with closing(Store(system.data / "store.db")) as store:
        ((name, receipt),) = receipts.due(store.db)
    assert name == machine
    assert [seq for first, last in receipt.stored for seq in range(first, last + 1)] == unknown
    assert receipt.checks[0] == check([START_NS + 1_000_000])


def test_only_what_was_asked_for_is_judged(
    system: System, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"{machine}-b"
    system.live(
        [
            arrived(name, mood(name, 1), {**sale(name, 2), "v": 2}, topic=topics.EVENT)
            for name in (machine, other)
        ]
    )
    upgrade(monkeypatch)
    told = retried(system, "--machine", machine, "--code", "bad_body")
    assert (told["looked_at"], told["ended"]) == (1, 1)
    told = retried(system)
    assert told["looked_at"] == 3
    assert told["left"] == {"unsupported_version": 2}, (
        "a sale on `event` is none of the next version's either"
    )


def test_a_message_that_was_not_understood_ends_with_a_letter_for_what_is_still_bad(
    system: System, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = codec.pack([sale(machine, 1), {**sale(machine, 2), "slot": "x" * 1_100}, sale(machine, 3)])
    system.live([Arrived(topics.SALE.of(machine), payload, 1, False, START_NS)])
    assert json.loads(system.call("dead-letters", "--json").stdout)[0]["code"] == "malformed"
    monkeypatch.setattr(codec, "MAX_STR", 4_096)
    told = retried(system)
    assert (told["ended"], told["left"]) == (1, {"bad_body": 1})
    assert told["stored"] == [{"machine": machine, "epoch": EPOCH, "records": 2, "ranges": [[1, 1], [3, 3]]}]
    (letter,) = json.loads(system.call("dead-letters", "--json").stdout)
    assert (letter["code"], letter["seq"]) == ("bad_body", 2)
    assert account(system, machine) == (2, 1, ((2, 2),))


def test_an_old_word_never_replaces_a_newer_one(
    system: System, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = reported(machine, START_NS, 100), reported(machine, START_NS + 9, 200)
    broken = Arrived(old.topic, old.payload.replace(b'"v":1', b'"v":2', 1), 1, False, old.arrived_ns)
    system.live([broken, new])
    monkeypatch.setattr(topics, "_BY_NAME", {**topics._BY_NAME, "reported": _of_any_version()})
    assert retried(system)["ended"] == 1
    (row,) = json.loads(system.call("machines", "--json").stdout)
    assert row["reported"]["prices"]["prices"]["A1"] == 200


def _of_any_version() -> topics.Topic:
    from dataclasses import replace

    from shared.messages import Reported

    class Later(Reported):
        v: Any = 2

    return replace(topics.REPORTED, model=Later)


def test_json_in_the_wrong_place_is_said(system: System, machine: str) -> None:
    system.live([arrived(machine, sale(machine, 1))])
    done = system.call("dead-letters", "--json", "retry")
    assert (done.exit_code, "behind retry" in done.output) == (2, True)


def test_what_a_revoked_machine_sent_stays_where_it_is(system: System, machine: str) -> None:
    system.live([arrived(machine, sale(machine, 1))])
    with closing(Store(system.data / "store.db")) as store:
        store.db.execute("INSERT INTO dead_letter SELECT x'00', ?, ?, 'revoked', '', NULL, NULL, 1, 1, 1",
                         (topics.SALE.of(machine), codec.pack([sale(machine, 2)])))  # fmt: skip
        store.db.commit()
    told = retried(system)
    assert (told["ended"], told["left"]) == (0, {"revoked": 1})
    assert count(system, machine, "sale") == 1


class Killed(Exception):  # noqa: N818
    """What happens to a process."""


class Sink:
    """Takes everything; dies after the write as often as it is told to."""

    def __init__(self, deaths: int) -> None:
        self.written: list[str] = []
        self.deaths = deaths

    async def taken(self, _lines: Sequence[Line]) -> Sequence[Line]:
        return []

    async def write(self, lines: Sequence[str]) -> dict[int, str]:
        self.written += lines
        self.deaths -= 1
        if self.deaths >= 0:
            raise Killed
        return {0: "no"} if self.deaths < -1 else {}


def test_killed_in_the_middle_it_goes_on(
    system: System, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.live([arrived(machine, mood(machine, 1), mood(machine, 2), topic=topics.EVENT)])
    upgrade(monkeypatch)
    sink = Sink(1)
    with closing(Store(system.data / "store.db")) as store:
        with pytest.raises(Killed):
            asyncio.run(again.retry(store, sink, (), (), lambda _more: None))
        assert again.count(store.db) == 2
        outcome = asyncio.run(again.retry(store, sink, (), (), lambda _more: None))
        assert (outcome.gone, again.count(store.db)) == (2, 0)
    assert sink.written[:2] == sink.written[2:], "the same points again"


def test_what_the_database_refuses_again_is_counted_once(
    system: System, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.live([arrived(machine, mood(machine, 1), topic=topics.EVENT)])
    upgrade(monkeypatch)
    refusing = Sink(-1)
    with closing(Store(system.data / "store.db")) as store:
        for _ in range(2):
            outcome = asyncio.run(again.retry(store, refusing, (), (), lambda _more: None))
            assert outcome.left == {"database_refused": 1}
            (letter,) = store.dead_letters(9)
            assert (letter["code"], letter["count"], letter["seq"]) == ("database_refused", 1, 1)
    assert account(system, machine) == (0, 0, ((1, 1),))


@pytest.fixture
def far(broker: Broker, machine: str) -> Iterator[Machine]:
    with Machine(machine, broker.port) as client:
        yield client


def test_the_machine_is_told_by_the_running_cloud(
    tmp_path: Path, broker: Broker, influx: InfluxSettings, far: Machine, machine: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    system = System(tmp_path / "cloud", influx.url, influx.database)
    with Cloud(system.data.parent, broker.port, influx.url, influx.database) as cloud:
        eventually(lambda: "connected to" in cloud.log.read_text())
        far.send(mood(machine, 1), of("door", machine, 2), mood(machine, 3), topic=topics.EVENT)
        eventually(lambda: far.refused().keys() == {1, 3} and far.stored() == {2})
        upgrade(monkeypatch)
        assert retried(system)["ended"] == 2
        eventually(lambda: far.stored() == {1, 2, 3})
        with closing(Store(system.data / "store.db")) as store:
            eventually(lambda: not receipts.due(store.db))
