"""Settings of a machine: what is refused, and in which words."""

from pathlib import Path
from typing import get_args

import pytest

from edge.config import EdgeSettings
from edge.mdb.adapters import ADAPTERS
from shared.settings import SettingsError, load

BASE = """
machine = "m1"
currency = "EUR"
data_dir = "/tmp/data"
status_file = "/tmp/status.json"
mdb_port = "/dev/mdb"
board_port = "/dev/board"
"""
SLOT = """
[[slots]]
slot = "A1"
selection = 1
product = "cola"
price_minor = 150
capacity = 10
par = 8
"""


def settings(tmp_path: Path, top: str = "", rest: str = SLOT) -> EdgeSettings:
    path = tmp_path / "edge.toml"
    path.write_text(BASE + top + rest)
    return load(EdgeSettings, path)


def test_every_adapter_can_be_named() -> None:
    assert set(get_args(EdgeSettings.model_fields["adapter"].annotation)) == set(ADAPTERS)


def test_what_is_fitted(tmp_path: Path) -> None:
    top = 'validator = true\nreaders = [2, 1]\nboard = "modbus"\n'
    rest = "[cash]\nreserve = 3\n" + SLOT + "card_price_minor = 140\n"
    found = settings(tmp_path, top, rest)
    machine = found.machine_setting("0.1", b"key")
    assert (machine.validator, machine.readers, machine.policy.reserve) == (True, (2, 1), 3)
    assert (machine.items, machine.products) == ({"A1": 1}, {"A1": "cola"})
    assert found.price_list().of("A1", "card") == 140
    assert found.price_list().of("A1", "cash") == 150


@pytest.mark.parametrize(
    ("top", "rest", "words"),
    [
        ("readers = [3]\n", SLOT, "readers"),
        ('adapter = "usb"\n', SLOT, "adapter"),
        ('board = "modbus"\n', SLOT.replace("selection = 1", "selection = 9"), "home switch"),
        ("", "[modbus]\nhome_inputs = [1, 8]\n" + SLOT, "both a home switch and the drop sensor"),
        ("", SLOT + SLOT, "two slots have the same slot"),
        ("", "[cash]\nreserve = -1\n" + SLOT, "reserve"),
        ("validators = true\n", SLOT, "validators"),
    ],
)
def test_mistakes_are_refused_in_words(tmp_path: Path, top: str, rest: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        settings(tmp_path, top, rest)
