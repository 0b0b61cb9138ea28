"""Rules of the house that can be checked by reading files."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from cloud.identity import rights
from deploy.setup import figures_doc, measurements_doc, sale_doc
from shared import codec
from shared.records import Body

ROOT = Path(__file__).parents[1]
PRODUCT = sorted(p for d in ("edge", "cloud", "shared") for p in (ROOT / d).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
OUTERMOST = {
    "edge/uplink.py",  # a thread's last frame: records and ends the process
    "edge/serial_port.py",
    "edge/local_server.py",  # a connection's: records, and ends the connection
}
PACED = {
    "tests/helpers.py",  # polls for the threaded tests
    "tests/bench/live.py",  # looks for the drop more often than helpers do
    "tests/cloud/test_mqtt.py",  # polls inside an event loop
    "tests/cloud/test_influx_real.py",  # the same, and lets some writing happen before the kill
}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_test_sleeps() -> None:
    """A test waits for a condition: any fixed time is too short somewhere and too long everywhere else."""
    call = re.compile(r"\bsleep\((?!0\))")  # sleep(0) gives way and waits for nothing
    sleepers = {_name(p) for p in TESTS if p != Path(__file__) and call.search(p.read_text())}
    assert sleepers - PACED == set()


def test_files_fit_the_mind() -> None:
    long = {_name(p): n for p in PRODUCT if (n := len(p.read_text().splitlines())) > 350}
    assert not long


def _swallows_everything(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            kind = node.type.id if isinstance(node.type, ast.Name) else ""
            last = node.body[-1]
            cleans_up = isinstance(last, ast.Raise) and last.exc is None
            if (node.type is None or kind in {"Exception", "BaseException"}) and not cleans_up:
                return True
    return False


def test_only_a_threads_outermost_frame_catches_everything() -> None:
    assert {_name(p) for p in PRODUCT if _swallows_everything(p)} <= OUTERMOST


def test_every_locked_package_has_a_hash_and_no_index_is_named() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "-index" not in lock
    packages = re.split(r"\n(?=\S)", lock.strip())
    assert len(packages) > 20
    for package in packages:
        first, *rest = package.splitlines()
        assert re.fullmatch(r"[a-z0-9.-]+==\S+( ; .+)? \\", first), first
        assert rest, first
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in rest), first


def test_every_dependency_is_locked() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    wanted = {
        re.split(r"[^A-Za-z0-9._-]", line)[0]
        for group in (project["dependencies"], *project["optional-dependencies"].values())
        for line in group
    }
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert wanted - locked == set()


def test_broker_rights_are_the_topic_table() -> None:
    assert (ROOT / "mosquitto/acl").read_text() == rights.text(), "python -m deploy.setup.acl > mosquitto/acl"


def test_the_page_of_the_sale_is_its_table() -> None:
    assert (ROOT / "docs/sale.md").read_text() == sale_doc.text(), (
        "python -m deploy.setup.sale_doc > docs/sale.md"
    )


def test_the_page_of_metrics_and_spreadsheets_is_their_tables() -> None:
    assert (ROOT / "docs/figures.md").read_text() == figures_doc.text(), (
        "python -m deploy.setup.figures_doc > docs/figures.md"
    )


def test_the_page_of_measurements_is_their_table() -> None:
    assert (ROOT / "docs/measurements.md").read_text() == measurements_doc.text(), (
        "python -m deploy.setup.measurements_doc > docs/measurements.md"
    )


@pytest.mark.parametrize("name", ["mosquitto.conf", "demo.conf"])
def test_the_broker_carries_every_message_the_programs_read(name: str) -> None:
    lines = (ROOT / "mosquitto" / name).read_text().splitlines()
    settings = dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    topic_and_properties = 1024
    assert int(settings["max_packet_size"]) >= codec.MAX_MESSAGE_BYTES + topic_and_properties
    assert "message_size_limit" not in settings  # answers "success" for what it drops
    assert settings["max_queued_messages"] == "0"
    assert settings["set_tcp_nodelay"] == "true"  # receipts wait 40 ms without it
    assert int(settings["max_queued_bytes"]) > 0


def test_readme_names_every_make_target_and_every_thread() -> None:
    readme = (ROOT / "README.md").read_text()
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert len(targets) > 8
    parts = {"servers", "tools"}  # of `setup` and `test`
    assert [t for t in targets if not re.search(rf"\bmake {t}\b", readme) and t not in parts] == []
    assert all(f"`{thread}`" in readme for thread in ("bus", "board", "uplink", "local", "technician"))


def test_every_record_kind_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    kinds = [member.model_fields["kind"].default for member in Body.__args__]
    assert [kind for kind in kinds if f"`{kind}`" not in readme] == []


def test_every_test_that_answers_a_threat_is_there() -> None:
    named = re.findall(r"`(tests/\S+)::(\w+)`", (ROOT / "docs/threats.md").read_text())
    assert len(named) > 30
    for path, name in named:
        assert f"\ndef {name}(" in (ROOT / path).read_text(), f"{path} has no {name}"
