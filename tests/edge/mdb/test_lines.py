from edge.mdb.adapters.lines import Lines


def test_line_ends_and_empty_lines() -> None:
    lines = Lines(10)
    assert lines.feed(b"one\r\ntwo\rthree\n\n\r\nfo") == [b"one", b"two", b"three"]
    assert lines.feed(b"ur\r") == [b"four"]
    assert lines.feed(b"\nfive\n") == [b"five"]


def test_a_line_without_end_is_bounded_and_too_long() -> None:
    lines = Lines(10)
    for _ in range(100):
        assert lines.feed(b"12345") == []
        assert len(lines._rest) <= 11
    assert lines.feed(b"\nok\n") == [b"12345123451", b"ok"]
    assert lines.feed(b"x" * 50 + b"\n") == [b"x" * 11]


def test_forget() -> None:
    lines = Lines(10)
    lines.feed(b"half")
    lines.forget()
    assert lines.feed(b"whole\n") == [b"whole"]
