"""What a technician asks a running machine for, by command and by socket, and what it says."""

from typing import get_args

import pytest

from deploy.demo.machine import SimulatedMachine
from edge.requests import REQUEST, Request
from edge.sale.events import FreeVend, TechnicianEvent
from tests.edge.technician.test_commands import buy, edge, machine, running
from tests.helpers import eventually

__all__ = ["machine", "running"]


def kinds(machine: SimulatedMachine) -> list[str]:
    machine.stop()
    return [record["kind"] for record in machine.records()]


def test_a_visit_with_refill_collection_and_a_free_vend(running: SimulatedMachine) -> None:
    buy(running)
    refused = edge(running, "refill", "A1=5")
    assert (refused.exit_code, refused.stderr) == (1, "open the door, or begin a visit first\n")

    assert edge(running, "visit", "begin").exit_code == 0
    eventually(lambda: not running.takes_coins())
    assert running.status()["tenders"]["cash"]["reason"] == "a technician is at the machine"
    assert edge(running, "refill", "--all-to-par", "A1=5").exit_code == 0
    assert running.status()["stock"] == {"A1": 5, "A2": 200, "B1": 200}
    assert edge(running, "refill", "A1=999").stderr == "slot A1 holds 0 to 200\n"
    assert edge(running, "collect", "B-17").exit_code == 0
    assert edge(running, "stock", "B1=3").exit_code == 0
    assert edge(running, "release", "--slot", "Z9").stderr == "there is no slot Z9\n"
    assert edge(running, "visit", "end").exit_code == 0

    eventually(running.takes_coins)
    sales = running.status()["sales"]
    assert edge(running, "free", "A2").exit_code == 0
    eventually(lambda: running.status()["sales"] == sales + 1)
    written = kinds(running)
    assert {"visit", "refill", "collection", "stock_corrected"} <= set(written)
    (bag,) = [record for record in running.records() if record["kind"] == "collection"]
    assert (bag["bag"], bag["cashbox_minor"], bag["stacker_minor"]) == ("B-17", 200, 0)
    assert running.records()[-1]["tenders"] == ({"tender": "free", "amount_minor": 0},)


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("refill",), 2, "name slots such as A1=7"),
        (("refill", "A1"), 2, "write SLOT=COUNT"),
        (("stock", "A1=x"), 2, "write SLOT=COUNT"),
        (("release",), 2, "name a --group or a --slot"),
        (("collect", "../x"), 2, "bag"),
        (("pay-claim", "12"), 2, "claim"),
        (("pay-claim", "0001-000000"), 1, "this code is not known here, or was used"),
        (("visit", "begin"), 1, "nobody answers"),
    ],
)
def test_what_cannot_be_done_is_said(
    request: pytest.FixtureRequest, words: tuple[str, ...], exit_code: int, said: str
) -> None:
    name = "running" if "not known" in said else "machine"
    result = edge(request.getfixturevalue(name), *words)
    assert result.exit_code == exit_code
    assert said in result.stderr
    assert result.stdout == ""


def test_every_event_of_the_technician_can_be_asked_for() -> None:
    kinds = {model.model_fields["kind"].default: model for model in get_args(Request)}
    examples = (
        '{"kind": "visit", "here": true}',
        '{"kind": "refill", "counts": {"A1": 5}, "others_to_par": true}',
        '{"kind": "stock", "counts": {"A1": 5}}',
        '{"kind": "collect", "bag": "B-17"}',
        '{"kind": "release_group", "group": "dairy"}',
        '{"kind": "release_slot", "slot": "A1"}',
        '{"kind": "pay_claim", "claim": "0001-123456"}',
        '{"kind": "free", "slot": "A1"}',
    )
    made = [REQUEST.validate_json(example) for example in examples]
    assert {wanted.kind for wanted in made} == kinds.keys()
    events = {type(wanted.event()) for wanted in made}
    assert events == {*_members(TechnicianEvent), FreeVend}


def _members(union: object) -> set[type]:
    return {kind for member in get_args(union) for kind in (_members(member) or {member})}
