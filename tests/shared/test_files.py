"""A file is there whole or as it was."""

import stat
from pathlib import Path

import pytest

from shared.files import write_whole


def test_it_replaces_whole_with_the_right_mode(tmp_path: Path) -> None:
    path = tmp_path / "machine.pem"
    path.write_text("old")
    (tmp_path / ".machine.pem.new").write_text("left by a power cut")
    write_whole(path, b"new", 0o600)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["machine.pem"]


def test_what_must_not_be_replaced_is_not(tmp_path: Path) -> None:
    path = tmp_path / "authority.pem"
    write_whole(path, b"first", 0o600, replace=False)
    with pytest.raises(FileExistsError):
        write_whole(path, b"second", 0o600, replace=False)
    assert path.read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["authority.pem"]


def test_a_disk_that_refuses_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "machine.pem"
    path.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new", 0o600)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["machine.pem"]


@pytest.mark.parametrize(("uid", "gives"), [(0, True), (1000, False)])
def test_what_root_writes_belongs_to_the_folders_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, *, gives: bool
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr("os.geteuid", lambda: uid)
    monkeypatch.setattr("os.fchown", lambda _descriptor, user, group: given.append((user, group)))
    write_whole(tmp_path / "machine.pem", b"x", 0o600)
    folder = tmp_path.stat()
    assert given == ([(folder.st_uid, folder.st_gid)] if gives else [])
