"""The table of measurements, held to the records it writes."""

import re
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.points import MEASUREMENTS, record_line, stock_lines
from shared.messages import Stock
from shared.records import Body, Sale, parse_record
from tests.cloud.records import EPOCH, boot, sale

KINDS = {model.model_fields["kind"].default: model for model in get_args(Body)}
LEFT_OUT = {"kind"}  # it is the measurement
MADE_BY_HAND = {
    "sale": {"tenders"},  # the tag `tender` and the fields `<tender>_minor`
    "audit": {"slots"},  # as JSON
}


def test_every_kind_has_a_row_and_no_row_is_left_over() -> None:
    assert MEASUREMENTS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_body_is_written(kind: str) -> None:
    row = MEASUREMENTS[kind]
    written = {*row.fields, *row.tags, *LEFT_OUT, *MADE_BY_HAND.get(kind, ())}
    assert written == set(KINDS[kind].model_fields)
    assert not {"time", "machine", "epoch", "seq", "clock"} & {*row.fields, *row.tags}
    assert not {*row.fields} & {*row.tags, "tender"}


@pytest.mark.parametrize("kind", KINDS)
def test_tags_are_names_of_few_values(kind: str) -> None:
    for tag in MEASUREMENTS[kind].tags:
        assert tag in {"route", "reason", "device", "tender", "scope"}


def _fields(line: str) -> dict[str, str]:
    parts = line.split(" ")
    return dict(part.split("=", 1) for part in parts[1].split(","))


def test_a_sale_line() -> None:
    line = record_line(parse_record(sale("m1", 7)))
    assert line == (
        f"sale,epoch={EPOCH},machine=m1,tender=cash "
        'cash_minor=150i,clock="synced",currency="EUR",duration_ms=1800i,link_down=false,outcome="delivered",'
        'paid_minor=150i,price_minor=150i,price_version=0i,product="cola",seq=7i,slot="A1",stock_left=9i '
        "1790000000007000000"
    )


@pytest.mark.parametrize(
    ("tenders", "tag", "amounts"),
    [
        ([("card", 150)], "card", {"card_minor": "150i"}),
        ([("card", 100), ("cash", 50)], "mixed", {"card_minor": "100i", "cash_minor": "50i"}),
        ([("card", 100), ("card", 50)], "card", {"card_minor": "150i"}),
        ([("free", 0)], "free", {"free_minor": "0i"}),
    ],
)
def test_tenders_are_one_tag_and_an_amount_each(
    tenders: list[tuple[str, int]], tag: str, amounts: dict[str, str]
) -> None:
    paid = tuple({"tender": name, "amount_minor": minor} for name, minor in tenders)
    line = record_line(parse_record(sale("m1", 1, tenders=paid)))
    assert f",tender={tag} " in line
    assert {k: v for k, v in _fields(line).items() if re.match(r"^(cash|card|wallet|free)_", k)} == amounts


@given(st.data())
def test_a_record_is_always_the_same_point_with_the_same_types(data: st.DataObject) -> None:
    numbers = st.integers(min_value=0, max_value=2**62)
    raw: dict[str, Any] = sale(
        "m1",
        data.draw(st.integers(min_value=1, max_value=2**62)),
        at_ns=data.draw(numbers),
        price_minor=data.draw(st.integers(min_value=1, max_value=10_000_000)),
        stock_left=data.draw(numbers),
        link_down=data.draw(st.booleans()),
        product=data.draw(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z")),
    )
    line = record_line(parse_record(raw))
    assert line == record_line(parse_record(dict(reversed(raw.items()))))
    body = KINDS["sale"]
    assert body is Sale
    for name, value in _fields(line).items():
        if value.endswith("i"):
            assert re.fullmatch(r"\d+i", value), name
        else:
            assert value in {"true", "false"} or re.fullmatch(r'"[^"]*"', value), name
    assert line.endswith(f" {raw['at_ns']}")


@given(st.text(max_size=256).filter(lambda s: not any(c < " " or c == "\x7f" for c in s)))
def test_free_text_stays_inside_its_quotes(text: str) -> None:
    line = record_line(parse_record({**boot("m1", 1), "software": text}))
    assert "\n" not in line
    quoted = re.search(r'software="((?:[^"\\]|\\.)*)" \d+$', line)
    assert quoted is not None
    assert re.sub(r"\\(.)", r"\1", quoted[1]) == text


def test_a_stock_snapshot_is_a_point_a_slot() -> None:
    slot = {"product": "cola", "count": 3, "capacity": 10, "par": 8}
    stock = Stock.model_validate({"at_ns": 5, "slots": {"A1": slot, "B2": slot}})
    assert stock_lines("m1", stock) == [
        'stock,machine=m1,slot=A1 capacity=10i,count=3i,par=8i,product="cola" 5',
        'stock,machine=m1,slot=B2 capacity=10i,count=3i,par=8i,product="cola" 5',
    ]
