"""The machine's certificate: when it asks for the next one, and that it never stands without one."""

import ssl
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.identity.issue import Desk
from edge.identity.keeper import AGAIN_S, REFUSED_S, Keeper, is_due
from shared import certificates as certs
from shared.clock import Now
from shared.messages import CertificateIssued, CertificateRequest
from shared.settings import TlsSettings
from tests.cloud.identity.rig import DAY_NS, LIFE_DAYS, NOW_NS, desk

THIRD_NS = LIFE_DAYS * DAY_NS // 3


class Rig:
    def __init__(self, opened: Desk, folder: Path) -> None:
        self.desk = opened
        self.path, self.next = folder / "machine.pem", folder / "machine.pem.next"
        issued, key = opened.provision("m1", NOW_NS)
        self.path.write_bytes(issued.pem.encode() + key)
        self.tls = TlsSettings(ca=folder / "ca/ca.crt", certificate=self.path)
        self.now = Now(NOW_NS + 2 * THIRD_NS, 0.0, "synced")
        self.keeper = self.start()

    def start(self) -> Keeper:
        """The process begins anew."""
        self.keeper = Keeper(self.tls, "m1", lambda: self.now)
        return self.keeper

    def later(self, seconds: float) -> None:
        self.now = replace(self.now, monotonic_s=self.now.monotonic_s + seconds)

    def asked(self) -> CertificateRequest:
        payload = self.keeper.request()
        assert payload is not None
        return CertificateRequest.model_validate_json(payload)

    def answer(self, wanted: CertificateRequest) -> bytes:
        answer = self.desk.renew("m1", wanted, self.now.wall_ns)
        assert answer.certificate is not None
        return answer.model_dump_json().encode()

    def serial(self) -> str:
        return certs.read(self.path.read_bytes()).serial


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with desk(tmp_path) as opened:
        yield Rig(opened, tmp_path)


# ---- when


@given(st.integers(0, 2**60), st.integers(1, 2**60), st.integers(0, 2**62))
def test_due_at_two_thirds_by_a_right_clock_and_always_by_another(start: int, life: int, wall: int) -> None:
    certificate = certs.Certificate("m1", "1", b"", start, start + life)
    assert is_due(certificate, Now(wall, 0.0, "synced")) is (wall >= start + life * 2 // 3)
    assert is_due(certificate, Now(wall, 0.0, "estimated"))


def test_it_does_not_ask_before_and_looks_once_an_hour(rig: Rig) -> None:
    rig.now = Now(NOW_NS + THIRD_NS, 0.0, "synced")
    assert rig.keeper.request() is None
    rig.now = Now(NOW_NS + 2 * THIRD_NS, AGAIN_S - 1, "synced")
    assert rig.keeper.request() is None
    rig.later(1)
    assert rig.keeper.request() is not None


def test_unanswered_it_asks_again_with_the_same_key(rig: Rig) -> None:
    first = rig.asked()
    assert rig.keeper.request() is None
    rig.later(AGAIN_S)
    keys = {certs.read_request(r.csr.encode()).public_key for r in (first, rig.asked())}
    rig.start()
    rig.later(AGAIN_S)
    keys.add(certs.read_request(rig.asked().csr.encode()).public_key)
    assert len(keys) == 1
    assert stat.S_IMODE(rig.next.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "wall_ns",
    [0, NOW_NS - 9_000 * DAY_NS, NOW_NS, NOW_NS + 9_000 * DAY_NS],
    ids=["1970", "far back", "right", "far ahead"],
)
def test_a_wrong_clock_costs_a_question_a_day_and_never_the_certificate(rig: Rig, wall_ns: int) -> None:
    rig.now = Now(wall_ns, 0.0, "estimated")
    answer = rig.desk.renew("m1", rig.asked(), NOW_NS)  # the cloud's clock is right
    assert answer.refused == "too_early"
    assert not rig.keeper.take(answer.model_dump_json().encode())
    rig.later(REFUSED_S - 1)
    assert rig.keeper.request() is None
    rig.later(1)
    answer = rig.desk.renew("m1", rig.asked(), NOW_NS + 2 * THIRD_NS)
    assert rig.keeper.take(answer.model_dump_json().encode())


def test_a_key_in_a_file_of_its_own_is_not_renewed(rig: Rig, tmp_path: Path) -> None:
    rig.tls = rig.tls.model_copy(update={"key": tmp_path / "machine.key"})
    assert rig.start().request() is None


# ---- the answer


def test_the_next_one_is_tried_first_and_put_in_force_when_it_is_taken(rig: Rig) -> None:
    old = rig.serial()
    assert rig.keeper.take(rig.answer(rig.asked()))
    assert rig.serial() == old, "nobody has taken it yet"
    rig.keeper.context()
    rig.keeper.accepted()
    rig.keeper.accepted()
    assert rig.serial() == rig.desk.register.of("m1")[0].serial != old
    assert not rig.next.exists()
    assert stat.S_IMODE(rig.path.stat().st_mode) == 0o600
    rig.keeper.context()
    rig.now = replace(rig.now, monotonic_s=10 * REFUSED_S)
    assert rig.keeper.request() is None, "the new one has its life before it"


def test_one_that_is_not_taken_is_thrown_away_when_the_old_one_is(rig: Rig) -> None:
    old = rig.serial()
    rig.keeper.take(rig.answer(rig.asked()))
    first, second = rig.keeper.context(), rig.keeper.context()  # the first was refused
    assert first is not second
    rig.keeper.accepted()
    assert rig.serial() == old
    assert not rig.next.exists()
    rig.later(AGAIN_S)
    assert rig.keeper.request() is not None


def test_while_the_network_is_away_they_take_turns_and_both_stay(rig: Rig) -> None:
    rig.keeper.take(rig.answer(rig.asked()))
    for _ in range(5):
        rig.keeper.context()
    assert rig.next.exists()
    assert rig.path.exists()


def _answers(rig: Rig, wanted: CertificateRequest) -> dict[str, bytes]:
    """Those that must change nothing."""
    good = CertificateIssued.model_validate_json(rig.answer(wanted))
    other_key = rig.desk.provision("m1", rig.now.wall_ns)[0].pem
    other_name = rig.desk.provision("m2", rig.now.wall_ns)[0].pem

    def changed(**fields: object) -> bytes:
        return good.model_copy(update=fields).model_dump_json().encode()

    return {
        "nothing": b"",
        "no JSON": b"\xff{",
        "to another question": changed(serial="1"),
        "for another key": changed(certificate=other_key),
        "for another machine": changed(certificate=other_name),
        "no certificate": changed(certificate="hello"),
        "neither": changed(certificate=None),
    }


def test_answers_that_change_nothing(rig: Rig) -> None:
    wanted = rig.asked()
    before = (rig.path.read_bytes(), rig.next.read_bytes())
    for name, payload in _answers(rig, wanted).items():
        assert not rig.keeper.take(payload), name
        assert (rig.path.read_bytes(), rig.next.read_bytes()) == before, name


def test_one_of_another_authority_changes_nothing(rig: Rig, tmp_path: Path) -> None:
    wanted = rig.asked()
    (tmp_path / "thief").mkdir()
    with desk(tmp_path / "thief") as thief:
        pem = thief.provision("m1", NOW_NS, wanted.csr.encode())[0].pem
    forged = CertificateIssued(serial=wanted.serial, certificate=pem)
    assert not rig.keeper.take(forged.model_dump_json().encode())
    assert rig.keeper.take(rig.answer(wanted)), "the true one still is taken"


# ---- the disk


DAMAGE = {"empty": b"", "torn": None, "nonsense": b"hello"}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_next_file_is_passed_over(rig: Rig, how: str) -> None:
    rig.keeper.take(rig.answer(rig.asked()))
    damaged = DAMAGE[how]
    rig.next.write_bytes(rig.next.read_bytes()[:300] if damaged is None else damaged)
    rig.start()
    rig.keeper.context()
    rig.keeper.accepted()
    rig.asked()
    rig.now = replace(rig.now, wall_ns=rig.now.wall_ns + DAY_NS + 1, monotonic_s=AGAIN_S)  # one a day
    assert rig.keeper.take(rig.answer(rig.asked()))


def test_a_full_disk_means_later(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_words: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("edge.identity.keeper.write_whole", full)
        assert rig.keeper.request() is None
    rig.later(AGAIN_S)
    answer = rig.answer(rig.asked())
    with monkeypatch.context() as patched:
        patched.setattr("edge.identity.keeper.write_whole", full)
        assert not rig.keeper.take(answer)
    assert rig.keeper.take(answer)
    rig.keeper.context()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        rig.keeper.accepted()
    rig.keeper.context()
    rig.keeper.accepted()
    assert not rig.next.exists()


@pytest.mark.parametrize("missing", ["ca", "certificate"])
def test_without_its_files_there_is_no_connection_and_no_crash(rig: Rig, missing: str) -> None:
    getattr(rig.tls, missing).unlink()
    with pytest.raises(FileNotFoundError):
        rig.keeper.context()
    if missing == "certificate":
        assert rig.keeper.request() is None
        assert not rig.keeper.take(b"{}")
    rig.path.write_bytes(b"hello")
    with pytest.raises((ssl.SSLError, FileNotFoundError)):
        rig.keeper.context()
