"""Files of several writers as one stream."""

import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.archive import Archive
from cloud.rebuild.captures import Source, found, merged
from shared.capture import Message

TIMES = st.lists(st.integers(0, 50), max_size=12).map(sorted)


def _write(folder: Path, source: str, times: list[int]) -> None:
    """Each file holds a few messages; the writer was started just before its first."""
    with closing(Archive(folder, source, times[0], limit_bytes=400)) as archive:
        for at_ns in times:
            archive.append([Message(0, at_ns, "in", f"{source}/{at_ns}", 1, False, b"x")])


@settings(max_examples=30)
@given(st.lists(TIMES.filter(bool), max_size=5), st.integers(0, 60))
def test_messages_come_in_the_order_of_their_arrival_and_from_any_line_on(
    writers: list[list[int]], stop: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, times in enumerate(writers):
            _write(folder, f"w{number}", times)
        pieces = list(merged(found([folder])))
        times = [piece.message.at_ns for piece in pieces if piece.message]
        assert times == sorted(at_ns for writer in writers for at_ns in writer)
        for number, writer in enumerate(writers):
            own = [p.message.at_ns for p in pieces if p.message and p.message.topic.startswith(f"w{number}/")]
            assert own == writer

        done = {piece.path: piece for piece in pieces[:stop]}
        again = [
            Source(s.path, s.size, done[s.path].end, done[s.path].line) if s.path in done else s
            for s in found([folder])
        ]
        assert list(merged(again)) == pieces[stop:]


def test_a_file_is_read_up_to_the_size_that_it_had(tmp_path: Path) -> None:
    _write(tmp_path, "w", [1])
    sources = found([tmp_path])
    with sources[0].path.open("ab") as file:
        file.write(b"more\n")
    assert [piece.damage for piece in merged(sources)] == ["", ""]
    (path,) = tmp_path.iterdir()
    assert [piece.line for piece in merged([Source(path, path.stat().st_size)])] == [1, 2, 3]
