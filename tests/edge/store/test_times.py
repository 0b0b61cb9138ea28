"""Times that a clock only estimated: corrected while nobody has seen them, and never afterwards."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.store.journal import Journal
from shared import codec
from shared import records as m
from shared.clock import Now

FAULT = m.Fault(device="changer", code="coin_jam")
TRUE_NS = 1_790_000_000 * 10**9
SECOND_NS = 10**9


def estimated(monotonic_s: float, wall_ns: int = 0, boot: str = "a") -> Now:
    return Now(wall_ns + round(monotonic_s * SECOND_NS), monotonic_s, "estimated", boot)


def synced(monotonic_s: float, boot: str = "a") -> Now:
    return Now(TRUE_NS + round(monotonic_s * SECOND_NS), monotonic_s, "synced", boot)


def headers(journal: Journal) -> list[m.Header]:
    return [m.parse_record(codec.unpack(body)).header for _, _, body in journal.records()]


def test_records_of_this_boot_get_their_true_time_once_the_clock_has_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path, "m1") as journal:
        journal.commit(b"", [FAULT, FAULT], estimated(10.0))
        journal.commit(b"", [FAULT], estimated(25.5))
    with Journal(path, "m1") as journal:  # the program started again, the board did not
        assert journal.awaits_time(estimated(30.0))
        journal.correct(estimated(31.0))
        assert [h.clock for h in headers(journal)] == ["estimated"] * 3
        journal.correct(synced(40.0))
        assert not journal.awaits_time(estimated(41.0))
        found = headers(journal)
        assert [h.clock for h in found] == ["synced"] * 3
        for header, made_s in zip(found, (10.0, 10.0, 25.5), strict=True):
            assert abs(header.at_ns - (TRUE_NS + made_s * SECOND_NS)) < 10_000
        assert journal.last_at_ns == found[-1].at_ns


def test_a_step_with_a_good_time_corrects_what_lies_before_it(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db", "m1") as journal:
        ahead_ns = TRUE_NS + 3600 * SECOND_NS
        journal.commit(b"", [FAULT], estimated(10.0, ahead_ns))
        journal.commit(b"", [FAULT], synced(20.0))
        assert [h.clock for h in headers(journal)] == ["synced", "synced"]
        assert [(h.at_ns - TRUE_NS) // SECOND_NS for h in headers(journal)] == [10, 20]


def test_what_may_have_been_sent_is_never_changed(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db", "m1") as journal:
        journal.commit(b"", [FAULT], estimated(10.0))
        before = list(journal.records())
        journal.freeze()
        journal.correct(synced(20.0))
        assert list(journal.records()) == before


def test_monotonic_time_of_another_boot_says_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db", "m1") as journal:
        journal.commit(b"", [FAULT], estimated(10.0, boot="a"))
        journal.commit(b"", [FAULT], estimated(1.0, boot="b"))
        journal.correct(synced(5.0, boot="b"))
        first, second = headers(journal)
        assert (first.clock, second.clock) == ("estimated", "synced")
        assert (second.at_ns - TRUE_NS) // SECOND_NS == 1


def test_a_time_behind_a_clock_that_ran_ahead_is_marked(tmp_path: Path) -> None:
    """Order comes first: a sale after one that was sent with a time of next year cannot be of this year."""
    with Journal(tmp_path / "journal.db", "m1") as journal:
        journal.commit(b"", [FAULT], estimated(10.0, TRUE_NS + 10**17))
        journal.freeze()
        journal.commit(b"", [FAULT], synced(20.0))
        first, second = headers(journal)
        assert second.at_ns > first.at_ns
        assert second.clock == "estimated"


STEPS = st.one_of(
    st.tuples(st.just("commit"), st.integers(0, 3)),
    st.tuples(st.just("freeze"), st.just(0)),
    st.tuples(st.just("sync"), st.just(0)),
    st.tuples(st.just("unsync"), st.integers(-(10**18), 10**18)),
    st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("power cut"), st.integers(-(10**18), 10**18)),
)


@settings(max_examples=200)
@given(st.lists(STEPS, max_size=30))
@pytest.mark.timeout(300)
def test_order_identity_and_trust_hold_whatever_clocks_do(steps: list[tuple[str, int]]) -> None:
    true_s, boot, error_ns, trust = 0.0, 0, -(10**18), "estimated"
    made_s: list[float] = []
    sent: dict[int, bytes] = {}
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db", "m1")
        for what, value in steps:
            true_s += 7.0
            if what == "sync":
                trust = "synced"
            elif what in {"unsync", "power cut"}:
                trust, error_ns = "estimated", value
                boot += what == "power cut"
            elif what == "restart":
                journal.close()
                journal = Journal(Path(folder) / "journal.db", "m1")
            wall_ns = TRUE_NS + round(true_s * SECOND_NS) + (error_ns if trust == "estimated" else 0)
            now = Now(wall_ns, true_s, "synced" if trust == "synced" else "estimated", str(boot))
            if what == "commit":
                journal.commit(b"", [FAULT] * value, now)
                made_s += [true_s] * value
            elif what == "freeze":
                journal.freeze()
                sent = {seq: body for seq, _, body in journal.records()}
            else:
                journal.correct(now)
        found = headers(journal)
        bodies = {seq: body for seq, _, body in journal.records()}
        last_at_ns = journal.last_at_ns
        journal.close()
    assert [h.seq for h in found] == list(range(1, len(made_s) + 1))
    times = [h.at_ns for h in found]
    assert times == sorted(set(times))
    assert last_at_ns == (times[-1] if times else 0)
    assert {seq: bodies[seq] for seq in sent} == sent
    for header, at_s in zip(found, made_s, strict=True):
        if header.clock == "synced":
            assert abs(header.at_ns - (TRUE_NS + at_s * SECOND_NS)) < 2 * SECOND_NS
