"""The smallest capture that still fails."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from shared import codec
from shared.capture import Message, read
from shared.decoded import decode
from shared.shrink import least, shrink
from shared.tap.__main__ import main
from tests.tap.conftest import Write
from tests.tap.messages import sales


@given(st.sets(st.integers(0, 60)), st.integers(0, 61))
def test_exactly_what_is_needed_is_left(needed: set[int], length: int) -> None:
    needed = {n for n in needed if n < length}
    assert least(range(length), lambda some: needed <= set(some)) == sorted(needed)


@given(st.lists(st.integers(0, 9), max_size=30))
def test_nothing_can_be_left_out_of_what_is_left(items: list[int]) -> None:
    """Whatever makes it fail, here a sum, which has many smallest answers."""

    def fails(some: Sequence[int]) -> bool:
        return sum(some) >= 20

    left = least(items, fails) if fails(items) else []
    assert all(not fails(left[:n] + left[n + 1 :]) for n in range(len(left)))


def _numbers(messages: Sequence[Message]) -> list[int]:
    found = [decode(m.topic, m.payload).value for m in messages]
    return [record["seq"] for records in found if isinstance(records, tuple) for record in records]


def test_records_of_a_batch_are_left_out_too() -> None:
    whole = [sales("m1", n, n + 1, n + 2) for n in range(1, 60, 3)]
    left = shrink(whole, lambda some: {7, 8, 40} <= set(_numbers(some)))
    assert [_numbers([m]) for m in left] == [[7, 8], [40]]
    assert codec.unpack(left[1].payload) == codec.unpack(sales("m1", 40).payload)


def test_what_is_no_longer_needed_without_some_records_goes_too() -> None:
    """One message is only needed beside two records of another, of which one will do."""
    whole = [sales("m1", 1, 2), sales("m1", 3)]

    def fails(some: Sequence[Message]) -> bool:
        numbers = _numbers(some)
        return numbers in ([1, 2, 3], [1, 3], [1])

    assert [_numbers([m]) for m in shrink(whole, fails)] == [[1]]


PROGRAM = """
import sys
from shared.capture import read
text = b"".join(m.payload for m in read(__import__("pathlib").Path(sys.argv[1])))
sys.exit(3 if text.count(b"seq") >= 1 and b"m2" in text else 4 if not text else 0)
"""


def test_a_command_says_what_fails(capture: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    whole = capture("a.mqtt.jsonl", *(sales("m2" if n == 5 else "m1", n) for n in range(8)))
    out = tmp_path / "small.mqtt.jsonl"
    command = [sys.executable, "-c", PROGRAM, "{}"]
    done = CliRunner().invoke(main, ["shrink", str(whole), str(out), "--", *command])
    assert done.exit_code == 0, done.output
    assert _numbers(list(read(out))) == [5], "an empty capture ends with another status: another trouble"
    assert "1 of 8 messages" in done.stderr
    none = CliRunner().invoke(main, ["shrink", str(whole), str(out), "--", sys.executable, "-c", "", "{}"])
    assert none.exit_code == 1
    assert "no failure" in none.stderr
    assert CliRunner().invoke(main, ["shrink", str(whole), str(out), "--", "true"]).exit_code == 2
