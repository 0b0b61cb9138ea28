"""The order of a batch's way, and what happens when a step fails. No socket, thread, disk or clock."""

import errno
import sqlite3
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import pytest

from cloud.batch import Arrived, Batch, Line
from cloud.ingest import Ingest
from shared import codec
from shared.capture import Message
from shared.messages import Receipt
from tests.cloud.records import EPOCH, START_NS, arrived, sale

_T = TypeVar("_T")


def drive(answer: Awaitable[_T]) -> _T:
    """Run a coroutine that never waits for anything real."""
    steps = answer.__await__()
    try:
        next(steps)
    except StopIteration as done:
        value: _T = done.value
        return value
    raise AssertionError("it waited for something real")


class Parts:
    """Archive, sink and keeper in one, each with errors to raise first."""

    started_at_ns = 1_000

    def __init__(self, **errors: Sequence[Exception]) -> None:
        self.errors = {name: list(those) for name, those in errors.items()}
        self.steps: list[str] = []
        self.archived: list[Message] = []
        self.kept: list[tuple[Batch, int]] = []
        self.refused: dict[int, str] = {}
        self.again = False

    def _step(self, name: str) -> None:
        if self.errors.get(name):
            self.steps.append(f"{name} failed")
            raise self.errors[name].pop(0)
        self.steps.append(name)

    def append(self, messages: Sequence[Message]) -> None:
        self._step("archive")
        self.archived += messages

    async def write(self, lines: Sequence[str]) -> dict[int, str]:
        self._step(f"write {len(lines)}")
        return self.refused

    def screen(self, batch: Batch) -> list[Line]:
        self._step("screen")
        return batch.lines if self.again else []

    async def taken(self, lines: Sequence[Line]) -> Sequence[Line]:
        self._step(f"taken {len(lines)}")
        return lines[:1]

    def keep(self, batch: Batch, at_ns: int) -> None:
        self._step("keep")
        self.kept.append((batch, at_ns))

    async def nap(self, _pause_s: float) -> None:
        self.steps.append("nap")


def process(parts: Parts, *messages: Arrived) -> list[tuple[str, Receipt]]:
    ingest = Ingest(parts, parts, parts, parts.nap)
    return drive(ingest.process(messages, [{"ContentType": "x"}] * len(messages)))


def test_archive_then_database_then_store_then_receipt() -> None:
    parts = Parts()
    messages = [arrived("m1", sale("m1", 1), at_ns=1_500), arrived("m1", {}, at_ns=1_600)]
    assert process(parts, *messages) == [
        ("m1", Receipt(epoch=EPOCH, stored=((1, 1),), checks=(START_NS + 1_000_000,)))
    ]
    assert parts.steps == ["archive", "screen", "write 1", "keep"]
    assert [(m.t_ns, m.at_ns, m.payload, m.properties) for m in parts.archived] == [
        (500, 1_500, messages[0].payload, {"ContentType": "x"}),
        (600, 1_600, messages[1].payload, {"ContentType": "x"}),
    ]
    ((batch, at_ns),) = parts.kept
    assert [letter.code for letter in batch.dead] == ["bad_header"]
    assert at_ns == 1_600


FULL = OSError(errno.ENOSPC, "full")


def test_a_full_disk_holds_everything_back_until_there_is_room() -> None:
    parts = Parts(
        archive=[FULL, FULL],
        screen=[sqlite3.OperationalError("locked")],
        keep=[sqlite3.OperationalError("database or disk is full"), sqlite3.OperationalError("locked")],
    )
    assert process(parts, arrived("m1", sale("m1", 1)))
    assert parts.steps == [
        *("archive failed", "nap", "archive failed", "nap", "archive"),
        *("screen failed", "nap", "screen"),
        "write 1",
        *("keep failed", "nap", "keep failed", "nap", "keep"),
    ]


@pytest.mark.parametrize("step", ["archive", "screen", "write 1", "keep"])
def test_trouble_inside_ends_the_process_without_a_receipt(step: str) -> None:
    with pytest.raises(sqlite3.DatabaseError):
        process(Parts(**{step: [sqlite3.DatabaseError("malformed")]}), arrived("m1", sale("m1", 1)))


def test_what_the_database_refuses_is_kept_before_the_machine_is_told() -> None:
    parts = Parts()
    parts.refused = {0: "400 no"}
    ((_, receipt),) = process(parts, arrived("m1", sale("m1", 1)))
    assert [refusal.reason for refusal in receipt.refused] == ["database_refused"]
    assert [letter.code for letter in parts.kept[0][0].dead] == ["database_refused"]


def test_a_number_that_another_record_has_is_not_written_and_its_machine_is_told() -> None:
    parts = Parts()
    parts.again = True
    ((_, receipt),) = process(parts, arrived("m1", sale("m1", 1), sale("m1", 2)))
    assert parts.steps == ["archive", "screen", "taken 2", "write 1", "keep"]
    assert receipt.stored == ((2, 2),)
    assert [(r.seq, r.reason) for r in receipt.refused] == [(1, "number_taken")]
    (letter,) = parts.kept[0][0].dead
    assert codec.unpack(letter.payload) == sale("m1", 1)
