"""pytest plugin: captures as test material, a real Mosquitto, and the traffic of a failed test as a file.

    @pytest.mark.capture("jam.mqtt.jsonl")
    def test_it(vend_replay, vend_capture): ...

All fixtures begin with `vend_`; docs/captures.md has a page of examples. Nothing is imported before a fixture
needs it, so that the plugin costs other projects in the same environment nothing.
"""

import re
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from shared.answers import Answers
    from shared.capture import Message
    from shared.clock import Now
    from shared.replay import Handler
    from shared.testing import Recording, TestBroker

_FOLDER: Final = "vend_captures"
_KEPT: Final = "vend_recordings"
_FAILED: Final = pytest.StashKey["Recording"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("vendlink", "captures of MQTT traffic")
    group.addoption("--vend-capture", type=Path, metavar="FILE", help="for all tests marked with a capture")
    parser.addini(_FOLDER, "folder of captures, from the root", default="tests/captures")
    parser.addini(_KEPT, "where recordings of failed tests go, from the root", default="vend-recordings")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "capture(name): the capture that vend_capture and vend_replay use: beside the test, in its folder "
        "captures, or in the folder that the setting vend_captures names",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    recording = item.stash.get(_FAILED, None)
    if recording is not None and report.when == "call" and report.failed:
        recording.finish()
        kept = _keep(item, recording.path)
        report.sections.append(("vend recording", f"{kept}\n{recording.answers}"))
    return report


def _keep(item: pytest.Item, path: Path) -> Path:
    """Beside the JUnit report where there is one, else in the folder of recordings."""
    xml = item.config.getoption("xmlpath", None)
    folder = Path(xml).absolute().parent if xml else item.config.rootpath / item.config.getini(_KEPT)
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]+", "-", item.nodeid).strip("-")[-150:]
    return Path(shutil.copy(path, folder / f"{name}.mqtt.jsonl"))


@pytest.fixture
def vend_capture_path(request: pytest.FixtureRequest) -> Path:
    """The file that `@pytest.mark.capture` names; `--vend-capture` wins."""
    marker = request.node.get_closest_marker("capture")
    if marker is None or len(marker.args) != 1:
        pytest.fail('mark the test: @pytest.mark.capture("name.mqtt.jsonl")', pytrace=False)
    given: Path | None = request.config.getoption("--vend-capture")
    if given is not None:
        return given
    name = str(marker.args[0])
    here = request.path.parent
    places = (here, here / "captures", request.config.rootpath / request.config.getini(_FOLDER))
    for place in places:
        if (place / name).is_file():
            return place / name
    pytest.fail(f"there is no {name} in {', '.join(map(str, places))}", pytrace=False)


@pytest.fixture
def vend_capture(vend_capture_path: Path) -> "list[Message]":
    """The messages of the capture that `@pytest.mark.capture` names."""
    from shared.capture import read  # noqa: PLC0415

    return list(read(vend_capture_path))


@pytest.fixture
def vend_replay(vend_capture: "list[Message]") -> "Callable[..., Answers]":
    """Call it with a handler, or a function of message and time: what is published in answer to the capture.

    No broker, no waiting (shared/replay.py).
    """
    from shared.replay import Plain, replay  # noqa: PLC0415

    def run(
        handler: "Handler | Callable[[Message, Now], Iterable[Message] | None]", after_s: float = 1.0
    ) -> "Answers":
        return replay(vend_capture, Plain(handler) if callable(handler) else handler, after_s)

    return run


@pytest.fixture
def vend_broker(tmp_path: Path) -> "Iterator[TestBroker]":
    """A real Mosquitto on a free port of this computer, for this test alone."""
    from shared.testing import TestBroker  # noqa: PLC0415

    with TestBroker(tmp_path / "vend-mosquitto") as broker:
        yield broker


@pytest.fixture
def vend_recording(
    request: pytest.FixtureRequest, vend_broker: "TestBroker", tmp_path: Path
) -> "Iterator[Recording]":
    """All that `vend_broker` carries. Where the test fails the file is kept, and the report names it."""
    from shared.testing import Recording  # noqa: PLC0415

    with Recording(vend_broker, tmp_path / "vend-recording.mqtt.jsonl") as recording:
        request.node.stash[_FAILED] = recording
        yield recording
