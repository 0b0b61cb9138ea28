"""InfluxDB lost, and everything of the archive written again: equal to the point, whatever happens."""

import fcntl
import json
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cloud.batch import Arrived
from cloud.config import InfluxSettings
from cloud.identity.register import Issued, Register
from cloud.influx import Influx, QueryError
from cloud.points import record_line
from cloud.rebuild import proof
from cloud.rebuild.past import denied_at
from deploy.demo.servers import Influx as InfluxServer
from deploy.demo.servers import die_with_parent
from shared.records import parse_record
from tests.cloud.rebuild.day import MACHINES, System, live_day, records_of, reported, status
from tests.cloud.records import START_NS, arrived, sale

TABLES = ("machine", "charged", "dead_letter", "journal", "stored_range", "refused_record")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with InfluxServer(tmp_path_factory.mktemp("influxd")) as running:
        yield running


@pytest.fixture
def system(tmp_path: Path, server: InfluxServer) -> System:
    return System(tmp_path, server.url, f"d{secrets.token_hex(4)}")


def rebuilt(system: System, *words: str, code: int = 0) -> dict[str, Any]:
    done = system.call("rebuild", "--json", *words)
    assert done.exit_code == code, (done.stdout, done.stderr)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def everything(system: System) -> dict[str, Any]:
    return {"points": system.points(), **{table: system.rows(table) for table in TABLES}}


def test_a_lost_influxdb_is_as_it_was_and_the_store_too(system: System) -> None:
    live_day(system)
    before = everything(system)
    assert system.ask('SELECT count("seq") FROM "sale"')["results"][0]["series"][0]["values"][0][1] == 123
    system.lose_influx()
    said = rebuilt(system)
    assert everything(system) == before
    per_machine = len(records_of("m1")) + 1
    assert (said["records"], said["records_sent_again"], said["dead_letters"]) == (3 * per_machine, 15, 9)
    paid_minor = sum(r["paid_minor"] for m in MACHINES for r in records_of(m) if r["kind"] == "sale")
    sold = next(kind for kind in said["kinds"] if kind["kind"] == "sale")
    assert sold == {"kind": "sale", "currency": "EUR", "count": 123, "minor": paid_minor + 3 * 150}
    assert rebuilt(system)["records"] == said["records"]  # once more: the same
    assert everything(system) == before
    words = system.call("rebuild")
    assert "all of it is in InfluxDB" in words.stdout


def test_the_store_lost_too_comes_back_from_the_archive(system: System) -> None:
    live_day(system)
    before = everything(system)
    system.lose_influx()
    for path in system.data.glob("store.*"):
        path.unlink()
    rebuilt(system)
    assert everything(system) == before


def test_a_backup_of_yesterday_restored(system: System) -> None:
    """Half of the points are there, and the store is that of yesterday."""
    live_day(system)
    backup = system.data / "backup.db"
    shutil.copy(system.data / "store.db", backup)
    later = [
        arrived("m1", sale("m1", 950, at_ns=START_NS + 3 * 86_400 * 10**9), at_ns=START_NS + 10**14),
        reported("m1", START_NS + 10**14, 170),
    ]
    system.live(later, "three")
    before = everything(system)
    system.ask(f"DELETE WHERE time > {START_NS + 600 * 60 * 10**9}")
    assert system.points() != before["points"]
    for path in system.data.glob("store.db*"):
        path.unlink()
    backup.rename(system.data / "store.db")
    rebuilt(system)
    assert everything(system) == before


def test_newer_words_of_machines_stay(system: System) -> None:
    system.live([reported("m1", START_NS, 150), status("m1", START_NS)], "old")
    moved = system.data / "moved"
    moved.mkdir()
    for path in system.archive.iterdir():
        path.rename(moved / path.name)
    system.live([reported("m1", START_NS + 1, 160), status("m1", START_NS + 1, online=False)], "new")
    before = system.rows("machine")
    rebuilt(system, "--from-archive", str(moved), "--from-archive", str(system.archive))
    rebuilt(system, "--from-archive", str(moved))
    assert system.rows("machine") == before
    assert '"A1":160' in before[0][2]


def test_torn_and_damaged_files_lose_only_their_damaged_lines(system: System) -> None:
    live_day(system)
    before = system.points()
    first, second, *_ = sorted(system.archive.iterdir())
    with first.open("ab") as file:
        file.write(b'{"t_ns":1,"at')  # the power went
    rebuilt(system)

    lines = second.read_bytes().splitlines(keepends=True)
    lines[2] = b'{"t_ns":[1],"topic":5}\n'
    lines[3:3] = [b"\x00" * 5_000_000 + b"\n"]
    second.write_bytes(b"".join(lines))
    system.lose_influx()
    said = rebuilt(system, code=1)
    assert [(Path(d["file"]).name, d["line"]) for d in said["damaged"]] == [
        (second.name, 3),
        (second.name, 4),
    ]
    assert said["differences"] == []
    assert len(json.dumps(system.points())) > len(json.dumps(before)) * 0.8
    shown = system.call("rebuild")
    assert (shown.exit_code, f"{second.name}, line 3: not a capture line" in shown.stdout) == (1, True)


def test_what_influxdb_does_not_hold_is_told_and_status_is_1(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_day(system)

    def away(*_words: object) -> None:
        raise QueryError("InfluxDB does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(proof, "differences", away)
        assert system.call("rebuild").exit_code == 1  # all is read, and nothing proven
    system.ask("DELETE FROM \"payout\" WHERE machine = 'm2'")
    said = rebuilt(system, code=1)
    (one,) = said["differences"]
    assert (one["machine"], one["kind"], one["read"], one["stored"], one["read_minor"]) == (
        "m2",
        "payout",
        1,
        0,
        50,
    )
    assert "Run again with --restart" in system.call("rebuild").stdout
    assert rebuilt(system, "--restart")["differences"] == []


_KILLED = """
import os, signal, sys
from cloud.__main__ import main
from cloud.rebuild import replay, tally
left = int(sys.argv.pop(1))
def dies(name, real):
    def step(*words, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*words, **named)
    return step
replay._BATCH_MESSAGES = 7
replay.Store.keep = dies("store", replay.Store.keep)
tally.Tally.keep = dies("tally", tally.Tally.keep)
main()
"""


def _killed_after(system: System, steps: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(steps), "--config", str(system.config), "rebuild", "--json"],
        capture_output=True,
        check=False,
        preexec_fn=die_with_parent,
    )
    return done.returncode


def test_killed_at_several_points_it_goes_on_and_ends_the_same(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    """Before and after the store has a batch, each time a little further."""
    live_day(system)
    before = everything(system)
    whole = rebuilt(system)
    system.lose_influx()
    for path in system.data.glob("store.*"):
        path.unlink()
    kills = [_killed_after(system, steps) for steps in (1, 5, 9)]
    assert kills == [-signal.SIGKILL] * 3
    done = system.call("rebuild", "--json")
    assert "goes on at" in caplog.text
    assert json.loads(done.stdout) == whole
    assert everything(system) == before
    assert list(system.data.glob("rebuild.db*")) == []


def test_a_day_goes_on_while_it_is_rebuilt(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sale of a day that is compared comes after the archive was read: it is no difference."""
    live_day(system)
    real = proof.differences
    came: list[str] = []

    async def differences(*words: Any) -> AsyncIterator[proof.Difference]:  # noqa: ANN401  # as they are
        async with Influx(InfluxSettings(url=system.url, database=system.database)) as influx:
            came.append(record_line(parse_record(sale("m2", 960))))
            assert await influx.write(came) == {}
        async for one in real(*words):
            yield one

    monkeypatch.setattr(proof, "differences", differences)
    assert rebuilt(system)["differences"] == []
    assert came


def test_revoked_machines_lose_nothing_that_was_stored_and_gain_nothing(system: System) -> None:
    """Stored, revoked, refused, joined again, stored: and the same with the store's letters lost."""
    s = 10**9

    def said(seq: int, at_s: int, machine: str = "m1") -> Arrived:
        return arrived(machine, sale(machine, seq), at_ns=START_NS + at_s * s)

    def issue(serial: str, at_s: int, machine: str = "m1") -> None:
        row = Issued(serial, machine, b"k", "pem", 0, 2**62, START_NS + at_s * s, "join", "me")
        with closing(Register(system.data / "store.db")) as register, register.transaction():
            register.add(row)

    def revoke(machine: str, at_s: int) -> None:
        with closing(Register(system.data / "store.db")) as register:
            register.revoke(machine, "stolen", START_NS + at_s * s)

    system.live([said(1, -1, "m2")], "p0")
    issue("01", 0)
    issue("03", 0, "m2")
    system.live([said(1, 10), said(2, 99)], "p1")
    revoke("m1", 100)
    system.live([said(3, 101), said(2, 150), said(4, 200)], "p2")  # a thief
    issue("02", 300)
    system.live([said(3, 310), said(5, 320)], "p3")
    system.live([said(2, 402, "m2")], "p4")  # the cloud did not know yet
    revoke("m2", 400)
    system.live([said(3, 500, "m2")], "p5")
    before = everything(system)
    for machine, numbers in (("m1", [1, 2, 3, 5]), ("m2", [1, 2])):
        (series,) = system.ask(f"SELECT seq FROM sale WHERE machine = '{machine}'")["results"][0]["series"]
        assert [row[1] for row in series["values"]] == numbers
    system.lose_influx()
    assert rebuilt(system)["dead_letters"] == 4
    assert everything(system) == before


@pytest.mark.parametrize(
    ("at", "denied"), [(5, False), (10, False), (20, True), (29, True), (30, False), (40, True)]
)
def test_who_was_revoked_when(at: int, denied: bool) -> None:
    assert denied_at([(10, 20), (30, 40)], at) is denied


def test_usage_and_an_archive_that_is_not_there(system: System) -> None:
    assert system.call("rebuild", "--from-archive", "/nowhere").exit_code == 2
    done = system.call("rebuild")
    assert done.exit_code == 1
    assert "no capture files" in done.stderr
    live_day(system)
    with (system.data / "rebuild.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = system.call("rebuild")
        assert (done.exit_code, "another rebuild is running" in done.stderr) == (1, True)


@pytest.mark.parametrize("batch", [1, 500])
def test_a_copied_journal_is_refused_again_whoever_took_its_records_in(
    system: System, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """The first of a number is stored, the second is not, in one batch of the rebuild or in several."""
    monkeypatch.setattr("cloud.rebuild.replay._BATCH_MESSAGES", batch)

    def said(seq: int, at_s: int, price_minor: int) -> Arrived:
        made_ns = START_NS + seq * 10**9 + price_minor
        return arrived(
            "m1", sale("m1", seq, at_ns=made_ns, paid_minor=price_minor), at_ns=START_NS + at_s * 10**9
        )

    system.live([said(1, 1, 10), said(2, 3, 20)], "z", batch=1)
    system.live([said(2, 4, 99), said(3, 5, 30)], "a", batch=1)
    before = everything(system)
    assert len(before["refused_record"]) == 0
    assert len(before["dead_letter"]) == 1
    system.lose_influx()
    rebuilt(system)
    assert everything(system) == before
    system.lose_influx()
    for path in system.data.glob("store.*"):
        path.unlink()
    rebuilt(system)
    assert everything(system) == before
