"""Rules of the house that can be checked by reading files."""

import ast
import re
from pathlib import Path

import pytest

from shared import codec, topics
from shared.messages import Body

ROOT = Path(__file__).parents[1]
PRODUCT = sorted(p for d in ("edge", "cloud", "shared") for p in (ROOT / d).rglob("*.py"))
PURE = [
    *sorted((ROOT / "edge/sale").glob("*.py")),
    *(ROOT / "edge/mdb").glob("*.py"),
    *(ROOT / f"edge/{name}.py" for name in ("outbox", "catalog", "motors/xy", "motors/xy_codes")),
    *(ROOT / f"cloud/{name}.py" for name in ("batch", "points")),
    *(ROOT / f"shared/{name}.py" for name in ("messages", "codec", "topics", "money")),
]
IMPURE = {"time", "threading", "asyncio", "socket", "sqlite3", "serial", "paho", "aiomqtt", "logging"}
OUTERMOST = {"edge/uplink.py", "edge/serial_port.py"}  # a thread's last frame: records and ends the process


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", PURE, ids=lambda p: str(p.relative_to(ROOT)))
def test_pure_files_have_no_clock_thread_socket_or_disk(path: Path) -> None:
    assert not _imports(path) & IMPURE


def test_files_fit_the_mind() -> None:
    long = {str(p.relative_to(ROOT)): n for p in PRODUCT if (n := len(p.read_text().splitlines())) > 350}
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
    assert {str(p.relative_to(ROOT)) for p in PRODUCT if _swallows_everything(p)} <= OUTERMOST


def test_every_locked_package_has_a_hash_and_no_index_is_named() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    packages = re.split(r"\n(?=[a-z])", lock.strip())
    assert len(packages) > 20
    assert [p.splitlines()[0] for p in packages if "--hash=sha256:" not in p] == []


def test_broker_rights_are_the_topic_table() -> None:
    rights = set(re.findall(r"^(?:topic|pattern) .*$", (ROOT / "mosquitto/acl").read_text(), re.MULTILINE))
    wanted = set()
    for topic in topics.TOPICS:
        up = topic.direction is topics.Direction.UP
        wanted.add(f"topic {'read' if up else 'write'} {topic.filter}")
        wanted.add(f"pattern {'write' if up else 'read'} {topic.of('%u')}")
    assert rights == wanted


@pytest.mark.parametrize("name", ["mosquitto.conf", "demo.conf"])
def test_the_broker_carries_every_message_the_programs_read(name: str) -> None:
    conf = (ROOT / "mosquitto" / name).read_text()
    limit = re.search(r"^message_size_limit (\d+)$", conf, re.MULTILINE)
    assert limit is not None
    assert int(limit[1]) >= codec.MAX_MESSAGE_BYTES
    assert "max_queued_messages 0" in conf


def test_readme_names_every_make_target_and_every_thread() -> None:
    readme = (ROOT / "README.md").read_text()
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [t for t in targets if f"make {t}" not in readme and t != "servers"] == []
    assert all(f"`{thread}`" in readme for thread in ("bus", "board", "uplink"))


def test_every_record_kind_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    kinds = [member.model_fields["kind"].default for member in Body.__args__]
    assert [kind for kind in kinds if f"`{kind}`" not in readme] == []
