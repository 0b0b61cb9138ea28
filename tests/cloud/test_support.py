"""A machine's trouble as a file of the cloud: judged again it is the same; nothing secret is in it."""

import asyncio
import base64
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cloud.__main__ import main
from cloud.archive import Archive
from cloud.batch import Arrived
from cloud.database import make
from cloud.ingest import Ingest
from cloud.replay import IngestHandler, Memory, reported
from cloud.store import Store
from shared import codec, topics
from shared.answers import Answers
from shared.capture import CaptureError, Message, read, read_header
from shared.capture.rotation import new
from shared.decoded import decode
from shared.messages import Availability, PriceList, Status
from shared.replay import replay
from shared.shrink import shrink
from tests.cloud.records import EPOCH, sale
from tests.helpers import docs_example

MINUTE_NS = 60 * 10**9
CLAIM = "0007-482913"
SECRET = "token-of-the-database"


class Cloud:
    """Its archive, its store and its judgement; the database is a memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make(folder / "store.db")
        (folder / "archive").mkdir()
        self.now_ns = time.time_ns()
        self.memory = Memory()
        self.store = Store(folder / "store.db")
        self.archive = Archive(folder / "archive", "test", self.now_ns - 120 * MINUTE_NS)
        self.ingest = Ingest(self.archive, self.memory, self.store)
        self.config = folder / "cloud.toml"
        self.config.write_text(f'data_dir = "{folder}"\n[influx]\nsecret = "{SECRET}"\n')

    def hears(
        self, ago_min: float, payload: bytes, topic: topics.Topic = topics.SALE, machine: str = "m1"
    ) -> None:
        at_ns = self.now_ns - round(ago_min * MINUTE_NS)
        message = Arrived(topic.of(machine), payload, topic.qos, topic.retained, at_ns)
        asyncio.run(self.ingest.process([message], [{"ContentType": topic.codec.value}]))

    def sold(self, ago_min: float, *seqs: int, **changes: object) -> None:
        self.hears(ago_min, codec.pack([sale("m1", seq, **changes) for seq in seqs]))

    def support(self, *words: str, machine: str = "m1") -> Result:
        words = ("--config", str(self.config), "support", "--machine", machine, *words)
        return CliRunner().invoke(main, words)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """Records 1 to 4 and a bad message an hour ago; since then sales, a copied journal, and bad ones."""
    cloud = Cloud(tmp_path)
    with closing(cloud.store), closing(cloud.archive):
        cloud.hears(70, _status(online=False), topics.STATUS)
        cloud.sold(60, 1, 2, 3, 4)
        cloud.hears(60, b"\xc1 bad")
        cloud.hears(9, _status(online=True), topics.STATUS)
        cloud.sold(8, 5, 6)
        cloud.sold(7, 6)  # sent again
        cloud.sold(6, 2, at_ns=17)  # another record has this number
        cloud.sold(6, 4)  # stored long ago, sent again
        cloud.sold(6, 4, at_ns=18)  # and claimed by another one
        cloud.sold(5, 7, 8, slot="")
        cloud.sold(5, 7)
        cloud.hears(4, b"\xc1 bad")
        owed = {**sale("m1", 9), "kind": "owed", "amount_minor": 50, "reason": "no_change", "claim": CLAIM}
        cloud.hears(3, codec.pack([owed]), topics.EVENT)
        cloud.hears(2, codec.pack([sale("m2", 1)]), machine="m2")
        yield cloud


def _status(*, online: bool) -> bytes:
    cash = Availability(available=online, reason="" if online else "board lost")
    status = Status(online=online, since_ns=1, epoch=EPOCH, software="0.1", tenders={"cash": cash})
    return status.model_dump_json().encode()


def _letters(store: Store) -> list[tuple[Any, ...]]:
    rows = store.dead_letters(100)
    return sorted((r["topic"], r["code"], r["seq"] or 0, r["reason"], r["count"]) for r in rows)


def _ranges(store: Store) -> list[tuple[Any, ...]]:
    return [tuple(r) for r in store.db.execute("SELECT * FROM stored_range WHERE machine = 'm1'")]


def test_it_is_judged_as_it_was(cloud: Cloud, tmp_path: Path) -> None:
    out, folder = tmp_path / "m1.mqtt.jsonl.gz", tmp_path / "again"
    folder.mkdir()
    done = cloud.support("--out", str(out))
    assert (done.exit_code, done.stdout) == (0, ""), done.output
    with reported(out, folder) as (ingest, store, memory):
        before = _ranges(store)
        replay(read(out), IngestHandler(ingest))
        assert _letters(store) == _letters(cloud.store)
        assert _ranges(store) == _ranges(cloud.store)
        (row,) = store.machines()
        assert row["status"] == next(r for r in cloud.store.machines() if r["machine"] == "m1")["status"]
    assert before == [("m1", EPOCH, 1, 4)]
    here = {point: fields for point, fields in cloud.memory.points.items() if _is_of(point, "m1")}
    assert {p: f for p, f in memory.points.items() if "owed" not in p[0]}.items() <= here.items()
    new_sales = {key for key in here if "sale" in key[0]} - set(memory.points)
    assert len(new_sales) == 3, "records 1 to 3 came before the file"


def _is_of(point: tuple[str, int], machine: str) -> bool:
    return f"machine={machine}" in point[0]


def test_it_begins_with_the_last_words_of_before_and_has_what_is_wanted(cloud: Cloud, tmp_path: Path) -> None:
    prices = PriceList(version=3, currency="EUR", prices={"A1": 180}).model_dump_json()
    with cloud.store.db as db:
        db.execute(
            "INSERT INTO wanted VALUES ('prices', 'm1', 3, ?, ?, 3)", (prices, cloud.now_ns - MINUTE_NS)
        )
    out = tmp_path / "m1.mqtt.jsonl"
    cloud.support("--out", str(out))
    messages = list(read(out))
    first = messages[0]
    assert (first.topic, first.retain, first.t_ns) == ("vend/v1/m1/status", True, 0)
    assert b"board lost" in first.payload
    down = [m for m in messages if m.dir == "out"]
    assert [m.topic for m in down] == ["vend/v1/m1/prices", "vend/v1/m1/watermark"]
    assert all("/m1/" in m.topic for m in messages)
    assert [m.at_ns for m in messages[1:]] == sorted(m.at_ns for m in messages[1:])


def test_nothing_secret_is_in_it(cloud: Cloud, tmp_path: Path) -> None:
    out = tmp_path / "m1.mqtt.jsonl"
    cloud.hears(1, b"\xc1 claim " + CLAIM.encode())  # a letter that nobody can read
    cloud.support("--minutes", "1440", "--out", str(out))
    everything = out.read_text() + "".join(
        repr(decode(m.topic, m.payload).value) + repr(m.payload) for m in read(out)
    )
    assert SECRET not in everything
    assert CLAIM not in everything
    assert "0007-000000" in everything


def test_letters_of_before_tell_no_claims(cloud: Cloud, tmp_path: Path) -> None:
    cloud.hears(30, b"\xc1 claim " + CLAIM.encode())
    out = tmp_path / "m1.mqtt.jsonl"
    cloud.support("--out", str(out))
    letters = read_header(out).about["before"]["letters"]
    payloads = [base64.b64decode(letter["payload"]) for letter in letters]
    assert b"\xc1 claim 0007-000000" in payloads


def test_it_shrinks_to_what_was_refused(cloud: Cloud, tmp_path: Path) -> None:
    out = tmp_path / "m1.mqtt.jsonl"
    cloud.support("--out", str(out))
    numbers = iter(range(10_000))

    def is_refused(messages: Sequence[Message]) -> bool:
        folder = tmp_path / f"try-{next(numbers)}"
        folder.mkdir()
        with reported(out, folder) as (ingest, store, _):
            replay(messages, IngestHandler(ingest))
            return any(row["code"] == "bad_body" and row["seq"] == 8 for row in store.dead_letters(100))

    (small,) = shrink(list(read(out)), is_refused)
    assert [record["seq"] for record in Answers([small]).on("vend/v1/m1/sale")] == [8]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--machine", "m9", "--out", "{}/new"), 1, "m9 never spoke here"),
        (("--machine", "m1", "--out", "{}/cloud.toml"), 1, "is there already"),
        (("--machine", "m1", "--minutes", "0", "--out", "{}/new"), 2, "--minutes"),
        (("--machine", "m1", "--out", "{}/none/new"), 1, "cannot be written"),
        (("--machine", "m1"), 2, "--out"),
        (("--machine", "m1", "--minutes", "1", "--out", "{}/new"), 0, "said nothing in these 1 minutes"),
    ],
    ids=["stranger", "there", "no-time", "no-folder", "no-file", "silent"],
)
def test_what_it_says(cloud: Cloud, tmp_path: Path, words: Sequence[str], code: int, says: str) -> None:
    words = ["--config", str(cloud.config), "support", *(word.format(tmp_path) for word in words)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == code, done.output
    assert says in done.stderr
    assert (tmp_path / "new").exists() == (code == 0)


def test_the_example_of_the_docs_works(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "again").mkdir()
    monkeypatch.chdir(tmp_path)
    assert cloud.support("--out", "lobby-7-cloud.mqtt.jsonl").exit_code == 0
    names: dict[str, Any] = {}
    exec(docs_example("cloud.replay"), names)
    names["test_the_record_is_refused_again"](tmp_path / "again")


def test_another_file_is_no_report(tmp_path: Path, cloud: Cloud) -> None:
    out = tmp_path / "m1.mqtt.jsonl"
    cloud.support("--out", str(out))
    other = tmp_path / "other.mqtt.jsonl"
    header = read_header(out)
    new(other, type(header)(1, "vend-tap")).close()
    with pytest.raises(CaptureError, match="no file of `vend-cloud support`"), reported(other, tmp_path):
        pass
