"""A price list is taken whole or refused whole, with words."""

import json
from typing import Any

import pytest

from edge.catalog import MAX_BYTES, judge
from shared.messages import PriceList, PricesRefused

SLOTS = ("A1", "B1")
LATEST = PriceList(version=5, currency="EUR", prices={"A1": 150, "B1": 60})


def payload(**changes: Any) -> bytes:  # noqa: ANN401  # wrong types are the point
    return json.dumps({**LATEST.model_dump(), "version": 6, **changes}).encode()


def refusal(message: bytes) -> PricesRefused:
    verdict = judge(message, LATEST, SLOTS)
    assert isinstance(verdict, PricesRefused)
    assert verdict.reason
    return verdict


def test_a_newer_list_is_taken() -> None:
    verdict = judge(payload(prices={"A1": 200, "B1": 1}), LATEST, SLOTS)
    assert verdict == PriceList(version=6, currency="EUR", prices={"A1": 200, "B1": 1})


def test_versions_may_be_skipped_and_unknown_fields_are_ignored() -> None:
    assert isinstance(judge(payload(version=600, note="spring"), LATEST, SLOTS), PriceList)


def test_the_same_list_again_is_nothing_new() -> None:
    assert judge(payload(version=5), LATEST, SLOTS) is None
    assert judge(payload(version=5, prices={"B1": 60, "A1": 150}), LATEST, SLOTS) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 4}, "version 4 is not newer than 5"),
        ({"version": 5, "prices": {"A1": 151, "B1": 60}}, "version 5 is not newer than 5"),
        ({"version": 0}, "not newer"),
        ({"currency": "USD"}, "currency USD; this machine sells in EUR"),
        ({"prices": {"A1": 1, "B1": 1, "C9": 1}}, "slot C9 does not exist in this machine"),
        ({"prices": {"A1": 1}}, "slot B1 has no price"),
        ({"prices": {"A1": 1, "C9": 1}}, "C9"),
    ],
)
def test_a_list_that_does_not_fit_is_refused_by_its_version(changes: dict[str, Any], words: str) -> None:
    refused = refusal(payload(**changes))
    assert words in refused.reason
    assert refused.version == changes.get("version", 6)


@pytest.mark.parametrize(
    "changes",
    [
        {"prices": {"A1": 0, "B1": 60}},
        {"prices": {"A1": -150, "B1": 60}},
        {"prices": {"A1": 1.5, "B1": 60}},
        {"prices": {"A1": "150", "B1": 60}},
        {"prices": {"A1": True, "B1": 60}},
        {"prices": {"A1": 10**9, "B1": 60}},
        {"prices": {}},
        {"prices": {"../etc": 1}},
        {"prices": None},
        {"version": -1},
        {"version": "6"},
        {"version": 2**70},
        {"currency": "eur"},
        {"v": 2},
    ],
)
def test_a_malformed_list_is_refused(changes: dict[str, Any]) -> None:
    assert refusal(payload(**changes)).version is None


@pytest.mark.parametrize(
    "message",
    [b"{", b"null", b"[]", b"6", b"\xff\xfe", b"{}", b'{"version":NaN}', b"[" * 5_000, payload()[:-1], b"\0"],
)
def test_bytes_that_are_no_list_are_refused(message: bytes) -> None:
    refused = refusal(message)
    assert refused.version is None
    assert len(refused.reason) <= 200


def test_an_empty_message_never_clears_prices() -> None:
    assert "empty" in refusal(b"").reason


def test_a_huge_message_is_refused_unread() -> None:
    assert "bytes" in refusal(payload(note="x" * MAX_BYTES)).reason
    assert "bytes" in refusal(b" " * (MAX_BYTES + 1)).reason


def test_a_hostile_slot_name_does_not_break_the_refusal() -> None:
    name = "\x00\n" + "x" * 5_000
    refused = refusal(payload(prices={name: 1}))
    assert len(refused.reason) <= 256
    assert not any(ord(c) < 32 for c in refused.reason)
