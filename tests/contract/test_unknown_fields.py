"""Fields of a newer version at any place: read over by whoever gets them, and nothing else changes."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.contract import golden
from deploy.contract.kinds import KINDS
from edge.link_events import Inbound, Publish
from edge.store.journal import Journal
from shared import codec
from tests.contract.edge import Edge
from tests.contract.later import Draw, newer, told

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.text(st.characters(codec="utf-8"), max_size=20)
)
LATER = st.dictionaries(
    st.sampled_from(["later_a", "later_b", "later_c"]),
    SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2),
    min_size=1,
    max_size=2,
)


GOLDEN = [(name, wire) for name, version, wire in golden.wires() if version == 1]
BY_NAME = {kind.name: kind for kind in KINDS}


@pytest.mark.parametrize(("name", "wire"), GOLDEN, ids=[name for name, _ in GOLDEN])
@given(data=st.data())
@settings(max_examples=5)
def test_every_message_is_read_as_if_they_were_not_there(name: str, wire: bytes, data: st.DataObject) -> None:
    kind = BY_NAME[name]
    from_tomorrow = newer(kind, wire, lambda: data.draw(LATER))
    assert b"later_" in from_tomorrow
    assert kind.decode(from_tomorrow) == kind.decode(wire)


# ---- a machine of today, and a cloud of tomorrow


def after(draw: Draw) -> dict[str, Any]:
    """What has become of a machine that heard all of it, and messages on topics that it does not know."""
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal.db", "m1") as journal:
        edge = Edge(journal)
        for name in ("mood", "wallet/update", "prices/next", "a/b/c"):
            edge.hear(Inbound(f"vend/v1/m1/{name}", codec.pack(draw())))
        for topic, payload in told(edge, draw):
            edge.hear(Inbound(topic.of("m1"), payload))
        return {
            "state": edge.core.state,
            "counts": journal.counts,
            "said": [command.topic for command in edge.said if isinstance(command, Publish)],
            "refused": edge.core.desk.refused,
        }


NOTHING: dict[str, Any] = {}


@given(data=st.data())
@settings(max_examples=5)
def test_a_machine_of_today_does_what_a_cloud_of_tomorrow_wants(data: st.DataObject) -> None:
    today = after(lambda: NOTHING)
    assert today["state"].prices.version == 1
    assert today["state"].config.tenders_off == {"card": "no cards today"}
    assert today["counts"].stored >= 2
    assert not today["refused"]
    assert "B1" in str(today["state"].cabinet)
    later = after(lambda: data.draw(LATER))
    assert [what for what in today if later[what] != today[what]] == []
