"""A machine of tomorrow at a cloud of today, and the reverse, under every fault of the world."""

from pathlib import Path

import pytest

from deploy.contract import schemas
from deploy.contract.kinds import KINDS
from shared import codec, topics
from tests.contract.later import PARTS, with_later
from tests.world.model import World, records
from tests.world.test_world import TURNS

_SCHEMAS = {kind.name: PARTS[schemas.NAMES[kind.name]] for kind in KINDS}


def of_tomorrow(topic: topics.Topic, payload: bytes) -> bytes:
    """With fields that today nobody knows, wherever a message has fields."""

    def fields() -> dict[str, object]:
        return {"later": {"a": [1, None, "x"]}, "later_too": 1.5}

    value = codec.unpack(payload)
    if isinstance(value, tuple):
        named = [record for record in value if isinstance(record, dict)]
        assert len(named) == len(value)
        return codec.pack([with_later(record, _SCHEMAS[record["kind"]], fields) for record in named])
    return codec.pack(with_later(value, _SCHEMAS[topic.name], fields))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("side", ["machine", "cloud", "both"])
def test_two_versions_side_by_side_lose_and_invent_nothing(tmp_path: Path, seed: int, side: str) -> None:
    changed = {
        "machine": {"said_up": of_tomorrow},
        "cloud": {"said_down": of_tomorrow},
        "both": {"said_up": of_tomorrow, "said_down": of_tomorrow},
    }
    world = World(tmp_path, seed, **changed[side])
    for _ in range(TURNS):
        world.turn()
    world.settle_down()
    kept = records(world.journal)
    sales = [r["price_minor"] for r in kept if r["kind"] == "sale"]
    assert sales
    assert sorted(world.database.sales()) == sorted(sales)
    assert len(world.database.points) == len(kept)
    assert world.journal.counts.parked == 0
    world.journal.close()
