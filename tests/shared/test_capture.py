import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.capture import CaptureError, CaptureWriter, Message, read


def message(number: int, payload: bytes = b"\x93\x01") -> Message:
    return Message(
        t_ns=number,
        at_ns=1_000 + number,
        dir="in",
        topic="vend/v1/m1/sale",
        qos=1,
        retain=False,
        payload=payload,
        properties={"ContentType": "application/msgpack"},
        dup=bool(number % 2),
    )


def write(path: Path, *batches: list[Message]) -> None:
    writer = CaptureWriter(path, "test", 1_000)
    for batch in batches:
        writer.append(batch)
    writer.close()


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    written = [message(n, os.urandom(50)) for n in range(5)]
    write(path, written[:2], written[2:])
    assert list(read(path)) == written


@given(cut=st.integers(min_value=1, max_value=200))
def test_a_torn_tail_is_passed_over_and_cut_off(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("capture") / "c.jsonl"
    write(path, [message(1)])
    kept = path.stat().st_size
    write(path, [message(2)])
    line_bytes = path.stat().st_size - kept
    os.truncate(path, path.stat().st_size - min(cut, line_bytes))
    assert list(read(path)) == [message(1)]
    write(path, [message(3)])
    assert list(read(path)) == [message(1), message(3)]


@pytest.mark.parametrize("left", [1, 20, 50])
def test_a_torn_header_is_written_anew(tmp_path: Path, left: int) -> None:
    path = tmp_path / "c.jsonl"
    write(path)
    os.truncate(path, left)
    assert list(read(path)) == []
    write(path, [message(1)])
    assert list(read(path)) == [message(1)]


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    write(path, [message(1), message(2), message(3)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2][:-9] + b"\n", lines[3]]))
    with pytest.raises(CaptureError, match=r"line 3"):
        list(read(path))


@pytest.mark.parametrize(
    "content", [b"hello", b"hello\nworld", b'{"format":"other","version":1}\n', b"[1]\n"]
)
def test_another_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match="line 1"):
        CaptureWriter(path, "test", 0)
    assert path.read_bytes() == content
    if content.endswith(b"\n"):
        with pytest.raises(CaptureError, match="line 1"):
            list(read(path))


class BadDisk:
    """Fails some calls of os, as a full or broken disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failing: set[str] = set()
        for name in ("fsync", "ftruncate"):
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def _wrap(self, name: str, real: Callable[..., None]) -> Callable[..., None]:
        def call(*args: object) -> None:
            if name in self.failing:
                raise OSError(errno.EIO, "broken")
            real(*args)

        return call


@pytest.mark.parametrize("failing", [{"fsync"}, {"fsync", "ftruncate"}])
def test_a_failed_batch_leaves_nothing_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: set[str]
) -> None:
    path = tmp_path / "c.jsonl"
    writer = CaptureWriter(path, "test", 0)
    writer.append([message(1)])
    disk = BadDisk(monkeypatch)
    disk.failing = failing
    for _ in range(2):
        with pytest.raises(OSError, match="broken"):
            writer.append([message(2), message(3, b"long" * 100)])
    disk.failing = set()
    writer.append([message(2)])
    writer.close()
    assert list(read(path)) == [message(1), message(2)]


def test_a_full_disk_is_an_error_that_can_be_tried_again(tmp_path: Path) -> None:
    writer = CaptureWriter(tmp_path / "c.jsonl", "test", 0)
    size = writer.size_bytes
    full = os.open("/dev/full", os.O_WRONLY)
    kept = os.dup(writer._file.fileno())
    os.dup2(full, writer._file.fileno())
    with pytest.raises(OSError, match="No space"):
        writer.append([message(1)])
    os.dup2(kept, writer._file.fileno())
    os.close(full)
    os.close(kept)
    writer.append([message(1)])
    writer.close()
    assert list(read(tmp_path / "c.jsonl")) == [message(1)]
    assert (tmp_path / "c.jsonl").stat().st_size == writer.size_bytes > size
