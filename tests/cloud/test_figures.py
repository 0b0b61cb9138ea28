"""The books as points: counts of this moment, proofs of this hour, few requests however large the fleet."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cloud.bags import Counts
from cloud.figures import PERIOD_S, Proofs, write_once
from tests.cloud.records import START_NS, arrived, sale
from tests.cloud.test_books import Desk

PERIOD_NS = PERIOD_S * 10**9
MACHINES = [f"m{number}" for number in range(20)]


class Asked:
    """A database that holds nothing and remembers what it was asked and told."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.written: list[Sequence[str]] = []

    async def query(self, influxql: str) -> list[dict[str, Any]]:
        self.questions.append(influxql)
        return []

    async def write(self, lines: Sequence[str]) -> dict[int, str]:
        self.written.append(lines)
        return {}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(Desk(tmp_path)) as opened:
        yield opened


def test_proofs_are_made_once_an_hour_and_counts_are_always_new(desk: Desk, tmp_path: Path) -> None:
    for machine in MACHINES:
        desk.take(arrived(machine, sale(machine, 1)))
    proofs: Proofs = {}
    with closing(Counts(tmp_path / "store.db")) as counts:

        def write(period: int) -> tuple[int, Sequence[str]]:
            database = Asked()
            at_ns = START_NS + period * PERIOD_NS
            asyncio.run(write_once(database, desk.books, counts, proofs, at_ns))
            (lines,) = database.written
            assert len(lines) == len(MACHINES)
            return len(database.questions), lines

        first, _ = write(0)
        assert first > len(MACHINES)
        desk.take(arrived("m7", sale("m7", 2), sale("m7", 4)))
        again, lines = write(1)
        assert again == 1, "for the bags alone"
        (point,) = [line for line in lines if "machine=m7 " in line]
        assert "missing=1i" in point
        assert "stored=3i" in point
        assert write(12)[0] == first
