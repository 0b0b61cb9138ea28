"""What a machine sends, and when it begins a new epoch, by what the cloud says that it holds."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.core import Core
from edge.lineage import WATERMARK_WAIT_S
from edge.link_events import Command, Connected, Inbound, Publish, Wake
from edge.sale import events as ev
from edge.store.journal import Journal, JournalFull
from shared import codec, topics
from shared.clock import Now
from shared.messages import Mark, Receipt, Watermark, check
from tests.edge.test_core import PRICES, SETTING, SLOTS, TRUE_NS, records

ONLINE = Connected(session_present=False, max_packet_bytes=None)


def at(monotonic_s: float) -> Now:
    return Now(TRUE_NS + round(monotonic_s * 10**9), monotonic_s, "synced", "boot")


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    """With two owed records, and online since second 5."""
    with Journal(tmp_path / "journal.db", "m1") as journal:
        core = Core(journal, SETTING, SLOTS, PRICES, random.Random(1), watermark_wait_s=WATERMARK_WAIT_S)
        core.handle(ev.Booted(), at(1.0))
        assert records(core.handle(ONLINE, at(5.0))) == []
        yield core


def hear(core: Core, seq: int, at_ns: int = 1, epoch: str = "", heard_s: float = 5.0) -> list[Command]:
    """The watermark that answers this connection's status."""
    mark = Mark(epoch=epoch or core.journal.epoch, seq=seq, at_ns=at_ns)
    said = Watermark(heard_ns=at(heard_s).wall_ns, journals=(mark,))
    return core.handle(Inbound(topics.WATERMARK.of("m1"), said.model_dump_json().encode()), at(5.1))


def settle(core: Core, first: int, last: int, twin_ns: int = 0) -> list[Command]:
    times = core.journal.times(core.journal.epoch, first, last)
    receipt = Receipt(epoch=core.journal.epoch, stored=((first, last),), checks=(check([*times, twin_ns]),))
    return core.handle(Inbound(topics.RECEIPT.of("m1"), codec.pack(receipt.model_dump())), at(5.2))


def test_records_wait_for_the_clouds_word_and_not_for_ever(core: Core) -> None:
    assert core.next_wake_s() == 5.0 + WATERMARK_WAIT_S
    assert records(core.handle(Wake(), at(6.9))) == []
    assert len(records(core.handle(Wake(), at(7.0)))) == 2


@pytest.mark.parametrize("payload", [b"", b"{", b'{"v":1,"journals":[{"epoch":"x"}]}'])
def test_a_word_that_cannot_be_read_says_nothing(core: Core, payload: bytes) -> None:
    assert records(core.handle(Inbound(topics.WATERMARK.of("m1"), payload), at(5.1))) == []
    assert len(records(core.handle(Wake(), at(7.0)))) == 2


def test_an_older_connections_answer_is_not_waited_on(core: Core) -> None:
    assert records(hear(core, 1, core.journal.times(core.journal.epoch, 1, 1)[0], heard_s=3.0)) == []
    assert len(records(hear(core, 1, core.journal.times(core.journal.epoch, 1, 1)[0]))) == 2


def test_another_journals_mark_is_not_ours(core: Core) -> None:
    epoch = core.journal.epoch
    assert len(records(hear(core, 900, epoch="ffffffffffff"))) == 2
    settle(core, 1, 2)
    assert core.journal.epoch == epoch


def test_a_higher_number_than_ours_is_a_twins_although_all_we_have_is_stored(core: Core) -> None:
    epoch = core.journal.epoch
    assert [r["epoch"] for r in records(hear(core, 7))] == [epoch, epoch]
    left = settle(core, 1, 2)  # the cloud had these two from here, before the copy
    assert core.journal.epoch != epoch
    kinds = [(r["kind"], r["epoch"], r["seq"]) for r in records(left)]
    new = core.journal.epoch
    assert kinds == [("audit", new, 1), ("fault", new, 2), ("audit", new, 3)]
    status = next(c for c in left if isinstance(c, Publish) and c.topic.endswith("/status"))
    assert f'"forked_from":"{epoch}"'.encode() in status.payload


def test_what_is_above_a_twins_number_is_not_sent_in_the_old_epoch(core: Core) -> None:
    epoch = core.journal.epoch
    assert [r["seq"] for r in records(hear(core, 1, at_ns=77))] == [1]
    left = settle(core, 1, 1)
    assert {r["epoch"] for r in records(left)} == {core.journal.epoch}
    assert core.journal.epoch != epoch
    assert [r["kind"] for r in records(left)] == ["audit", "audit", "fault", "audit"]


def test_a_twins_receipt_settles_nothing(core: Core) -> None:
    hear(core, 1, core.journal.times(core.journal.epoch, 1, 1)[0])
    settle(core, 1, 2, twin_ns=1)
    assert core.journal.counts.owed == 2


def test_a_fork_that_finds_no_room_leaves_the_old_epoch_whole(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch, before = core.journal.epoch, list(core.journal.records())
    with monkeypatch.context() as patch:
        patch.setattr("edge.store.epochs.dump_record", _no_room)
        with pytest.raises(JournalFull):
            core.journal.fork(lambda owed: [record.body for record in owed], at(6.0))
    assert (core.journal.epoch, list(core.journal.records())) == (epoch, before)


def _no_room(*_args: object) -> None:
    raise JournalFull("the disk is full")
