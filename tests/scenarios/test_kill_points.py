"""The program dies after each commit: money and products stay right, whatever was not carried out any more.

Each reference is played once to count its commits, and then once for each commit and each way to die: the
program alone, or the power of the whole machine, which resets the peripherals. The program then starts
again, and everything comes to rest; tests/scenarios/books.py judges.
"""

from pathlib import Path

import pytest

from edge.sale.state import Phase
from tests.scenarios.script import Script

REFERENCES = {
    "coin sale with change": ("switch on", "insert 2.00", "press A1"),
    "coin jam and refund": ("switch on", "A1 jams", "insert 2.00", "press A1", "push the lever"),
    "note sale": ("switch on", "insert a note of 5.00", "press A1"),
    "note sale with recycler": (
        "given a recycler with 3 0 0 0",
        "switch on",
        "insert a note of 10.00",
        "press A1",
    ),
    "card sale": ("switch on", "show a card", "press A1"),
    "always idle reader": ("given a reader that is always idle", "switch on", "press A1", "show a card"),
    "card jam and refund": ("switch on", "A1 jams", "show a card", "press A1"),
    "claim code": (
        "switch on",
        "A1 jams",
        "the refund will fail",
        "show a card",
        "press A1",
        "take the card",
        "enter code 0001-950196",
        "press A2",
    ),
    "prepaid card": (
        "given prepaid cards",
        "switch on",
        "show a card",
        "wait 1 s",
        "insert 2.00",
        "press A1",
    ),
    "change owed": (
        "given change that is owed where it cannot be paid",
        "given tubes with 0 0 0 0",
        "switch on",
        "insert 2.00",
        "press A1",
    ),
    "Modbus board": ("given a Modbus board", "switch on", "insert 2.00", "press A1"),
}
DEATHS = {"program": (), "power": ("cut the power",)}
AFTER = ("wait 2 s", "start the program", "take the card", "wait 5 s")


def play(folder: Path, steps: tuple[str, ...], commit: int, death: str, delay_s: float = 0.0) -> Script:
    """Up to that commit; 0 is to the end."""
    folder.mkdir()
    script = Script(folder, commit, delay_s)
    for step in steps:
        script.step(step)
        if script.died:
            for after in (*DEATHS[death], *AFTER):
                script.step(after)
            break
    return script


@pytest.mark.parametrize("delay_s", [0.0, 0.3], ids=["before its effects", "soon after"])
@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("name", REFERENCES)
def test_a_death_after_any_commit(tmp_path: Path, name: str, death: str, delay_s: float) -> None:
    steps = REFERENCES[name]
    with play(tmp_path / "whole", steps, 0, death) as whole:
        whole.end()
        commits, runs = whole.bench.commits, _runs(whole)
    choices = sum(step.startswith("press") for step in steps)
    for commit in range(1, commits + 1):
        with play(tmp_path / str(commit), steps, commit, death, delay_s) as script:
            assert script.bench.commits > commit, "it died, and began again"
            assert script.bench.core.state.phase in {Phase.IDLE, Phase.CREDIT}
            assert _runs(script) <= runs, "dispensed twice"
            assert script.bench.core.state.totals.sales <= choices, "booked twice"
            script.end()
    print(f"{name}: {commits} points, {death}")


def _runs(script: Script) -> int:
    return sum(script.bench.board.truth().runs.values())
