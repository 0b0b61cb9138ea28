"""What is asked of machines, and how long is waited: a model of a machine and of InfluxDB."""

import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from cloud.ranges import count, ranges_of
from cloud.rebuild.machines import Wanted, _spans, fetch, look
from shared import commands as wire
from tests.cloud.records import EPOCH
from tests.cloud.test_ingest import drive


class Far:
    """A machine that keeps `kept`; each look at InfluxDB finds `rate` more of what it owes."""

    def __init__(self, kept: set[int], stored: set[int], rate: int = 3) -> None:
        self.kept = kept
        self.stored = stored
        self.rate = rate
        self.owed: list[int] = []
        self.asked: list[wire.Action] = []
        self.naps = 0

    async def ask(self, _machine: str, action: wire.Action) -> dict[str, Any]:
        self.asked.append(action)
        if isinstance(action, wire.Resend):
            assert 0 <= action.last - action.first < wire.MAX_RESEND
            self.owed += sorted(seq for seq in self.kept if action.first <= seq <= action.last)
        result = {
            "epoch": EPOCH,
            "kept_from": min(self.kept, default=1),
            "last_seq": max(self.kept, default=0),
            "owed": len(self.owed),
        }
        return {"state": "done", "text": "", "result": result}

    async def query(self, influxql: str) -> list[dict[str, Any]]:
        for seq in self.owed[: self.rate]:
            self.stored.add(seq)
        del self.owed[: self.rate]
        first, last = map(int, re.findall(r'"seq" [<>]= (\d+)', influxql))
        return [{"seq": seq} for seq in self.stored if first <= seq <= last]

    async def nap(self, _pause_s: float) -> None:
        self.naps += 1

    def run(self) -> tuple[Wanted, int]:
        came: list[int] = []
        wanted = drive(look("m1", self.ask, self.query))
        drive(fetch(wanted, self.ask, self.query, came.append, sleep=self.nap))
        return wanted, sum(came)


NUMBERS = st.sets(st.integers(1, 60))


@given(NUMBERS, NUMBERS, st.integers(1, 20))
@example({1}, set(), 1)
def test_all_that_is_kept_anywhere_is_stored_and_the_rest_is_named(
    kept: set[int], stored: set[int], rate: int
) -> None:
    before = len(stored | kept) - len(stored)
    far = Far(kept, set(stored), rate)
    wanted, came = far.run()
    assert far.stored == kept | stored
    assert came == before
    last = max(kept, default=0)
    lost = set(range(1, last + 1)) - kept - stored
    assert count(wanted.missing) + wanted.gone == len(lost)
    assert wanted.trouble == ""


def test_a_machine_that_goes_away_is_given_up_and_the_next_start_asks_for_the_rest() -> None:
    far = Far(set(range(1, 50)), set(), rate=0)
    wanted, came = far.run()
    assert (wanted.missing, came) == ([(1, 49)], 0)
    assert "stopped coming" in wanted.trouble
    assert far.naps < 20
    far.rate = 50
    assert far.run()[0].missing == []


@given(st.sets(st.integers(0, 5)), st.integers(1, 3 * wire.MAX_RESEND))
def test_commands_stay_within_their_limit_and_name_every_number(far: set[int], long: int) -> None:
    wanted = ranges_of({1 + n * 4_000 for n in far})
    missing = [*wanted, (30_000, 30_000 + long)]
    spans = list(_spans(missing))
    assert all(span[-1][1] - span[0][0] < wire.MAX_RESEND for span in spans)
    assert sum(count(span) for span in spans) == count(missing)
