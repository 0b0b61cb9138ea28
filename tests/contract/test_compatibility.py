"""What breaks those who rely on the contract is found, whatever it is; what is only added is not."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from deploy.contract import compatibility
from deploy.contract.compatibility import GOLDEN, Contract, breaks, contract, text

NOW = contract()
SALE = "vend/v1/{machine}/sale"


def test_nothing_of_today_breaks_who_relies_on_the_contract() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert breaks(golden, NOW) == [], "raise the version of the kind, or leave it as it was"
    assert GOLDEN.read_text(encoding="utf-8") == text(NOW), "python -m deploy.contract.compatibility adds it"


def changed(path: str, name: str, value: object) -> Callable[[Contract], None]:
    """A change to what is at `path`; None takes it away."""

    def change(of: Contract) -> None:
        part: Any = of
        for step in path.split("/"):
            part = part[step]
        if value is None:
            del part[name]
        else:
            part[name] = value

    return change


FIELDS = "kinds/sale/fields"
BREAKING = {
    "topic gone": (changed("topics", SALE, None), "topic vend/v1/{machine}/sale is gone"),
    "QoS": (changed("topics", SALE, NOW["topics"][SALE].replace("QoS 1", "QoS 0")), "QoS 0"),
    "retained": (changed("topics", SALE, NOW["topics"][SALE].replace("not retained", "retained")), "is `up"),
    "codec": (changed("topics", SALE, NOW["topics"][SALE].replace("msgpack", "json")), "/json"),
    "direction": (changed("topics", SALE, NOW["topics"][SALE].replace("up", "down")), "is `down"),
    "kind gone": (changed("kinds", "door", None), "kind door is gone"),
    "other topic": (changed("kinds/door", "topic", "sale"), "kind door moved from event to sale"),
    "older version": (changed("kinds/door", "v", 0), "back from version 1 to 0"),
    "field gone": (changed(FIELDS, "slot", None), "sale: field slot is gone"),
    "inner field gone": (changed(FIELDS, "tenders[].tender", None), "tenders[].tender is gone"),
    "type": (changed(FIELDS, "slot", "required, integer"), "is `required, integer`"),
    "limits": (
        changed(FIELDS, "seq", NOW["kinds"]["sale"]["fields"]["seq"].replace("4611686018427387904", "9")),
        "maximum 9",
    ),
    "choices": (
        changed(FIELDS, "outcome", 'required, string enum ["delivered"]'),
        'is `required, string enum ["delivered"]`',
    ),
    "may be missing now": (changed(FIELDS, "link_down", "optional, boolean"), "is `optional, boolean`"),
    "new and required": (changed(FIELDS, "mood", "required, string"), "field mood is new, and required"),
    "inner new and required": (
        changed(FIELDS, "tenders[].mood", "required, string"),
        "tenders[].mood is new",
    ),
}


@pytest.mark.parametrize(("change", "says"), BREAKING.values(), ids=BREAKING.keys())
def test_what_breaks_others_is_said(change: Callable[[Contract], None], says: str) -> None:
    new = deepcopy(NOW)
    change(new)
    (found,) = breaks(NOW, new)
    assert says in found


ADDED = {
    "topic": changed("topics", "vend/v1/{machine}/mood", "up, QoS 0, not retained, application/json"),
    "kind": changed("kinds", "mood", {"v": 1, "topic": "event", "fields": {"face": "required, string"}}),
    "field": changed(FIELDS, "mood", "optional, string"),
    "field with a required part": lambda new: new["kinds"]["sale"]["fields"].update(
        {"mood": "optional, object", "mood.face": "required, string"}
    ),
    "version": lambda new: new["kinds"].update({"door": {"v": 2, "topic": "event", "fields": {}}}),
    "nothing": lambda _new: None,
}


@pytest.mark.parametrize("change", ADDED.values(), ids=ADDED.keys())
def test_what_is_only_added_breaks_nobody(change: Callable[[Contract], None]) -> None:
    new = deepcopy(NOW)
    change(new)
    assert breaks(NOW, new) == []


def test_fields_are_told_with_type_limits_and_whether_they_must_be_there() -> None:
    kinds = NOW["kinds"]
    assert kinds["sale"]["fields"]["tenders"] == "required, array minItems 1 maxItems 8"
    assert kinds["sale"]["fields"]["tenders[].tender"].startswith('required, string enum ["cash", ')
    assert kinds["prices"]["fields"]["prices{}"] == "each, integer minimum 1 maximum 10000000"
    assert kinds["receipt"]["fields"]["stored[][1]"].startswith("each, integer minimum 1")
    assert kinds["status"]["fields"]["owed_from"].endswith("maximum 4611686018427387904 or null")
    assert kinds["command.lock"]["fields"]["action.name"] == 'required, string const "lock"'
    assert kinds["config"]["fields"]["slots{}.product"].startswith("required, string pattern")


def test_the_command_adds_what_is_new_and_refuses_what_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "contract.json"
    monkeypatch.setattr(compatibility, "GOLDEN", path)
    old = deepcopy(NOW)
    del old["kinds"]["door"]
    path.write_text(text(old))
    compatibility.main()
    assert path.read_text() == text(NOW)
    old["kinds"]["mood"] = {"v": 1, "topic": "event", "fields": {}}
    path.write_text(text(old))
    with pytest.raises(SystemExit, match="kind mood is gone"):
        compatibility.main()
    assert path.read_text() == text(old)
