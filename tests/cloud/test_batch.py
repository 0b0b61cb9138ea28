"""Every message and record of a batch is accounted for, whatever its neighbours are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.batch import RECEIPT_ENTRIES, Arrived, Batch, digest, settle
from shared import codec, topics
from shared.messages import Health, PriceList, Receipt, Reported, Status, Stock
from tests.cloud.records import EPOCH, START_NS, arrived, boot, sale

SLOT = {"product": "cola", "count": 3, "capacity": 10, "par": 8}


def codes(batch: Batch) -> list[str]:
    return [letter.code for letter in batch.dead]


def only(receipts: list[tuple[str, Receipt]]) -> tuple[str, Receipt]:
    assert len(receipts) == 1
    return receipts[0]


def test_good_records_become_points_and_one_receipt() -> None:
    batch = digest([arrived("m1", sale("m1", 1), sale("m1", 2)), arrived("m1", sale("m1", 4))])
    assert [line.key for line in batch.lines] == [("m1", EPOCH, seq) for seq in (1, 2, 4)]
    assert only(settle(batch, {})) == (
        "m1",
        Receipt(
            epoch=EPOCH,
            stored=((1, 2), (4, 4)),
            checks=((START_NS + 1_000_000) ^ (START_NS + 2_000_000), START_NS + 4_000_000),
        ),
    )
    assert not batch.dead


BAD: dict[str, tuple[Any, str]] = {
    "future version": ({"v": 2}, "unsupported_version"),
    "negative price": ({"price_minor": -1}, "bad_body"),
    "float price": ({"price_minor": 1.5}, "bad_body"),
    "unknown kind": ({"kind": "magic"}, "bad_body"),
    "unknown tender": ({"tenders": [{"tender": "gold", "amount_minor": 1}]}, "bad_body"),
    "wrong kind": ({"kind": "boot", "software": "x", "recovered": "nothing"}, "wrong_topic"),
    "other machine": ({"machine": "m2"}, "other_machine"),
    "other machine from the future": ({"machine": "m2", "v": 9}, "unsupported_version"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_is_refused_by_number_and_its_neighbours_are_stored(name: str) -> None:
    changes, code = BAD[name]
    bad = {**sale("m1", 2), **changes}
    batch = digest([arrived("m1", sale("m1", 1), bad, sale("m1", 3), at_ns=77)])
    machine, receipt = only(settle(batch, {}))
    assert machine == "m1", "only the sender is answered, whoever the record names"
    assert receipt.stored == ((1, 1), (3, 3))
    assert [(r.seq, r.reason) for r in receipt.refused] == [(2, code)]
    letter = batch.dead[0]
    assert (letter.code, letter.epoch, letter.seq, letter.arrived_ns) == (code, EPOCH, 2, 77)
    assert letter.payload == codec.pack(bad), "the record alone"


def test_a_record_without_a_name_is_a_dead_letter_only() -> None:
    batch = digest([arrived("m1", sale("m1", 1), {"v": 1}, "x", None, sale("m1", 0), sale("m1", 2))])
    assert codes(batch) == ["bad_header"] * 4
    assert only(settle(batch, {}))[1].stored == ((1, 2),)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "malformed"),
        (b"\xc1", "malformed"),
        (codec.pack([sale("m1", 1)])[:-1], "malformed"),
        (codec.pack(sale("m1", 1)), "not_a_list"),
        (b"\x91\x82\xa1a\x01\xa1a\x02", "duplicate_key"),
        (bytes(codec.MAX_MESSAGE_BYTES + 1), "too_large"),
    ],
)
def test_poison_is_kept_and_the_messages_around_it_are_stored(payload: bytes, code: str) -> None:
    poison = Arrived(topics.SALE.of("m1"), payload, 1, False, 5)
    batch = digest([arrived("m1", sale("m1", 1)), poison, arrived("m1", sale("m1", 2))])
    assert codes(batch) == [code]
    assert batch.dead[0].payload == payload
    assert only(settle(batch, {}))[1].stored == ((1, 2),)


@pytest.mark.parametrize("topic", ["vend/v2/m1/sale", "vend/v1/M1/sale", "vend/v1/m1/nothing", "", "a"])
def test_a_topic_of_nobody(topic: str) -> None:
    assert codes(digest([Arrived(topic, codec.pack([sale("m1", 1)]), 1, False, 0)])) == ["unknown_topic"]


def test_events_do_not_come_as_sales() -> None:
    batch = digest(
        [arrived("m1", boot("m1", 1), topic=topics.EVENT), arrived("m1", sale("m1", 2), topic=topics.EVENT)]
    )
    assert [line.key for line in batch.lines] == [("m1", EPOCH, 1)]
    assert codes(batch) == ["wrong_topic"]


def test_two_journals_and_two_machines_have_receipts_of_their_own() -> None:
    other = "ffffffffffff"
    batch = digest(
        [
            arrived("m1", sale("m1", 1), sale("m1", 1, epoch=other)),
            arrived("m2", sale("m2", 1)),
        ]
    )
    receipts = {(machine, r.epoch): r.stored for machine, r in settle(batch, {})}
    assert receipts == dict.fromkeys([("m1", EPOCH), ("m1", other), ("m2", EPOCH)], ((1, 1),))
    assert len({line.text for line in batch.lines}) == 3, "epochs never share a point"


def test_what_the_database_refuses_is_a_dead_letter_and_a_refusal() -> None:
    batch = digest([arrived("m1", sale("m1", 1), sale("m1", 2), sale("m1", 3))])
    _, receipt = only(settle(batch, {1: "400 beyond retention policy"}))
    assert receipt.stored == ((1, 1), (3, 3))
    assert [(r.seq, r.reason) for r in receipt.refused] == [(2, "database_refused")]
    letter = batch.dead[0]
    assert (letter.code, letter.reason, letter.seq) == ("database_refused", "400 beyond retention policy", 2)
    assert letter.payload == codec.pack(sale("m1", 2))


def test_a_refused_stock_point_owes_nobody_a_receipt() -> None:
    stock = Stock.model_validate({"at_ns": 5, "slots": {"A1": SLOT}}).model_dump_json().encode()
    batch = digest([Arrived(topics.STOCK.of("m1"), stock, 1, True, 0)])
    assert settle(batch, {0: "400 no"}) == []
    assert [(d.code, d.payload) for d in batch.dead] == [("database_refused", stock)]


def test_a_record_that_came_damaged_and_whole_is_stored() -> None:
    batch = digest([arrived("m1", sale("m1", 1, price_minor=-1)), arrived("m1", sale("m1", 1))])
    assert only(settle(batch, {})) == (
        "m1",
        Receipt(epoch=EPOCH, stored=((1, 1),), checks=(START_NS + 1_000_000,)),
    )


def test_snapshots_are_the_last_ones_and_an_empty_message_is_nothing() -> None:
    def status(online: bool) -> Arrived:
        tenders = {"cash": {"available": online}}
        value = Status.model_validate(
            {"online": online, "since_ns": 1, "epoch": EPOCH, "software": "x", "tenders": tenders}
        )
        return Arrived(topics.STATUS.of("m1"), value.model_dump_json().encode(), 1, False, 0)

    prices = PriceList(version=1, currency="EUR", prices={"A1": 150})
    reported = Reported(at_ns=1, prices=prices).model_dump_json().encode()
    stock = Stock.model_validate({"at_ns": 5, "slots": {"A1": SLOT}}).model_dump_json().encode()
    batch = digest(
        [
            status(online=True),
            status(online=False),
            Arrived(topics.REPORTED.of("m1"), reported, 1, True, 0),
            Arrived(topics.STOCK.of("m1"), stock, 1, True, 0),
            Arrived(
                topics.HEALTH.of("m1"), Health(at_ns=6, disk_free_mb=7).model_dump_json().encode(), 1, True, 0
            ),
            Arrived(topics.STATUS.of("m2"), b"", 1, True, 0),
            Arrived(topics.REPORTED.of("m2"), b"{}", 1, True, 0),
            Arrived(topics.STOCK.of("m2"), b"[" * 100_000, 1, True, 0),
        ]
    )
    assert not batch.status["m1"].online
    assert batch.reported["m1"].prices == prices
    assert set(batch.stock) == {"m1"}
    assert batch.health["m1"].disk_free_mb == 7
    assert [(line.key, line.text.partition(",")[0]) for line in batch.lines] == [
        (None, name) for name in ("status", "status", "stock", "health")
    ]
    assert codes(batch) == ["bad_json", "bad_json"]
    assert settle(batch, {}) == []


def test_a_retained_word_is_no_sign_of_life() -> None:
    batch = digest([arrived("m1", sale("m1", 1)), arrived("m2", sale("m2", 1), retain=True)])
    assert set(batch.heard) == {"m1"}


def test_charged_is_the_newest_sale_of_a_slot() -> None:
    batch = digest(
        [
            arrived("m1", sale("m1", 3, price_minor=170, price_version=2)),
            arrived("m1", sale("m1", 2), sale("m1", 1, slot="B2", price_minor=90)),
        ]
    )
    assert {(c.machine, c.slot, c.tender): c.price_minor for c in batch.charged.values()} == {
        ("m1", "A1", "cash"): 170,
        ("m1", "B2", "cash"): 90,
    }
    card, free = ({"tender": tender, "amount_minor": 0} for tender in ("card", "free"))
    batch = digest([arrived("m1", sale("m1", 4, tenders=(card,)), sale("m1", 5, tenders=(free,)))])
    assert [c.tender for c in batch.charged.values()] == ["card"]


def test_receipts_of_a_scattered_batch_stay_within_their_limits() -> None:
    seqs = range(1, 2 * (2 * RECEIPT_ENTRIES + 5), 2)
    good = [arrived("m1", *(sale("m1", s) for s in seqs[i : i + 100])) for i in range(0, len(seqs), 100)]
    bad = [
        arrived("m1", *(sale("m1", s + 1, v=3) for s in seqs[i : i + 100])) for i in range(0, len(seqs), 100)
    ]
    receipts = [receipt for _, receipt in settle(digest([*good, *bad]), {})]
    assert len(receipts) == 3
    for receipt in receipts:
        assert codec.unpack(codec.pack(receipt.model_dump()))
    assert [r for receipt in receipts for r in receipt.stored] == [(s, s) for s in seqs]
    assert [r.seq for receipt in receipts for r in receipt.refused] == [s + 1 for s in seqs]


@given(
    st.lists(
        st.tuples(st.integers(min_value=1, max_value=30), st.sampled_from(["good", "bad", "nameless"])),
        max_size=40,
    ),
    st.sets(st.integers(min_value=0, max_value=39)),
)
def test_received_is_stored_or_refused_or_dead(records: list[tuple[int, str]], guilty: set[int]) -> None:
    def raw(seq: int, fate: str) -> object:
        return {"good": sale("m1", seq), "bad": sale("m1", seq, price_minor=0), "nameless": {}}[fate]

    batch = digest([arrived("m1", raw(*record)) for record in records])
    refused = {index: "no" for index in guilty if index < len(batch.lines)}
    lines = list(batch.lines)
    receipts = [receipt for _, receipt in settle(batch, refused)]
    stored = {seq for receipt in receipts for first, last in receipt.stored for seq in range(first, last + 1)}
    told = {refusal.seq for receipt in receipts for refusal in receipt.refused}
    assert stored == {key[2] for i, line in enumerate(lines) if i not in refused and (key := line.key)}
    assert stored | told == {seq for seq, fate in records if fate != "nameless"}
    assert not stored & told
    assert len(batch.dead) + len(lines) - len(refused) == len(records)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_are_a_dead_letter_and_never_an_error(payloads: list[bytes]) -> None:
    for topic in topics.TOPICS:
        batch = digest([Arrived(topic.of("m1"), payload, 1, False, 0) for payload in payloads])
        assert not batch.lines or topic.model is None
        settle(batch, {})


def test_nothing_is_taken_from_a_revoked_machine_and_it_is_told_nothing() -> None:
    status = Arrived(topics.STATUS.of("m2"), b"{}", 1, True, 5)
    batch = digest([arrived("m1", sale("m1", 1)), arrived("m2", sale("m2", 1)), status], {"m2"})
    assert only(settle(batch, {})) == (
        "m1",
        Receipt(epoch=EPOCH, stored=((1, 1),), checks=(sale("m1", 1)["at_ns"],)),
    )
    assert [(letter.code, letter.topic) for letter in batch.dead] == [
        ("revoked", topics.SALE.of("m2")),
        ("revoked", topics.STATUS.of("m2")),
    ]
    assert set(batch.heard) == {"m1"}
    assert not batch.status
