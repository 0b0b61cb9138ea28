from pathlib import Path

import pytest

from cloud.archive import Archive
from shared.capture import Message, read


def message(number: int) -> Message:
    return Message(number, number, "in", "vend/v1/m1/sale", 1, False, bytes(100))


def test_a_new_file_when_one_is_full_and_all_of_it_in_order(tmp_path: Path) -> None:
    archive = Archive(tmp_path, "test", 1_790_000_000_123_456_789, limit_bytes=1_000)
    for number in range(20):
        archive.append([message(number)])
    archive.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) > 2
    assert files[0].name == "20260921T141320.123457Z-test-0001.mqtt.jsonl"
    assert [m.t_ns for path in files for m in read(path)] == list(range(20))


def test_no_messages_no_file(tmp_path: Path) -> None:
    Archive(tmp_path, "test", 0).close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    archive = Archive(folder, "test", 0)
    with pytest.raises(OSError, match="No such file"):
        archive.append([message(1)])
    folder.mkdir()
    archive.append([message(1)])
    archive.close()
    assert [len(list(read(path))) for path in folder.iterdir()] == [1]
