"""Settings of a machine: what is refused, and in which words."""

from pathlib import Path
from typing import get_args

import pytest

from edge.config import EdgeSettings
from edge.mdb.adapters.known import ADAPTERS
from edge.motors.xy_cabinet import SENSOR
from edge.sale.state import SlotSetting
from edge.sale.step import ProductGroup
from shared.settings import SettingsError, load
from tests.signing import KEYS as KEYS_IN_USE
from tests.signing import public_hex

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
    assert machine.slots == {"A1": SlotSetting("A1", "cola", 10, 8)}
    assert (machine.policy.motor_failures, machine.policy.closed_door_s) == (2, 600.0)
    assert machine.groups == {}


GROUP = """
[[groups]]
name = "fresh"
slots = ["A1"]
min_decidegrees = 0
max_decidegrees = 50
limit_s = 1800
"""
WATCHED = "[xy]\nmachine_status = true\n[service]\nmotor_failures = 3\nclosed_door_s = 60\n"


def test_what_spoils(tmp_path: Path) -> None:
    machine = settings(tmp_path, "", WATCHED + SLOT + GROUP).machine_setting("0.1", b"key")
    assert machine.groups == {"fresh": ProductGroup(("A1",), "board", 0, 50, 1_800.0)}
    assert machine.groups["fresh"].sensor == SENSOR
    assert (machine.policy.motor_failures, machine.policy.closed_door_s) == (3, 60.0)


@pytest.mark.parametrize(
    ("top", "rest", "words"),
    [
        ("readers = [3]\n", SLOT, "readers"),
        ('adapter = "usb"\n', SLOT, "adapter"),
        ('board = "modbus"\n', SLOT.replace("selection = 1", "selection = 9"), "home switch"),
        ("", "[modbus]\nhome_inputs = [1, 8]\n" + SLOT, "both a home switch and the drop sensor"),
        ("", "[modbus]\ndoor_input = 3\n" + SLOT, "input 3 of the door has another use too"),
        ("", "[modbus]\ndoor_input = 8\n" + SLOT, "input 8 of the door has another use too"),
        ("", SLOT + GROUP, "groups need a temperature"),
        ('board = "modbus"\n', WATCHED + SLOT + GROUP, "groups need a temperature"),
        ("", WATCHED + SLOT + GROUP.replace("A1", "A9"), "group fresh: there is no slot A9"),
        ("", WATCHED + SLOT + GROUP + GROUP, "two groups have the same name"),
        ("", WATCHED + SLOT + GROUP.replace("= 0", "= 51"), "min_decidegrees is above max_decidegrees"),
        ("", SLOT + SLOT, "two slots have the same slot"),
        ("", "[cash]\nreserve = -1\n" + SLOT, "reserve"),
        ("validators = true\n", SLOT, "validators"),
    ],
)
def test_mistakes_are_refused_in_words(tmp_path: Path, top: str, rest: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        settings(tmp_path, top, rest)


KEYS = f"""
[[commands.keys]]
name = "desk"
role = "operator"
public_key = "{public_hex("operator")}"
[[commands.keys]]
name = "van"
role = "technician"
public_key = "{public_hex("technician")}"
"""


def test_keys_of_commands(tmp_path: Path) -> None:
    authority = settings(tmp_path, rest=KEYS + SLOT).commands.authority()
    assert {name: key.role for name, key in authority.keys.items()} == {
        "desk": "operator",
        "van": "technician",
    }
    assert authority.keys["desk"].public == KEYS_IN_USE["operator"].public
    assert not settings(tmp_path).commands.authority().keys


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"van"', '"desk"', "two keys have the same name"),
        (public_hex("technician"), public_hex("operator"), "two keys have the same public_key"),
        ('"technician"', '"boss"', "role"),
        (public_hex("technician"), "ab", "public_key"),
        ('"van"', '"Van 1"', "name"),
    ],
)
def test_keys_that_cannot_be_used(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        settings(tmp_path, rest=KEYS.replace(old, new) + SLOT)
