"""`vend-edge` at a simulated machine: real pseudo-terminals, real sockets, the edge as a process."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from deploy.demo.machine import SimulatedMachine
from deploy.demo.network import Link
from edge.__main__ import main
from edge.serial_port import open_port
from edge.sim.bus import Fault, VirtualBus
from edge.sim.motors import Outcome
from edge.sim.pty import PtyServer
from edge.sim.wafer import SimWafer
from tests.helpers import eventually

ROOT = Path(__file__).parents[3]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[SimulatedMachine]:
    link = Link("127.0.0.1", 1)
    link.close()  # nobody listens there any more
    with SimulatedMachine("m1", tmp_path / "m1", link, motor_run_s=0.1) as machine:
        yield machine


@pytest.fixture
def running(machine: SimulatedMachine) -> SimulatedMachine:
    machine.start()
    eventually(machine.takes_coins)
    return machine


def edge(machine: SimulatedMachine, *words: str) -> Result:
    result = CliRunner().invoke(main, ["--config", str(machine.config), *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def curl(path: Path, *words: str) -> dict[str, Any]:
    command = ["curl", "-sS", "--fail-with-body", "--unix-socket", str(path), *words]
    done = subprocess.run(command, capture_output=True, timeout=20, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def buy(machine: SimulatedMachine, slot: str = "A1") -> None:
    """Two euros in, selected at the screen, change out."""
    machine.insert(200)
    eventually(lambda: machine.status()["credit_minor"] == 200)
    curl(machine.folder / "local.sock", "--data", json.dumps({"text": slot}), "http://machine/selection")
    eventually(lambda: machine.status()["sales"] > 0 and machine.status()["phase"] == "idle")


def checks(machine: SimulatedMachine) -> dict[str, dict[str, str]]:
    result = edge(machine, "doctor", "--json")
    found = {check["code"]: check for check in json.loads(result.stdout)}
    assert result.exit_code == any(check["level"] == "trouble" for check in found.values())
    return found


# --- the screen -------------------------------------------------------------------------------------------


def test_a_screen_sells_without_any_network(running: SimulatedMachine) -> None:
    buy(running)
    assert running.hardware().sales == 1
    assert curl(running.folder / "local.sock", "http://machine/status") == running.status()
    assert running.status()["message"] == "thank you"


def test_what_the_customer_is_told_of_a_selection_is_in_the_status(running: SimulatedMachine) -> None:
    curl(running.folder / "local.sock", "--data", '{"text": "12"}', "http://machine/selection")
    eventually(
        lambda: running.status()["phase"] == "idle" and running.status()["message"] == "price 0.90 EUR"
    )
    curl(running.folder / "local.sock", "--data", '{"text": "0001-123456"}', "http://machine/selection")
    eventually(lambda: running.status()["message"] == "this code is not known here")


def test_the_documented_examples_work_when_copied(running: SimulatedMachine) -> None:
    text = (ROOT / "docs/local.md").read_text()
    examples = re.findall(r"^curl .*$", text, re.MULTILINE)
    assert len(examples) == 4
    for example in examples:
        here = example.replace("/run/vendlink", str(running.folder)).replace("curl ", "curl -sS --fail ", 1)
        done = subprocess.run(["sh", "-c", here], capture_output=True, timeout=20, check=True)
        assert json.loads(done.stdout)


def test_sockets_go_with_the_process_and_come_back_after_a_kill(running: SimulatedMachine) -> None:
    sockets = [running.folder / "local.sock", running.folder / "technician.sock"]
    running.kill()
    assert all(path.is_socket() for path in sockets)
    (running.folder / "status.json").unlink()
    running.start()
    eventually(running.status)
    assert curl(sockets[0], "http://machine/status")["machine"] == "m1"
    running.stop()
    assert not any(path.exists() for path in sockets)


# --- status and why ---------------------------------------------------------------------------------------


def test_status_in_words(running: SimulatedMachine) -> None:
    result = edge(running, "status")
    assert (result.exit_code, result.stderr) == (0, "")
    for line in (
        "network   no connection to the broker",
        "customer  idle, credit 0.00 EUR",
        "pay with  cash    yes",
        "          wallet  no: needs the machine's network, which is down",
        "devices   changer    ready",
        "records   3 owed, 0 stored, 0 parked",
        "prices    list 0",
        "slots     A1  200 left at 1.50 EUR",
    ):
        assert line in result.stdout
    assert json.loads(edge(running, "status", "--json").stdout) == running.status()


def test_a_motor_that_fails_again_and_again_closes_its_slot_until_it_is_released(
    running: SimulatedMachine,
) -> None:
    for _ in range(2):
        running.board.plan(11, Outcome.JAMMED)
        eventually(lambda: running.takes_coins() and running.status()["phase"] == "idle")
        running.insert(200)
        eventually(lambda: running.status()["credit_minor"] == 200)
        curl(running.folder / "local.sock", "--data", '{"text": "A1"}', "http://machine/selection")
        eventually(lambda: "not delivered" in running.status()["message"])
        running.changer.press_lever()
    eventually(lambda: running.status()["phase"] == "idle")
    assert "A1  200 left at 1.50 EUR (out of order" in edge(running, "status").stdout
    assert "begin a visit first" in edge(running, "release", "--slot", "A1").stderr
    for words in (("visit", "begin"), ("release", "--slot", "A1"), ("visit", "end")):
        assert edge(running, *words).exit_code == 0
    assert "A1  200 left at 1.50 EUR\n" in edge(running, "status").stdout


def test_status_of_a_machine_that_is_not_there_or_has_stopped(machine: SimulatedMachine) -> None:
    result = edge(machine, "status")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "has not been started" in result.stderr
    machine.start()
    eventually(machine.takes_coins)
    machine.stop()
    result = edge(machine, "status")
    assert result.exit_code == 0
    assert "the machine said last" in result.stderr
    (machine.folder / "status.json").write_text("{}")
    assert edge(machine, "status").exit_code == 1


@pytest.mark.parametrize("end", ["running", "stop", "kill"])
def test_why_tells_the_same_story_of_a_machine_that_runs_and_of_one_that_does_not(
    running: SimulatedMachine, end: str
) -> None:
    buy(running)
    if end != "running":
        getattr(running, end)()
    data = running.folder / "data"
    before = {path.name: path.read_bytes() for path in data.iterdir()} if end != "running" else {}
    result = edge(running, "why", "5")
    assert result.exit_code == 0, result.stderr
    told = [line[35:].strip() for line in result.stdout.splitlines() if " s  " in line]
    assert [re.sub(r".* s  | \(time estimated\)|after .* s", "", line) for line in told] == [
        "the machine was started (software 0.1.0); nothing was under way",
        "coin of 2.00 EUR in, to the cashbox",
        "A1 cola sold for 1.50 EUR cash: delivered ; 199 left; the network was down",
        "change: 0.50 EUR paid out",
    ]
    assert result.stdout.startswith("Record 5 belongs to the sale of records 4 to 6.")
    story = json.loads(edge(running, "why", "5", "--json").stdout)
    assert (story["seq"], story["first"], story["last"]) == (5, 4, 6)
    assert [entry["seq"] for entry in story["entries"]] == [1, 4, 5, 6]
    if before:  # nothing of the journal was made, changed or left behind
        assert {path.name: path.read_bytes() for path in data.iterdir()} == before


def test_why_says_what_it_cannot_do(running: SimulatedMachine) -> None:
    result = edge(running, "why", "99")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "record 99 is not in this machine's journal" in result.stderr
    assert edge(running, "why", "0").exit_code == 2
    (running.folder / "technician.sock").unlink()
    result = edge(running, "why", "1")
    assert result.exit_code == 1
    assert "does not answer" in result.stderr


def test_why_without_a_journal_or_with_a_damaged_one(machine: SimulatedMachine) -> None:
    result = edge(machine, "why", "1")
    assert result.exit_code == 4
    assert "has not been started" in result.stderr
    data = machine.folder / "data"
    assert not data.exists()
    data.mkdir()
    (data / "journal.db").write_bytes(b"no database at all" * 300)
    result = edge(machine, "why", "1")
    assert result.exit_code == 4
    assert "cannot be read" in result.stderr
    assert [path.name for path in data.iterdir()] == ["journal.db"]


# --- doctor -----------------------------------------------------------------------------------------------


def test_doctor_asks_the_devices_of_a_machine_that_is_stopped(machine: SimulatedMachine) -> None:
    found = checks(machine)
    levels = {code: check["level"] for code, check in found.items()}
    for code in ("settings", "python", "msgpack", "disk", "mdb_port", "board_port", "board", "journal"):
        assert levels[code] == "ok", found[code]
    assert levels["stopped"] == "warning"
    assert "sqlite" in levels or levels["sqlite_wal_bug"] == "warning"
    assert found["adapter"]["words"] == "qibixx, firmware 4.0.2.0"
    assert "level 2" in found["changer"]["words"]
    assert "type 0: 60, type 1: 60, type 2: 60, type 3: 60" in found["changer"]["words"]
    assert "43 notes in the stacker; SIM SIMVALIDATOR, serial 000000000077" in found["validator"]["words"]
    assert "level 3" in found["reader_1"]["words"]
    assert levels["broker_unreachable"] == "trouble"
    assert not (machine.folder / "data").exists()
    text = edge(machine, "doctor").stdout
    assert re.search(r"^trouble  broker_unreachable .*\n +-> check the network", text, re.MULTILINE)


def test_doctor_understands_a_reader_that_the_machine_left_enabled(running: SimulatedMachine) -> None:
    eventually(lambda: running.status()["tenders"]["card"]["available"])
    running.stop()
    assert "was left enabled" in checks(running)["reader_1"]["words"]


def test_doctor_takes_no_money_from_the_machine(machine: SimulatedMachine) -> None:
    """A coin that fell when nobody asked is the customer's after the start, whatever doctor did before."""
    machine.start()
    eventually(machine.takes_coins)
    machine.kill()
    machine.insert(200)  # to the cashbox, where no count of tubes would find it
    assert checks(machine)["changer"]["level"] == "ok"
    (machine.folder / "status.json").unlink()
    machine.start()
    eventually(lambda: machine.status().get("credit_minor") == 200)


def test_doctor_says_what_a_box_that_polls_by_itself_was_told(machine: SimulatedMachine) -> None:
    machine.changer.report_lasting(b"\x53\x0a")
    box = PtyServer(SimWafer(VirtualBus([machine.changer])), machine.folder / "wafer")
    settings = machine.config.read_text().replace(f"{machine.folder}/mdb", box.path)
    settings = settings.replace("readers = [1]", 'adapter = "wafer"')
    machine.config.write_text(settings)
    with box:
        found = checks(machine)  # takes some of the box's own polls, as no validator is there to answer
    assert found["adapter"]["words"] == "wafer"
    assert found["validator"]["level"] == "trouble"
    assert "type 0: 60" in found["changer"]["words"]
    assert found["told_meanwhile"]["level"] == "warning"
    assert "coin type 3 to the tube (10 in its tube)" in found["told_meanwhile"]["words"]


def test_doctor_of_a_machine_that_runs_says_what_the_machine_says(running: SimulatedMachine) -> None:
    buy(running)
    found = checks(running)
    for code in ("running", "journal", "records", "changer", "validator", "reader_1", "board", "selling"):
        assert found[code]["level"] == "ok", found[code]
    assert found["local_socket"]["level"] == "ok"
    running._motors.unplug()
    eventually(lambda: running.status()["devices"]["board"])
    found = checks(running)
    assert found["board"]["level"] == found["not_selling"]["level"] == "trouble"
    assert "motor board was unplugged" in found["not_selling"]["words"]


def test_doctor_says_which_device_is_missing(machine: SimulatedMachine) -> None:
    settings = machine.config.read_text()
    machine.config.write_text(settings.replace("readers = [1]", "readers = [2]"))
    machine._motors.unplug()
    found = checks(machine)
    assert found["reader_2"]["words"] == "the reader 2 does not answer"
    assert found["board_port_missing"]["level"] == "trouble"
    assert "board" not in found
    machine._mdb.unplug()
    found = checks(machine)
    assert found["mdb_port_missing"]["level"] == "trouble"
    assert "changer" not in found


def test_doctor_says_that_adapter_and_board_are_silent(machine: SimulatedMachine) -> None:
    silent = machine.config.read_text().replace(str(machine.folder / "mdb"), str(machine.folder / "swap"))
    silent = silent.replace(str(machine.folder / "board"), str(machine.folder / "mdb"))
    machine.config.write_text(silent.replace(str(machine.folder / "swap"), str(machine.folder / "board")))
    found = checks(machine)  # the two cables are swapped
    assert "does not answer (adapter silent)" in found["adapter"]["words"]
    assert "not ready (silent)" in found["board"]["words"]


def test_doctor_says_why_a_port_cannot_be_opened(machine: SimulatedMachine) -> None:
    settings = machine.config.read_text()
    with open_port(str(machine.folder / "mdb"), 115_200):
        assert checks(machine)["mdb_port_busy"]["todo"] == "another program has it open: stop that one"
    machine.config.write_text(settings.replace(f"{machine.folder}/mdb", "/dev/null"))
    assert checks(machine)["mdb_port_unusable"]["level"] == "trouble"


def test_settings_that_cannot_be_used_are_told_apart(machine: SimulatedMachine) -> None:
    machine.config.write_text("colour = 1\n")
    result = edge(machine, "doctor")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "colour" in result.stderr


# --- bench ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "asked", "answered"),
    [
        ("0A", "changer: tube status", "coins in tubes: type 0: 60, type 1: 60, type 2: 60, type 3: 60  00"),
        ("0b", "changer: poll", "was reset  0B"),
        ("0D 23", "changer: dispense 23", "acknowledged, nothing to report"),
        ("33", "validator: poll", "was reset, validator disabled  06 09"),
        ("70", "address 70: command 0", "no answer"),
    ],
)
def test_one_block(machine: SimulatedMachine, block: str, asked: str, answered: str) -> None:
    result = edge(machine, "bench", "command", block)
    assert (result.exit_code, result.stderr) == (0, "")
    first, second = result.stdout.splitlines()
    assert first == f"ask     {asked}"
    assert second.startswith(f"answer  {answered}")


def test_a_block_is_sent_once_although_its_answer_is_lost(machine: SimulatedMachine) -> None:
    bus = machine._mdb._device._bus  # type: ignore[attr-defined]
    bus.fault_next[0x0D] = Fault.ANSWER_LOST
    result = edge(machine, "bench", "command", "0D13")
    assert "no answer" in result.stdout
    assert bus.asked[0x0D] == 1


@pytest.mark.parametrize("block", ["", "0", "xx", "0B,00", "00" * 36])
def test_what_is_no_block(machine: SimulatedMachine, block: str) -> None:
    result = edge(machine, "bench", "command", block)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "write 1 to 35 bytes as hex digits" in result.stderr


def test_a_motor_that_delivers_and_one_that_does_not(machine: SimulatedMachine) -> None:
    result = edge(machine, "bench", "motor", "A1")
    assert result.exit_code == 0
    assert re.fullmatch(r"A1: delivered \(delivered\) after \d\.\d s\n", result.stdout)
    assert machine.board.truth().drops == {11: 1}
    machine.board.plan(12, Outcome.MOTOR_STUCK)
    result = edge(machine, "bench", "motor", "A2")
    assert result.exit_code == 1
    assert "A2: the motor did not turn (motor_stuck)" in result.stdout
    assert machine.board.truth().runs == {11: 1, 12: 1}


def test_a_motor_that_cannot_be_run(machine: SimulatedMachine) -> None:
    result = edge(machine, "bench", "motor", "Z9")
    assert (result.exit_code, result.stderr) == (2, "Z9 is no slot of this machine: A1 A2 B1\n")
    machine._motors.unplug()
    result = edge(machine, "bench", "motor", "A1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is not ready: port missing" in result.stderr


@pytest.mark.parametrize("words", [("command", "0B"), ("motor", "A1")])
def test_a_machine_that_runs_keeps_its_ports(running: SimulatedMachine, words: tuple[str, ...]) -> None:
    result = edge(running, "bench", *words)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "stop it first" in result.stderr
    assert running.board.truth().runs == {}


def test_a_recording(machine: SimulatedMachine, tmp_path: Path) -> None:
    path = tmp_path / "recording"
    path.write_bytes(b"R,0B\np,5308\n\xfa\xfb\x41\x00\x40")
    result = edge(machine, "bench", "decode", str(path))
    assert result.exit_code == 0
    assert [line.split()[1] for line in result.stdout.splitlines()] == ["qibixx", "qibixx", "xy"]
    result = edge(machine, "bench", "decode", str(tmp_path))
    assert (result.exit_code, result.stdout) == (2, "")
