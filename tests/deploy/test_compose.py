"""compose.yaml without Docker: what it says, the files it mounts, its first run and its broker for real."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from cloud.config import CloudSettings
from deploy.demo.servers import Broker
from shared.servers import program
from shared.settings import load
from tests.deploy.plain_yaml import parse
from tests.helpers import eventually

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy"
WHOLE: Final[dict[str, Any]] = parse((FOLDER / "compose.yaml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = WHOLE["services"]
RUNNING: Final = {name: service for name, service in SERVICES.items() if "profiles" not in service}
PINNED = re.compile(r"[a-z/-]+:\d+\.\d+\.\d+(-[a-z-]+)?")
NAMES: Final = ("broker", "cloud", "grafana", "influxdb", "signer")


def _mounts(service: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Source, place, mode."""
    parts = (line.split(":") for line in service.get("volumes", ()))
    return [(source, place, *(mode or ["rw"])) for source, place, *mode in parts]


def test_what_runs() -> None:
    assert sorted(RUNNING) == sorted([*NAMES, "dashboards"])


@pytest.mark.parametrize("name", [*NAMES, "dashboards", "setup"])
def test_a_service_is_pinned_hardened_and_not_root(name: str) -> None:
    service = SERVICES[name]
    assert PINNED.fullmatch(service["image"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("user", "10001") not in {"0", "root", "0:0"}
    assert "privileged" not in service


@pytest.mark.parametrize("name", NAMES)
def test_a_service_is_looked_after(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["logging"]["options"]["max-size"]


def test_only_what_machines_and_people_need_is_reached_from_outside() -> None:
    ports = {name: service["ports"] for name, service in RUNNING.items() if "ports" in service}
    assert ports == {"broker": ["8883:8883"], "signer": ["8884:8884"], "grafana": ["127.0.0.1:3000:3000"]}
    assert SERVICES["influxdb"]["networks"] == ["inside"]
    assert WHOLE["networks"]["inside"] == {"internal": True}


def test_every_file_is_there_and_every_volume_is_declared_and_used() -> None:
    mounted = {source for service in SERVICES.values() for source, _, _ in _mounts(service)}
    files = {source for source in mounted if source.startswith(".")}
    assert [source for source in sorted(files) if not (FOLDER / source).exists()] == []
    assert mounted - files == WHOLE["volumes"].keys()
    read_only = {mode for s in SERVICES.values() for source, _, mode in _mounts(s) if source in files}
    assert read_only == {"ro"}
    assert (FOLDER / WHOLE["services"]["cloud"]["build"]["dockerfile"].removeprefix("deploy/")).exists()


def test_only_the_signer_has_the_authority() -> None:
    assert [name for name, service in RUNNING.items() for s, _, _ in _mounts(service) if s == "ca"] == [
        "signer"
    ]


def _environment(made: dict[str, str], name: str) -> dict[str, str]:
    """As Docker gives it to a service."""

    def known(match: re.Match[str]) -> str:
        return made[match[1]]

    values: dict[str, str] = SERVICES[name].get("environment", {})
    return {key: re.sub(r"\$\{(\w+):\?run first-run\.sh\}", known, value) for key, value in values.items()}


def test_no_secret_stands_in_a_file_and_grafana_knows_its_variables() -> None:
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            if re.search("SECRET|PASSWORD|TOKEN", key):
                assert re.fullmatch(r"\$\{[A-Z_]+:\?run first-run\.sh\}", value), key
    wanted = {
        variable
        for path in (FOLDER / "grafana/provisioning").rglob("*.yaml")
        for variable in re.findall(r"\$\{?(VEND_\w+|INFLUX_\w+)", path.read_text())
    }
    assert wanted <= SERVICES["grafana"]["environment"].keys()


def test_grafana_reads_what_is_printed_for_the_operators_zone(tmp_path: Path) -> None:
    service = SERVICES["dashboards"]
    (volume, place, _), *none = _mounts(service)
    assert not none
    assert (volume, "/etc/grafana/provisioning", "ro") in _mounts(SERVICES["grafana"])
    assert SERVICES["grafana"]["depends_on"]["dashboards"] == {"condition": "service_completed_successfully"}
    values = {place: str(tmp_path), "${TIME_ZONE:?run first-run.sh}": "Asia/Kolkata"}
    command = [sys.executable, *(values.get(word, word) for word in service["entrypoint"][1:])]
    subprocess.run(command, check=True, cwd=ROOT)
    assert "tz('Asia/Kolkata')" in "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert "TIME_ZONE" in SERVICES["cloud"]["environment"]["VEND_CLOUD_REPORTS__TIME_ZONE"]


# ---- the first run, with this Python in the place of Docker

_DOCKER = """#!/bin/sh
echo "$@" >>'{folder}/called'
case "$*" in
*" run --rm --no-deps setup "*)
    while [ "$1" != setup ]; do shift; done
    shift
    exec '{python}' -m cloud --config '{folder}/cloud.toml' "$@"
    ;;
*" build cloud") ;;
*) echo "not expected: $*" >&2; exit 9 ;;
esac
"""


class FirstRun:
    """The container's places in a folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.env = folder / "deploy/.env"
        self.places = {
            place: folder / source
            for source, place, _ in _mounts(SERVICES["setup"])
            if not source.startswith(".")
        }
        (folder / "deploy").mkdir()
        for name in ("first-run.sh", "compose.yaml"):
            (folder / "deploy" / name).write_text((FOLDER / name).read_text())
        for path in self.places.values():
            path.mkdir(mode=0o700)
        settings = (FOLDER / "compose/cloud.toml").read_text()
        for place, path in self.places.items():
            settings = settings.replace(f'"{place}', f'"{path}')
        settings = settings.replace('host = "broker"', 'host = "127.0.0.1"').replace("8883", str(port))
        (folder / "cloud.toml").write_text(settings)
        (folder / "docker").write_text(_DOCKER.format(folder=folder, python=sys.executable))
        (folder / "docker").chmod(0o755)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(self.folder / "deploy/first-run.sh"), *words],
            env={**os.environ, "COMPOSE": f"{self.folder}/docker"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    def cloud(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cloud", "--config", str(self.folder / "cloud.toml"), *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    def made(self) -> dict[str, str]:
        lines = (line for line in self.env.read_text().splitlines() if not line.startswith("#"))
        return dict(line.split("=", 1) for line in lines)


class ComposedBroker(Broker):
    """Started as in its container: by broker.sh, with the project's configuration."""

    first_run: FirstRun

    def command(self) -> list[str]:
        text = (ROOT / "mosquitto/mosquitto.conf").read_text()
        for place in ("/etc/vendlink", "/var/lib/mosquitto"):
            (source,) = (s for s, at, _ in _mounts(SERVICES["broker"]) if at == place)
            text = text.replace(place, str(self.first_run.folder / source))
        text = text.replace("listener 8883", f"listener {self.port} {self.host}")
        conf = self.folder / "mosquitto.conf"
        conf.write_text(f"{text}\nuser root\n")  # as who runs the tests; the container's user is 1883
        script = FOLDER / SERVICES["broker"]["entrypoint"][1].replace("/", "compose/", 1)
        return ["sh", str(script), str(conf), str(self.first_run.folder / "broker")]


@contextmanager
def _broker(folder: Path) -> Iterator[tuple[FirstRun, ComposedBroker]]:
    broker = ComposedBroker(folder / "mosquitto", "")
    broker.first_run = FirstRun(folder, broker.port)
    yield broker.first_run, broker


def test_from_nothing_to_a_broker_that_obeys_a_revocation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mosquitto = Path(program("VEND_MOSQUITTO", "mosquitto"))
    monkeypatch.setenv("PATH", f"{mosquitto.parent}:{os.environ['PATH']}")
    with _broker(tmp_path) as (first, broker):
        done = first.run("127.0.0.1", "Europe/Berlin")
        assert done.returncode == 0, done.stderr
        assert stat.S_IMODE(first.env.stat().st_mode) == 0o600
        made = first.made()
        secrets = [value for name, value in made.items() if re.search("SECRET|TOKEN", name)]
        assert len(secrets) == len(set(secrets)) == 5
        assert all(re.fullmatch(r"[0-9a-f]{48}", secret) for secret in secrets)
        for name in NAMES:
            assert "${" not in str(_environment(made, name))
        with pytest.MonkeyPatch.context() as patch:
            for name in ("cloud", "signer"):
                for key, value in _environment(made, name).items():
                    patch.setenv(key, value)
            settings = load(CloudSettings, FOLDER / "compose/cloud.toml")
        assert settings.identity.join_url == "https://127.0.0.1:8884"
        assert settings.reports.time_zone == "Europe/Berlin"
        assert (settings.influx.url, settings.influx.database) == (
            made["INFLUX_URL"],
            made["INFLUX_DATABASE"],
        )
        assert stat.S_IMODE((tmp_path / "broker/broker.key").stat().st_mode) == 0o640

        before = first.env.read_text()
        again = first.run("127.0.0.1")
        assert (again.returncode, "nothing was changed" in again.stderr) == (1, True)
        assert first.env.read_text() == before

        with broker:
            assert first.cloud("provision", "m1").returncode == 0
            revoked = first.cloud("revoke", "m1", "--reason", "stolen")
            assert (revoked.returncode, revoked.stdout) == (0, "m1 revoked\n"), revoked.stderr
            assert "the broker denies it everything" in revoked.stderr
        eventually(lambda: not broker.is_ready(), 5)  # it ends with its script


def test_a_first_run_that_was_cut_off_says_what_to_do_and_leaves_no_secrets(tmp_path: Path) -> None:
    first = FirstRun(tmp_path, 8883)
    assert first.cloud("ca", "init").returncode == 0
    done = first.run("broker.example")
    assert done.returncode == 1
    assert "it is never made anew" in done.stderr
    assert "docker volume rm" in done.stderr
    (rm,) = re.findall(r"docker volume rm (.+)", done.stderr)
    assert set(rm.split()) == {f"{WHOLE['name']}_{path.name}" for path in first.places.values()}
    assert not list(first.env.parent.glob(".env*"))


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        *((words, "broker.example") for words in [(), ("--help",), ("a b",), ("x;y",)]),
        (("broker.example", "Berlin;"), "Europe/Berlin"),
    ],
    ids=str,
)
def test_a_first_run_wants_a_name(tmp_path: Path, words: tuple[str, ...], remedy: str) -> None:
    first = FirstRun(tmp_path, 8883)
    done = first.run(*words)
    assert (done.returncode, remedy in done.stderr) == (2, True)
    assert not (tmp_path / "called").exists()


def test_secrets_are_never_committed() -> None:
    secret = ["deploy/.env", "deploy/.env.new"]
    done = subprocess.run(
        ["git", "check-ignore", "deploy/.env", "deploy/.env.new"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == secret
