"""Random faults from a seed; the model hardware judges."""

from pathlib import Path

import pytest

from tests.world.model import START_S, World, records

SEEDS = range(60)
TURNS = 400


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_doubled_or_invented(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path, seed)
    for _ in range(TURNS):
        world.turn()
    world.settle_down()
    hardware, state = world.hardware, world.core.state

    kept = records(world.journal)
    assert [r["seq"] for r in kept] == list(range(1, len(kept) + 1))
    times = [r["at_ns"] for r in kept]
    assert times == sorted(set(times))
    for record, made_s in zip(kept, world.made_s, strict=True):
        if record["clock"] == "synced":
            assert abs(record["at_ns"] / 10**9 - START_S - made_s) < 2

    sales = [r for r in kept if r["kind"] == "sale"]
    doubtful = [r for r in sales if r["outcome"] == "doubtful"]
    assert sorted(world.database.sales()) == sorted(r["price_minor"] for r in sales)
    assert len(world.database.points) == len(kept)
    assert len(doubtful) <= world.doubtful_kills
    assert len(sales) - len(doubtful) <= hardware.drops <= len(sales)

    sold = sum(r["price_minor"] for r in sales)
    owed = sum(r["amount_minor"] for r in kept if r["kind"] == "owed")
    assert hardware.taken_minor - hardware.paid_minor == sold + owed + state.credit_minor
    world.journal.close()


def test_one_seed_is_one_run(tmp_path: Path) -> None:
    runs = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        world = World(folder, 7)
        for _ in range(TURNS):
            world.turn()
        drop = {"epoch"}
        runs.append([{k: v for k, v in r.items() if k not in drop} for r in records(world.journal)])
        world.journal.close()
    assert runs[0] == runs[1]
