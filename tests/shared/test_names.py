"""Names from outside: what is no name is refused and forges no topic, point, file or line (T19)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import topics
from shared.records import Record, RecordError, parse_record
from tests.cloud.records import sale

HOSTILE = (
    "\n",
    "\r",
    "\0",
    ",",
    "=",
    " ",
    '"',
    "'",
    "\\",
    "/",
    "../",
    "<script>",
    "+",
    "#",
    "$",
    ";",
    "é",
    "\u2028",
)
NAMES = ("machine", "epoch", "slot", "product", "currency")
texts = st.text(max_size=40)
hostile = st.builds(lambda a, b, c: a + b + c, texts, st.sampled_from(HOSTILE), texts)


@given(st.sampled_from(NAMES), hostile)
def test_a_hostile_name_makes_no_record(name: str, text: str) -> None:
    with pytest.raises(RecordError):
        parse_record({**sale("m1", 1), name: text})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", HOSTILE)
def test_a_good_name_with_something_behind_it_is_none(name: str, end: str) -> None:
    good = sale("m1", 1)
    assert isinstance(parse_record(good), Record)
    with pytest.raises(RecordError):
        parse_record({**good, name: good[name] + end})


@given(hostile)
def test_a_hostile_topic_is_nobodys(text: str) -> None:
    for name in (f"vend/v1/{text}/sale", f"vend/v1/m1/sale{text}", f"{text}vend/v1/m1/sale"):
        assert topics.parse(name) is None


def test_a_line_end_behind_a_topic_is_no_topic() -> None:
    assert topics.parse("vend/v1/m1/sale") == ("m1", topics.SALE)
    assert topics.parse("vend/v1/m1/sale\n") is None
