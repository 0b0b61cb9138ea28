"""The runbook: every command in it is one, and what it says of backup and restore brings everything back."""

import json
import os
import re
import secrets
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest

from cloud.__main__ import main as vend_cloud
from cloud.commands import keys
from cloud.identity.register import Register
from deploy.demo.servers import Influx as InfluxServer
from edge.__main__ import main as vend_edge
from tests.cloud.rebuild.day import MACHINES, System, live_day, messages_of
from tests.deploy.plain_yaml import parse

ROOT = Path(__file__).parents[2]
RUNBOOK = ROOT / "deploy/RUNBOOK.md"
PROGRAMS = {"vend-cloud": vend_cloud, "vend-edge": vend_edge}
NAMED = {"vend-cloud export-all", "vend-cloud invite"}  # and not to be typed as it stands there
BACKUP = "vend-cloud backup --out /backup/vendlink --keys"


def _code(text: str) -> Iterator[str]:
    """Lines of blocks, and what stands between backquotes."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for block in blocks:
        yield from (line.partition("  #")[0] for line in block.splitlines())
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose))


def _commands(text: str) -> list[str]:
    parts = (part.strip() for code in _code(text) for part in re.split(r"&&|;|'", code))
    found = (re.fullmatch(r"(?:\w+=\S+ )?(vend-(?:cloud|edge) [^…]+)", part) for part in parts)
    return sorted({match[1] for match in found if match})


COMMANDS = _commands(RUNBOOK.read_text())


def test_the_commands_are_found() -> None:
    assert len(COMMANDS) > 30
    assert BACKUP in COMMANDS
    assert "vend-edge why 4711" in COMMANDS
    assert "vend-cloud ca init" in COMMANDS


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_one(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words are read as the program reads them; nothing is done, and files need not be there."""
    monkeypatch.setattr(click.Path, "convert", lambda _self, value, _parameter, _context: Path(value))
    program, *words = shlex.split(line)
    command: click.Command = PROGRAMS[program]
    context = click.Context(command)
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        if isinstance(found, click.Group) and not words:
            return  # such as `vend-cloud ca`, said of all that is in it
        context = click.Context(found, info_name=name, parent=context)
        command = found
    if words == [] and any(p.required for p in command.params):
        assert line in NAMED
        return
    command.make_context(context.info_name, list(words), parent=context.parent)


def test_a_line_that_is_no_command_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in (
        "vend-cloud books --machin m1",
        "vend-edge why",
        "vend-cloud bookz",
        "vend-cloud count B-17",
    ):
        with pytest.raises((click.ClickException, AssertionError)):
            test_a_command_is_one(line, monkeypatch)


def test_every_file_that_it_names_is_there() -> None:
    named = set(re.findall(r"(?:docs|deploy|mosquitto|tests)/[\w/.-]+\.\w+", RUNBOOK.read_text()))
    assert len(named) > 6
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_unit_and_service_that_it_names_is_there() -> None:
    text = RUNBOOK.read_text()
    for line in re.findall(r"systemctl [a-z]+ (?:--now )?([^`\n#,;|]+)", text):
        for name in line.split():
            unit = re.sub(r"@\d$", "@", name)
            ours = ROOT / "deploy/systemd" / (unit if "." in unit else f"{unit}.service")
            assert ours.exists() or unit in {"mosquitto", "influxdb"}, name
    services = parse((ROOT / "deploy/compose.yaml").read_text())["services"].keys()
    named = set(re.findall(r"(?:\.yaml |`)(?:exec|logs|restart|run --rm --no-deps) ([a-z]+)\b", text))
    assert {"cloud", "signer", "setup"} <= named <= services


# ---- backup and restore


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with InfluxServer(tmp_path_factory.mktemp("influxd")) as running:
        yield running


class Computer(System):
    """A cloud's computer: its folders stand for those of the runbook."""

    def __init__(self, folder: Path, server: InfluxServer) -> None:
        super().__init__(folder, server.url, f"d{secrets.token_hex(4)}")
        self.places = {
            "/var/lib/vendlink-cloud": self.data,
            "/var/lib/vendlink-ca": folder / "ca",
            "/backup/vendlink": folder.parent / "backup",
        }
        broker = folder / "broker"
        for path in (self.data, folder / "ca", broker):
            path.mkdir(mode=0o700)
        with self.config.open("a") as config:
            config.write(
                f'[identity]\nca_dir = "{folder}/ca"\nbroker_dir = "{broker}"\nbroker_reload = []\n'
                f'[mqtt.tls]\nca = "{broker}/ca.crt"\ncertificate = "{self.data}/cloud.pem"\n'
            )
        self.programs = folder / "bin"
        self.programs.mkdir()
        vend = f'#!/bin/sh\nexec {sys.executable} -m cloud --config {self.config} "$@"\n'
        for name, text in {"vend-cloud": vend, "chown": "#!/bin/sh\n", "systemctl": "#!/bin/sh\n"}.items():
            (self.programs / name).write_text(text)
            (self.programs / name).chmod(0o755)

    def type(self, lines: str) -> None:
        """Lines of the runbook, by a shell; users and services are not those of this computer."""
        for place, path in self.places.items():
            lines = lines.replace(place, str(path))
        done = subprocess.run(
            ["sh", "-euxc", lines],
            cwd=ROOT,
            env={**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def totals(self) -> list[tuple[str, ...]]:
        kinds = json.loads(self.call("rebuild", "--json").stdout)["kinds"]
        return sorted((k["kind"], k["currency"], str(k["count"]), str(k["minor"])) for k in kinds)

    def said(self, *words: str) -> str:
        done = self.call(*words)
        return re.sub(r'"(first|last)_heard_ns": \d+', "", done.stdout) + done.stderr


READS = (
    *(("prices", "show", "--json"), ("history", "--json"), ("identities", "--json"), ("books", "--json")),
    *(("machines", "--json"), ("dead-letters", "--json"), ("collections", "--json"), ("export-plan",)),
)


def test_a_backup_put_back_has_equal_totals(tmp_path: Path, server: InfluxServer) -> None:
    """The lines of the runbook. The backup is made twice, while messages come; the first is a day old."""
    old = Computer(tmp_path / "old", server)
    first, *rest = (messages_of(machine) for machine in MACHINES)
    old.live(first)
    assert old.call("ca", "init").exit_code == 0
    old.type(BACKUP)
    old.live(sorted([m for part in rest for m in part], key=lambda m: m.arrived_ns), "two")
    assert old.call("prices", "set", "--all", "A1=1.70").exit_code == 0
    keys.make(old.data / "keys", "desk", "operator")
    assert old.call("provision", "m1", "--to", str(tmp_path / "m1")).exit_code == 0
    old.type(BACKUP)
    backup = old.places["/backup/vendlink"]
    assert not [path for path in backup.rglob("*") if path.stat().st_mode & 0o077 and path.suffix == ".pem"]

    new = Computer(tmp_path / "new", server)
    (lines,) = re.findall(r"^```sh\n(cp .*?)^```", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    assert old.call("books").exit_code == 1, "the day has a jam, and what a machine still owes"
    new.type(lines.replace("vend-cloud books", "vend-cloud books || true"))
    assert new.totals() == old.totals()
    assert len(new.totals()) == 12
    assert new.points() == old.points()
    for words in READS:
        if words[0] == "identities":  # the new computer has new certificates for broker and cloud
            row = {one["name"]: one for one in json.loads(new.said(*words))}
            assert row["m1"] == json.loads(old.said(*words))[0]
        else:
            assert new.said(*words) == old.said(*words), words
    with closing(Register(new.data / "store.db")) as register:
        assert [issued.serial for issued in register.of("m1")]
    assert (tmp_path / "new/ca/authority.pem").read_bytes() == (
        tmp_path / "old/ca/authority.pem"
    ).read_bytes()
    assert (new.data / "keys/desk.pem").read_bytes() == (old.data / "keys/desk.pem").read_bytes()


def test_only_what_is_new_is_copied_and_a_torn_line_is_no_harm(tmp_path: Path, server: InfluxServer) -> None:
    system = System(tmp_path / "one", server.url, f"d{secrets.token_hex(4)}")
    live_day(system)
    out = ("backup", "--out", str(tmp_path / "backup"), "--json")
    done = json.loads(system.call(*out).stdout)
    assert done["copied_files"] == done["archive_files"] > 3
    assert done["key_files"] == 0
    assert json.loads(system.call(*out).stdout)["copied_files"] == 0
    newest = max(system.archive.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    whole = newest.read_bytes()
    with newest.open("ab") as file:
        file.write(b'{"t_ns": 5')
    assert json.loads(system.call(*out).stdout)["copied_files"] == 1
    newest.write_bytes(whole)  # its writer takes a torn line back
    assert json.loads(system.call(*out).stdout)["copied_files"] == 1
    copies = {path.name: path.read_bytes() for path in (tmp_path / "backup/archive").iterdir()}
    assert copies == {path.name: path.read_bytes() for path in system.archive.iterdir()}


def test_a_damaged_database_does_not_replace_the_backup_that_is_there(
    tmp_path: Path, server: InfluxServer
) -> None:
    system = System(tmp_path / "one", server.url, f"d{secrets.token_hex(4)}")
    live_day(system)
    out = ("backup", "--out", str(tmp_path / "backup"))
    assert system.call(*out).exit_code == 0
    good = (tmp_path / "backup/store.db").read_bytes()
    store = system.data / "store.db"
    damaged = bytearray(store.read_bytes())
    for page in range(3 * 4096, len(damaged), 4096):
        damaged[page : page + 64] = b"\xff" * 64
    store.write_bytes(bytes(damaged))
    done = system.call(*out)
    assert done.exit_code == 1
    assert "the backup that is there was not touched" in done.stderr
    assert (tmp_path / "backup/store.db").read_bytes() == good


def test_two_users_of_a_group_can_share_the_database(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys; os.umask(0o007)\n"
        "from cloud.database import connect, make\n"
        "path = pathlib.Path(sys.argv[1]); make(path); db = connect(path)\n"
        "db.execute('UPDATE share_group SET name = name'); db.commit()\n"
        "print(*sorted(oct(p.stat().st_mode & 0o777) for p in path.parent.iterdir()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "store.db")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == {"0o660"}
