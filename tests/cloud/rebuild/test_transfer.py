"""Everything out of one system and into an empty one: every command says the same there."""

import json
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cloud.commands import keys
from cloud.commands.table import CommandTable
from cloud.database import connect
from cloud.desk import Seat
from cloud.identity.register import Issued, Register
from cloud.points import record_line
from cloud.transfer import tables
from deploy.demo.servers import Influx as InfluxServer
from deploy.demo.servers import die_with_parent
from shared import commands as wire
from shared.records import parse_record
from tests.cloud.rebuild.day import MACHINES, System, live_day, records_of, write
from tests.cloud.records import START_NS, sale

PERIOD = ("--from", "2026-09-01", "--to", "2026-12-31")
READS = (
    *(("csv", sheet, *PERIOD) for sheet in ("sales", "cash", "stock", "refills", "failures")),
    ("prices", "show", "--json"),
    ("disagreements", "--json"),
    ("history", "--json"),
    ("machines", "--json"),
    ("dead-letters", "--json"),
    ("commands", "--json"),
    ("identities", "--json"),
    ("books", "--json"),
    ("collections", "--json"),
    ("export-plan",),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with InfluxServer(tmp_path_factory.mktemp("influxd")) as running:
        yield running


@pytest.fixture
def system(tmp_path: Path, server: InfluxServer) -> System:
    """A day's life: sales by all tenders, a jam, a refund, a visit, new prices, a command, a thief."""
    made = System(tmp_path / "old", server.url, f"d{secrets.token_hex(4)}")
    live_day(made)
    for words in ("prices set --all A1=1.70", "prices set --machine m1 --card A2=0.95", "undo"):
        assert made.call(*words.split()).exit_code == 0
    keys.make(made.data / "keys", "desk", "operator")
    with closing(CommandTable(made.data / "store.db")) as commands:
        header = wire.Header(machine="m1", id="0" * 32, issued_ns=START_NS, expires_ns=START_NS + 1)
        order = wire.Order(header, wire.Support())
        commands.add(order, b"\x00\xff envelope", key="desk", role="operator", who="me")
    assert made.call("count", "B 1", "25.00", "--machine", "m1").exit_code == 0
    with closing(Register(made.data / "store.db")) as register, register.transaction():
        register.add(Issued("01", "m3", b"\x30", "-----BEGIN", 0, 2**62, START_NS, "join", "me"))
    return made


@pytest.fixture
def empty(tmp_path: Path, server: InfluxServer) -> System:
    return System(tmp_path / "new", server.url, f"d{secrets.token_hex(4)}")


def said(system: System) -> dict[str, str]:
    found = {}
    for words in READS:
        done = system.call(*words)
        assert done.exit_code == (1 if words[0] in {"disagreements", "books"} else 0), (words, done.stderr)
        found[" ".join(words)] = re.sub(r'"(first|last)_heard_ns": \d+', "", done.stdout)
    return found


def test_every_command_says_the_same_in_the_new_system(system: System, empty: System, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    out = system.call("export-all", str(folder), "--json")
    assert out.exit_code == 0, out.stderr
    done = empty.call("import-all", str(folder))
    assert done.exit_code == 0, (done.stdout, done.stderr)
    assert "every total is that of the export" in done.stdout
    assert said(empty) == said(system)
    assert empty.points() == system.points()
    with closing(connect(system.data / "store.db")) as db:
        for table in tables.names(db):
            assert empty.rows(table) == system.rows(table), table
    assert {"dirty_hour", "unmarked_past", "invitation", "share_group"} == set(tables.LEFT_OUT)

    again = empty.call("export-all", str(tmp_path / "again"), "--json")
    first, second = (json.loads(each.stdout) for each in (out, again))
    assert {**first, "made_at": 0} == {**second, "made_at": 0}
    assert len(first["kinds"]) == 12
    assert sum(first["tables"].values()) > 30
    assert not [path for path in folder.rglob("*.*") if b"PRIVATE" in path.read_bytes()]
    refused = empty.call("import-all", str(folder))
    assert (refused.exit_code, "is not empty" in refused.stderr) == (1, True)


@pytest.mark.parametrize("rest", ["store", "archive", "influx"])
def test_a_system_that_is_not_empty_is_refused(
    system: System, empty: System, tmp_path: Path, rest: str
) -> None:
    assert system.call("export-all", str(tmp_path / "out")).exit_code == 0
    live_day(empty)
    if rest != "influx":
        empty.lose_influx()
    if rest != "store":
        for path in empty.data.glob("store.*"):
            path.unlink()
    if rest != "archive":
        shutil.rmtree(empty.archive)
    done = empty.call("import-all", str(tmp_path / "out"))
    assert (done.exit_code, "is not empty" in done.stderr) == (1, True)


@pytest.mark.parametrize("name", ["tables/dead_letter.jsonl", "archive", "manifest.json"])
def test_a_file_that_was_changed_is_refused_before_anything_is_done(
    system: System, empty: System, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "out"
    assert system.call("export-all", str(folder)).exit_code == 0
    path = next((folder / name).iterdir()) if name == "archive" else folder / name
    path.write_bytes(path.read_bytes()[:-1])
    done = empty.call("import-all", str(folder))
    assert done.exit_code == 1
    assert path.name in done.stderr
    assert not empty.data.exists()


def test_a_file_name_cannot_lead_out_of_the_folder(system: System, empty: System, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert system.call("export-all", str(folder)).exit_code == 0
    raw = json.loads((folder / "manifest.json").read_text())
    raw["files"]["archive/../../x"] = raw["files"]["plan.toml"]
    (folder / "manifest.json").write_text(json.dumps(raw))
    done = empty.call("import-all", str(folder))
    assert (done.exit_code, "no manifest that this version reads" in done.stderr) == (1, True)


_DIES = """
import os, signal, sys
from cloud.__main__ import main
from cloud.rebuild import replay
from cloud.transfer import arrive
left = int(sys.argv.pop(1))
def dies(real):
    def step(*words, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*words, **named)
    return step
replay._BATCH_MESSAGES = 7
arrive.tables.load = dies(arrive.tables.load)
arrive.shutil.copyfile = dies(arrive.shutil.copyfile)
replay.Store.keep = dies(replay.Store.keep)
main()
"""


def test_killed_at_several_points_an_import_goes_on(system: System, empty: System, tmp_path: Path) -> None:
    """While tables are loaded, while the archive is copied, and while it is read."""
    folder = tmp_path / "out"
    assert system.call("export-all", str(folder)).exit_code == 0
    files = len(list((folder / "archive").iterdir()))
    with closing(connect(system.data / "store.db")) as db:
        loads = len(tables.names(db))
    for steps in (5, loads + 1, loads + files + 3):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                _DIES,
                str(steps),
                "--config",
                str(empty.config),
                "import-all",
                str(folder),
            ],
            capture_output=True,
            check=False,
            preexec_fn=die_with_parent,
        )
        assert done.returncode == -signal.SIGKILL
    assert empty.call("import-all", str(folder)).exit_code == 0
    assert said(empty) == said(system)
    assert empty.points() == system.points()


def test_what_the_archive_has_not_is_counted_and_told(system: System, tmp_path: Path) -> None:
    """And what came after the export had looked at the archive is not counted."""
    first = min(system.archive.iterdir())
    shutil.move(first, tmp_path / first.name)
    done = system.call("export-all", str(tmp_path / "out"), "--json")
    assert done.exit_code == 1
    there = json.loads(done.stdout)["records"]
    missing = len(MACHINES) * (len(records_of("m1")) + 1) - there
    assert json.loads(done.stdout)["absent"] == missing > 10
    assert f"{missing} records are in InfluxDB and not in the archive" in done.stderr

    shutil.move(tmp_path / first.name, first)
    write(system, record_line(parse_record(sale("m1", 999))))
    assert system.call("export-all", str(tmp_path / "out2")).exit_code == 0
    system.ask('DELETE FROM "refund"')
    done = system.call("export-all", str(tmp_path / "out3"))
    assert (done.exit_code, "`vend-cloud rebuild`" in done.stderr) == (1, True)


def test_a_running_cloud_keeps_an_import_out(system: System, empty: System, tmp_path: Path) -> None:
    assert system.call("export-all", str(tmp_path / "out")).exit_code == 0
    assert system.call("export-all", str(tmp_path / "out")).exit_code == 1  # never over another one
    empty.data.mkdir()
    with closing(Seat(empty.data / "desk.lock")) as seat:
        assert seat.take()
        done = empty.call("import-all", str(tmp_path / "out"))
        assert (done.exit_code, "`vend-cloud run` works" in done.stderr) == (1, True)
