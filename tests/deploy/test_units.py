"""The systemd units: what systemd says of them, and real programs under their system call filters."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.config import CloudSettings, InfluxSettings
from deploy.demo.fleet import buy, wait_for
from deploy.demo.machine import SimulatedMachine
from deploy.demo.network import Link
from deploy.demo.servers import Broker, die_with_parent
from edge.config import EdgeSettings
from shared.settings import load
from tests.cloud.far_end import Machine
from tests.cloud.records import sale
from tests.deploy.sandbox import settings
from tests.helpers import eventually

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "systemd"
UNITS = sorted(path.name for path in FOLDER.glob("*.service"))
PROGRAMS = [name for name in UNITS if name != "vend-broker-reload.service"]
EXPOSURE = "20"  # tenths
Run = Callable[..., subprocess.CompletedProcess[str]]


def _analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def _instance(folder: Path, name: str) -> Path:
    """The unit as systemd would start it, its program replaced by one that is here."""
    unit = folder / name.replace("@", "@2")
    text = (FOLDER / name).read_text()
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    return unit


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_sandboxed_and_systemd_understands_every_line(name: str, tmp_path: Path) -> None:
    unit = _instance(tmp_path, name)
    score = _analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(unit))
    assert score.returncode == 0, score.stdout[-200:]
    checked = _analyze("verify", str(unit))
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_path_unit_starts_the_reload() -> None:
    assert _analyze("verify", str(FOLDER / "vend-broker-reload.path")).stderr == ""
    cloud = load(CloudSettings, ROOT / "deploy/samples/cloud.toml")
    watched = settings(FOLDER / "vend-broker-reload.path")["PathChanged"]
    assert watched == [str(cloud.identity.broker_dir / name) for name in ("acl", "crl.pem")]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_watched_and_started_again_whatever_ended_it(name: str) -> None:
    unit = settings(FOLDER / name)
    assert unit["Type"] == ["notify"]
    assert "WatchdogSec" in unit
    assert unit["Restart"] == ["always"]
    assert unit["StartLimitIntervalSec"] == ["0"], "it is never given up: nobody is there to start it"
    assert unit["User"] != ["root"]


def test_the_samples_write_where_the_units_let_them() -> None:
    edge = load(EdgeSettings, ROOT / "deploy/samples/edge.toml")
    unit = settings(FOLDER / "vend-edge.service")
    assert str(edge.data_dir) == f"/var/lib/{unit['StateDirectory'][0]}"
    assert str(edge.status_file.parent) == f"/run/{unit['RuntimeDirectory'][0]}"
    cloud = load(CloudSettings, ROOT / "deploy/samples/cloud.toml")
    unit = settings(FOLDER / "vend-cloud.service")
    assert str(cloud.data_dir) == f"/var/lib/{unit['StateDirectory'][0]}"
    signer = settings(FOLDER / "vend-signer.service")
    writes = f"{signer['ReadWritePaths'][0]} /var/lib/{signer['StateDirectory'][0]}".split()
    assert {str(cloud.data_dir), str(cloud.identity.broker_dir)} <= set(writes)
    for sample, folder in (("edge", edge.data_dir), ("cloud", cloud.data_dir)):
        text = (ROOT / f"deploy/samples/{sample}.toml").read_text()
        (certificate,) = re.findall(r'^#certificate = "(.*)/[a-z]+\.pem"', text, re.MULTILINE)
        assert certificate == str(folder), "what renews itself stands in the folder of its program"


def _confined(name: str, *command: str, log: Path) -> subprocess.Popen[bytes]:
    sandbox = (sys.executable, "-m", "tests.deploy.sandbox", str(FOLDER / name))
    with log.open("ab") as out:
        return subprocess.Popen(
            [*sandbox, sys.executable, *command],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # one call into libc, no locks
        )


def _said(process: subprocess.Popen[bytes], log: Path) -> str:
    process.terminate()
    assert process.wait(20) == 0, log.read_text()
    return log.read_text()


def test_a_machine_sells_under_the_system_call_filter(tmp_path: Path, broker: Broker) -> None:
    log = tmp_path / "edge.log"
    with (
        Link(broker.host, broker.port) as link,
        SimulatedMachine("m1", tmp_path / "m1", link, motor_run_s=0.05) as machine,
    ):
        words = ("-m", "edge", "--config", str(machine.config), "run")
        process = _confined("vend-edge.service", *words, log=log)
        try:
            wait_for("coins", lambda: machine.status() and machine.takes_coins())
            buy(machine, "A1", [100, 50])
            eventually(lambda: machine.status()["link_up"])
        finally:
            said = _said(process, log)
        assert "ERROR" not in said
        assert machine.journal().sales == 1


_CLOCK = """
import ctypes
from shared.clock import SystemClock
print(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)) >= 0, SystemClock().now().trust)
"""


def test_a_machine_may_ask_whether_its_clock_is_right(tmp_path: Path) -> None:
    """A filter that forbids it makes every time an estimate for ever."""
    outside = subprocess.run(
        [sys.executable, "-c", _CLOCK], cwd=ROOT, capture_output=True, text=True, check=True
    )
    log = tmp_path / "log"
    assert _confined("vend-edge.service", "-c", _CLOCK, log=log).wait(20) == 0
    assert log.read_text() == outside.stdout
    assert log.read_text().startswith("True")
    assert "ProtectClock" not in settings(FOLDER / "vend-edge.service")


def test_the_cloud_stores_a_sale_under_the_system_call_filter(
    tmp_path: Path, broker: Broker, influx: InfluxSettings, machine: str
) -> None:
    config, log = tmp_path / "cloud.toml", tmp_path / "cloud.log"
    config.write_text(
        f'data_dir = "{tmp_path}/data"\n[mqtt]\nport = {broker.port}\n'
        f'[influx]\nurl = "{influx.url}"\ndatabase = "{influx.database}"\n'
    )
    words = ("-m", "cloud", "--config", str(config), "run")
    process = _confined("vend-cloud.service", *words, log=log)
    try:
        with Machine(machine, broker.port) as far:
            eventually(lambda: "connected to" in log.read_text())
            far.send(sale(machine, 1))
            eventually(lambda: far.stored() == {1})
    finally:
        said = _said(process, log)
    assert "Traceback" not in said


def test_the_sandbox_of_these_tests_denies(tmp_path: Path) -> None:
    """Or the tests above would prove nothing: neither root nor a page that is written and run."""
    program = (
        "import mmap, os\n"
        "for forbidden in (lambda: os.chroot('/'), lambda: os.setuid(1),\n"
        "                  lambda: mmap.mmap(-1, 9, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)):\n"
        "    try:\n        forbidden()\n    except PermissionError:\n        print('denied')\n"
    )
    log = tmp_path / "log"
    assert _confined("vend-edge.service", "-c", program, log=log).wait(20) == 0
    assert log.read_text() == "denied\n" * 3
