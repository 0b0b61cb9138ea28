import errno
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.capture import CaptureError, CaptureWriter, Header, Message, chained, read, read_header
from shared.capture.rotation import Limits, RotatingWriter


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


def named(name: str, *batches: list[Message], folder: Path) -> Path:
    write(folder / name, *batches)
    return folder / name


def test_a_compressed_capture_is_the_same_capture(tmp_path: Path) -> None:
    written = [message(n, bytes([n]) * 100) for n in range(200)]
    plain = named("c.jsonl", written, folder=tmp_path)
    packed = named("c.jsonl.gz", written[:7], written[7:], folder=tmp_path)
    assert list(read(packed)) == list(read(plain)) == written
    assert packed.stat().st_size < plain.stat().st_size / 4
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes(), "any other program can read it"


@given(keep=st.integers(min_value=0, max_value=2_000))
def test_of_a_compressed_capture_that_is_cut_off_every_whole_message_is_read(
    tmp_path_factory: pytest.TempPathFactory, keep: int
) -> None:
    path = tmp_path_factory.mktemp("capture") / "c.jsonl.gz"
    writer = CaptureWriter(path, "test", 1_000)
    written = [message(n, os.urandom(20)) for n in range(6)]
    ends = []
    for one in written:
        writer.append([one])
        ends.append(writer.size_bytes)
    writer.close()
    keep = min(keep, path.stat().st_size)
    os.truncate(path, keep)
    found = list(read(path))
    assert found == written[: len(found)]
    assert len(found) >= sum(end <= keep for end in ends), "what append had returned for is there"


def test_damage_inside_a_compressed_capture_is_named(tmp_path: Path) -> None:
    path = named("c.jsonl.gz", [message(n, os.urandom(50)) for n in range(50)], folder=tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(CaptureError, match=r"c\.jsonl\.gz"):
        list(read(path))


def test_a_compressed_capture_is_not_continued(tmp_path: Path) -> None:
    path = named("c.jsonl.gz", [message(1)], folder=tmp_path)
    with pytest.raises(CaptureError, match="is there already"):
        CaptureWriter(path, "test", 0)
    assert list(read(path)) == [message(1)]


def test_a_failed_batch_leaves_nothing_in_a_compressed_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.jsonl.gz"
    writer = CaptureWriter(path, "test", 0)
    disk = BadDisk(monkeypatch)
    disk.failing = {"fsync"}
    with pytest.raises(OSError, match="broken"):
        writer.append([message(2)])
    disk.failing = set()
    writer.append([message(1)])
    writer.close()
    assert list(read(path)) == [message(1)]


def test_the_header_says_what_it_was_given_and_a_view_changes_no_message(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    writer = CaptureWriter(path, "tap", 5, {"filters": ["#"]}, lambda m: {"n": m.t_ns})
    writer.append([message(1)])
    writer.close()
    assert read_header(path) == Header(5, "tap", {"filters": ["#"]})
    assert json.loads(path.read_bytes().splitlines()[1])["view"] == {"n": 1}
    assert list(read(path)) == [message(1)]


def test_keys_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    path = named("c.jsonl", [message(1)], folder=tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"qos":1', b'"new":[],"qos":1'))
    assert list(read(path)) == [message(1)]


@pytest.mark.parametrize("broken", [b'"qos":3', b'"qos":true', b'"qos":"1"'])
def test_a_quality_of_service_that_there_is_not_is_damage(tmp_path: Path, broken: bytes) -> None:
    path = named("c.jsonl", [message(1)], folder=tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"qos":1', broken))
    with pytest.raises(CaptureError, match="line 2"):
        list(read(path))


def test_rotation_by_size_and_time_loses_nothing_and_keeps_one_start(tmp_path: Path) -> None:
    written = [message(n * 10, bytes(50)) for n in range(40)]
    for name, limits in (("size.jsonl.gz", Limits(400, None)), ("time.jsonl", Limits(None, 100))):
        writer = RotatingWriter(tmp_path / name, Header(7, "tap"), limits)
        for one in written:
            writer.append([one])
        writer.close()
        assert len(writer.files) >= 3
        assert [path.name.partition(".")[0][-5:] for path in writer.files[:3]] == ["-0001", "-0002", "-0003"]
        assert list(chained(writer.files)) == written
        assert {read_header(path).started_at_ns for path in writer.files} == {7}
    assert [len(list(read(path))) for path in sorted(tmp_path.glob("time-*"))] == [10] * 4
    with pytest.raises(CaptureError, match="is there already"):
        RotatingWriter(tmp_path / "time.jsonl", Header(7, "tap"), Limits(None, 100))


def test_captures_with_starts_of_their_own_are_one_after_the_other(tmp_path: Path) -> None:
    for name, start in (("a.jsonl", 1_000), ("b.jsonl", 1_500)):
        writer = CaptureWriter(tmp_path / name, "test", start)
        writer.append([message(1)])
        writer.close()
    assert [m.t_ns for m in chained([tmp_path / "a.jsonl", tmp_path / "b.jsonl"])] == [1, 501]


# As Debian's mosquitto_sub 2.0.11 wrote them, `-F '%U %q %r %t %x'`.
STOCK = b"""1795521114.048304642 2 1 vend/v1/m1/a b 6869
1795521114.051458895 1 0 vend/v1/m1/sale \n1795521114.055039947 0 0 vend/v1/m1/sale 93000a01
"""


def test_what_a_stock_client_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "jam.txt"
    path.write_bytes(STOCK + b"1795521115.0")
    start = 1_795_521_114_048_304_642
    assert list(read(path)) == [
        Message(0, start, "in", "vend/v1/m1/a b", 2, True, b"hi"),
        Message(3_154_253, start + 3_154_253, "in", "vend/v1/m1/sale", 1, False, b""),
        Message(6_735_305, start + 6_735_305, "in", "vend/v1/m1/sale", 0, False, b"\x93\x00\n\x01"),
    ]
    assert read_header(path).started_at_ns == start
    path.write_bytes(STOCK + b"Connection error\n" + STOCK)
    with pytest.raises(CaptureError, match="line 4"):
        list(read(path))
