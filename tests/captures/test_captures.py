"""What was recorded of the simulated fleet, replayed: the same sales, money, letters, receipts and prices.

`python -m tests.captures.record` made the captures, and beside each what comes of it. A change of that is a
change of what an operator sees: look at it, then let it be written down again.
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from fastjsonschema import JsonSchemaValueException

from cloud.ingest import Ingest
from cloud.replay import IngestHandler, Memory, NoArchive
from shared import topics
from shared.answers import Answers
from shared.capture import Message, read, read_header
from shared.tap.contract import KINDS, Coverage
from tests.captures import outcome
from tests.captures.stories import STORIES
from tests.contract.described import check

HERE: Final = Path(__file__).parent
# What no simulated machine here says or hears, and why.
NEVER: Final = {
    "event revalue": "the simulated reader of these stories takes no cash",
    "event coins_loaded": "nobody fills tubes by hand",
    "event coins_taken": "the machine switches the changer's own buttons off",
    "event recycler_corrected": "no recycler is fitted",
    "event door": "no door switch is wired",
    "certificate/request": "the simulated broker asks nobody who he is",
    "certificate/issued": "so there are no certificates",
}
# Why the document cannot see what is wrong with these: each is a good message in the wrong place.
ONLY_IN_CODE: Final = {"record of m9 on the topic of m1"}


def _captures() -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.capture(f"{name}.mqtt.jsonl"), id=name) for name in STORIES]


def _golden(name: str) -> Any:  # noqa: ANN401  # tests/captures/outcome.py says what is in it
    return json.loads((HERE / f"{name}.json").read_text())


@pytest.mark.parametrize("name", _captures())
def test_it_comes_to_the_same(
    name: str, vend_capture: list[Message], vend_capture_path: Path, tmp_path: Path
) -> None:
    found = outcome.of(vend_capture, read_header(vend_capture_path), tmp_path)
    golden = _golden(name)
    assert found["cloud"] == golden["cloud"]
    assert found["edge"] == golden["edge"]
    for machine, books in found["cloud"]["machines"].items():
        money, hardware = books["money"], golden["hardware"][machine]
        assert money["in"] + money["redeemed"] == money["sold"] + money["paid_out"] + money["owed"]
        left_minor = money["sold"] + money["owed"] - money["redeemed"]
        assert hardware["value_minor"] == left_minor, "what lies in the real machine"
        sales = sum(row["count"] for row in books["sales"].values())
        assert sales == golden["influx"][machine]["sales"], "as InfluxDB had it"
        assert books["receipts"] == outcome.receipts(vend_capture, machine), "as the cloud said then"
        assert books["stored"] == sorted(books["stored"]) or name == "poison"  # it has two journals
        assert found["edge"][machine]["in_force"] == outcome.in_force(vend_capture, machine)
        assert found["edge"][machine]["records"] == {
            "stored": sum(books["records"].values()) - _strange(name)
        }


def _strange(name: str) -> int:
    """Records that were stored and that no machine has."""
    return 1 if name == "poison" else 0


@pytest.mark.capture("cloud-restart.mqtt.jsonl")
def test_what_came_twice_is_there_once(
    vend_replay: Callable[..., Answers], vend_capture: list[Message]
) -> None:
    keys = Counter(
        (record["machine"], record["epoch"], record["seq"])
        for record in Answers(vend_capture).on("vend/v1/+/sale")
    )
    assert max(keys.values()) > 1, "the cloud was killed before it had confirmed a sale"
    points = Memory()
    handler = IngestHandler(Ingest(NoArchive(), points, _Keeper()), batch_s=0.5)
    vend_replay(handler)
    assert len([series for series, _ in points.points if series.startswith("sale,")]) == len(keys)


class _Keeper:
    def screen(self, _batch: object) -> list[Any]:
        return []

    def keep(self, _batch: object, _at_ns: int) -> None:
        """Points are looked at."""


@pytest.mark.parametrize("name", _captures())
def test_every_message_is_as_the_contract_has_it(name: str, vend_capture: list[Message]) -> None:
    coverage = Coverage(keeps_retained=True)
    undescribed = set()
    for number, message in enumerate(vend_capture, start=1):
        coverage.add(message)
        try:
            check(message.topic, message.payload)
        except (KeyError, ValueError, TypeError, JsonSchemaValueException):
            undescribed.add(number)
    broken = {violation.number for violation in coverage.violations}
    in_code = {v.number for v in coverage.violations if v.why in ONLY_IN_CODE}
    if name == "poison":
        assert len(broken) == 11
        assert in_code
    else:
        assert not coverage.violations
    assert undescribed == broken - in_code


def test_all_that_machines_say_appears_in_some_capture() -> None:
    coverage = Coverage(keeps_retained=True)
    for name in STORIES:
        for message in read(HERE / f"{name}.mqtt.jsonl"):
            coverage.add(message)
    assert set(coverage.missing) == set(NEVER)
    assert set(NEVER) < set(KINDS)


def test_they_stay_small() -> None:
    files = [path for path in HERE.iterdir() if path.suffix in {".jsonl", ".json"}]
    assert sum(path.stat().st_size for path in files) < 300_000
    assert topics.CERTIFICATE_ISSUED.name in NEVER, "no certificate is in a file"
