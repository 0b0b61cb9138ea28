"""What is inside messages: selected, redacted, renamed, compared, held against the contract."""

import json
from collections.abc import Sequence

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import codec, topics
from shared.capture import Message
from shared.decoded import decode, rewrite, view
from shared.redaction import redacted
from shared.renaming import Renaming, RenamingError, machine_of
from shared.selection import Selection, matches
from shared.tap import words
from shared.tap.contract import KINDS, Coverage
from shared.tap.difference import differences
from tests.tap.messages import CODE, command, message, owed, record, records, sale, sales

# --- values ------------------------------------------------------------------------------------------------


@given(st.sampled_from(["vend/v1/m1/sale", "vend/v1/m1/prices", "x/y"]), st.binary(max_size=60))
def test_any_bytes_have_a_view_and_are_not_changed_by_who_changes_nothing(topic: str, payload: bytes) -> None:
    json.dumps(view(topic, payload))
    assert rewrite(topic, payload, lambda _name, value: value) == payload
    as_it_came = message(topic, payload)
    assert redacted(redacted(as_it_came)) == redacted(as_it_came)
    assert list(words.lines(as_it_came))


def test_a_view_opens_what_was_signed() -> None:
    shown = json.dumps(view("vend/v1/m1/command", command("m1").payload))
    assert "free-vend" in shown


def test_nothing_from_a_payload_is_a_terminals_code() -> None:
    for topic, payload in (
        ("x/\x1b[2J", b"\x1b]0;title\x07"),
        ("vend/v1/m1/prices", json.dumps({"a\x1b": "\x1b[2J", "b": ["\x9b"]}).encode()),
        ("vend/v1/m1/event", codec.pack([{"kind": "\x1b[31m", "seq": "\x1b"}])),
        ("vend/v1/m1/prices", b"\x1b[2J"),
    ):
        for line in words.lines(message(topic, payload)):
            plain = click.unstyle(line)
            assert plain.isprintable(), plain


# --- selection ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("vend/v1/+/sale", "vend/v1/m1/sale", True),
        ("vend/v1/+/sale", "vend/v1/m1/sale/x", False),
        ("vend/v1/+/sale", "vend/v1/m1", False),
        ("vend/v1/#", "vend/v1", True),
        ("vend/v1/#", "vend/v1/m1/wallet/request", True),
        ("vend/v1/#", "vend/v10/m1", False),
        ("#", "a", True),
        ("#", "$SYS/a", False),
        ("+/a", "$SYS/a", False),
        ("$SYS/#", "$SYS/a", True),
        ("+", "", True),
        ("a/+", "a/", True),
        ("a", "b", False),
    ],
)
def test_filters_match_as_the_standard_has_it(pattern: str, topic: str, expected: bool) -> None:
    assert matches(pattern, topic) is expected


def test_a_part_of_a_capture() -> None:
    all_of_it = [sales(f"m{n % 2}", n, t_ns=n) for n in range(1, 9)]

    def numbers(selection: Selection) -> list[int]:
        return [m.t_ns for m in selection.of(all_of_it)]

    assert numbers(Selection()) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert numbers(Selection(from_ns=3, until_ns=6)) == [3, 4, 5]
    assert numbers(Selection(machines=("m1",), from_ns=2)) == [3, 5, 7]
    assert numbers(Selection(topics=("vend/v1/m0/#", "x"))) == [2, 4, 6, 8]


# --- redaction ---------------------------------------------------------------------------------------------


def test_what_proves_a_claim_or_carries_out_a_command_is_gone_and_all_else_is_there() -> None:
    event = records(topics.EVENT, "m1", owed("m1", 1), record("m1", 2, "door", open=True))
    clean = redacted(event)
    assert b"483920" not in clean.payload
    assert codec.unpack(clean.payload) == codec.unpack(event.payload.replace(b"483920", b"000000"))
    order = redacted(command("m1"))
    assert b"\x77" not in order.payload
    assert b"free-vend" in order.payload
    for kind in (event, command("m1")):
        assert not broken(redacted(kind)), "it is still a message of the contract"


def test_certificates_recordings_and_texts_are_covered_whatever_version_they_are() -> None:
    reply = {"v": 9, "deep": [{"recording": ["P,10,11223344"], "text": f"paid {CODE}."}], "new": 1}
    clean = redacted(message("vend/v1/m1/reply", codec.pack(reply)))
    assert codec.unpack(clean.payload) == {
        "v": 9,
        "deep": ({"recording": ("redacted",), "text": "paid 0007-000000."},),
        "new": 1,
    }
    request = message("vend/v1/m1/certificate/request", b'{"v":1,"serial":"ab","csr":"-----BEGIN"}')
    assert redacted(request).payload == b'{"v":1,"serial":"ab","csr":"redacted"}'


def test_what_cannot_be_read_hides_nothing() -> None:
    torn = codec.pack([owed("m1", 1)])[:-1]
    assert CODE[:-1].encode() in torn
    assert CODE[:6].encode() not in redacted(message("vend/v1/m1/event", torn)).payload
    envelope = command("m1").payload
    assert b"\x77" not in redacted(message("vend/v1/m1/command", envelope + b"!")).payload


def test_what_has_no_secret_keeps_its_bytes() -> None:
    for kept in (
        sales("m1", 1, 2),
        message("vend/v1/m1/prices", b'{ "v": 1, "version" :3}'),
        message("a", b"x"),
    ):
        assert redacted(kept) is kept


# --- renaming ----------------------------------------------------------------------------------------------


def test_a_machine_has_its_new_name_everywhere() -> None:
    renamed = Renaming({"m1": "m7", "m2": "m1"})
    first = renamed.of(sales("m1", 1, 2))
    assert first.topic == "vend/v1/m7/sale"
    assert not broken(first)
    assert renamed.of(sales("m2", 1)).topic == "vend/v1/m1/sale"
    order = renamed.of(command("m1"))
    assert order.properties["ResponseTopic"] == "vend/v1/m7/reply"
    assert not broken(order), "its header inside what is signed names m7"
    other = message("other/m1/sale", b"{}")
    assert renamed.of(other) == other


@pytest.mark.parametrize("names", [{"m1": "M 1"}, {"m1": "m3", "m2": "m3"}, {"": "m1"}])
def test_names_that_cannot_be_are_refused(names: dict[str, str]) -> None:
    with pytest.raises(RenamingError):
        Renaming(names)


def test_two_machines_never_become_one() -> None:
    with pytest.raises(RenamingError, match="m7"):
        Renaming({"m1": "m7"}).of(sales("m7", 1))


# --- difference --------------------------------------------------------------------------------------------


def test_the_same_records_in_other_batches_at_other_times_are_no_difference() -> None:
    left = [sales("m1", 1, 2, 3), message("vend/v1/m1/prices", b'{"v":1,"version":3}', retain=True)]
    spaced = message("vend/v1/m1/prices", b'{"version": 3, "v": 1}', t_ns=9, retain=True, dup=True)
    right = [spaced, sales("m1", 1, t_ns=5), sales("m1", 2, 3, t_ns=8)]
    assert differences(left, right) == []


def test_a_difference_names_topic_place_and_what_was_said() -> None:
    left = [sales("m1", 1, 2, 3), sales("m2", 1)]
    right = [records(topics.SALE, "m1", sale("m1", 1), sale("m1", 3, price_minor=200)), sales("m2", 1)]
    found = differences(left, right)
    assert [(d.side, d.topic, d.number, d.said["record"]["seq"]) for d in found] == [
        ("-", "vend/v1/m1/sale", 2, 2),
        ("-", "vend/v1/m1/sale", 3, 3),
        ("+", "vend/v1/m1/sale", 2, 3),
    ]


@pytest.mark.parametrize(
    "changed",
    [
        message("vend/v1/m1/prices", b"{}", qos=0),
        message("vend/v1/m1/prices", b"{}", retain=True),
        message("vend/v1/m1/prices", b"{}", ContentType="x"),
        message("vend/v1/m1/prices", b"{]"),
        message("vend/v1/m2/prices", b"{}"),
    ],
    ids=["qos", "retain", "property", "payload", "topic"],
)
def test_each_part_of_a_message_counts(changed: Message) -> None:
    assert len(differences([message("vend/v1/m1/prices", b"{}")], [changed])) == 2


# --- the contract ------------------------------------------------------------------------------------------


def broken(*messages: Message, keeps_retained: bool = True) -> Sequence[str]:
    coverage = Coverage(keeps_retained)
    for one in messages:
        coverage.add(one)
    return [violation.why for violation in coverage.violations]


def test_what_appeared_is_counted_and_the_rest_is_named() -> None:
    coverage = Coverage(keeps_retained=True)
    for one in (sales("m1", 1, 2), records(topics.EVENT, "m1", owed("m1", 3)), command("m1")):
        coverage.add(one)
    assert coverage.seen == {"sale sale": 2, "event owed": 1, "command free-vend": 1}
    assert set(coverage.missing) == set(KINDS) - set(coverage.seen)
    assert {"prices", "event boot", "reply refused", "certificate/issued", "command lock"} <= set(KINDS)
    assert (coverage.messages, coverage.wrong) == (3, 0)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (message("vend/v1/m1/unheard-of", b"x"), "no topic"),
        (message("vend/v1/m1/sale", codec.pack([sale("m1", 1)]), qos=0), "QoS 0"),
        (message("vend/v1/m1/sale", codec.pack([sale("m1", 1)]), retain=True), "retained"),
        (message("vend/v1/m1/watermark", b'{"v":1}'), "not retained"),
        (message("vend/v1/m1/sale", codec.pack([sale("m1", 1)]), ContentType="text/plain"), "text/plain"),
        (message("vend/v1/m1/sale", b"\xc1"), "msgpack"),
        (message("vend/v1/m1/sale", codec.pack([])), "array"),
        (message("vend/v1/m1/sale", codec.pack([sale("m1", 1, price_minor=-1)])), "price_minor"),
        (message("vend/v1/m1/sale", codec.pack([sale("m2", 1)])), "record of m2"),
        (message("vend/v1/m1/sale", codec.pack([owed("m1", 1)])), "does not belong"),
        (message("vend/v1/m1/prices", b"{}", retain=True), "version"),
        (message("vend/v1/m1/receipt", b""), "msgpack"),
        (command("m1", topic_of="m2"), "command for m1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_breaks_the_contract_is_said(wrong: Message, why: str) -> None:
    (said,) = broken(wrong)
    assert why in said


def test_an_archive_does_not_keep_the_retained_flag_and_an_empty_one_clears() -> None:
    assert not broken(message("vend/v1/m1/watermark", b'{"v":1}'), keeps_retained=False)
    assert not broken(message("vend/v1/m1/watermark", b"", retain=True))


def test_the_machine_of_a_topic_that_the_table_does_not_have() -> None:
    assert machine_of("vend/v1/m1/future/thing") == "m1"
    assert machine_of("vend/v1/m1") is None
    assert decode("vend/v1/m1/sale", b"").value is None
