"""The window of records on their way: only a receipt settles, and nothing is lost or left behind."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.outbox import (
    BACKOFF_LIMIT_S,
    MAX_BYTES,
    MAX_RECORDS,
    NUDGED_S,
    RECEIPT_LIMIT_S,
    WINDOW_BYTES,
    WINDOW_MESSAGES,
    Outbox,
    Outgoing,
)
from edge.pace import MOST_BYTES, Pace
from edge.store.journal import Owed
from shared import codec

LATE_S = RECEIPT_LIMIT_S + 0.001


class Wide(Pace):
    """A line that takes everything: what is bounded by the outbox is seen alone."""

    def room_bytes(self) -> int:
        return MOST_BYTES


class Debts:
    """A journal's owed records, and an outbox that sends them."""

    def __init__(self, sales: Iterable[int] = (), events: Iterable[int] = (), size: int = 40) -> None:
        self.owed = {"sale": set(sales), "event": set(events)}
        self.size = size
        self.box = Outbox(random.Random(1), Wide())
        self.sent: list[Outgoing] = []

    def fetch(self, stream: str, after_seq: int, limit: int) -> list[Owed]:
        seqs = sorted(seq for seq in self.owed[stream] if seq > after_seq)[:limit]
        return [Owed(seq, codec.pack({"seq": seq, "pad": "x" * (self.size - 16)})) for seq in seqs]

    def connect(self, now_s: float = 0.0, *, session: bool = False, max_packet: int | None = None) -> None:
        self.box.connected(session_present=session, max_packet_bytes=max_packet, now_s=now_s)

    def take(self, now_s: float) -> list[list[int]]:
        """The numbers in each message that leaves now."""
        self.sent = self.box.take(self.fetch, now_s)
        return [seqs(message) for message in self.sent]

    def take_acked(self, now_s: float) -> list[list[int]]:
        """The same, and the broker has them at once."""
        taken = self.take(now_s)
        for message in self.sent:
            self.box.acked(message.token, 0, now_s)
        return taken

    def receipt(self, first: int, last: int, now_s: float) -> None:
        for owed in self.owed.values():
            owed.difference_update(range(first, last + 1))
        self.box.settled([(first, last)], [], now_s)


def seqs(message: Outgoing) -> list[int]:
    records = codec.unpack(message.payload)
    assert isinstance(records, tuple)
    return [record["seq"] for record in records]


def test_nothing_leaves_without_a_connection() -> None:
    debts = Debts(sales=[1])
    assert debts.take(0.0) == []
    debts.connect()
    debts.box.disconnected()
    assert debts.take(0.0) == []
    assert debts.box.next_wake_s() is None


def test_sales_leave_before_events_and_each_once() -> None:
    debts = Debts(sales=[2, 5], events=[1, 3, 4])
    debts.connect()
    assert debts.take(0.0) == [[2, 5], [1, 3, 4]]
    assert [message.stream for message in debts.sent] == ["sale", "event"]
    assert debts.take(0.1) == []


def test_a_good_puback_settles_nothing() -> None:
    debts = Debts(sales=[1, 2])
    debts.connect()
    debts.take(0.0)
    debts.box.tick(LATE_S)  # a receipt cannot be late before the broker has the message
    debts.box.acked(debts.sent[0].token, 0, LATE_S)
    assert debts.take(LATE_S) == []
    debts.box.tick(2 * LATE_S)
    debts.take(2 * LATE_S + RECEIPT_LIMIT_S)
    assert seqs(debts.sent[0]) == [1]


def test_a_receipt_settles_and_stops_the_clock() -> None:
    debts = Debts(sales=[1, 2])
    debts.connect()
    debts.take_acked(0.0)
    debts.receipt(1, 2, 0.5)
    assert debts.box.next_wake_s() is None
    debts.box.tick(1000.0)
    assert debts.take(1000.0) == []


def test_a_refused_record_is_not_sent_again() -> None:
    debts = Debts(events=[1, 2])
    debts.connect()
    debts.take(0.0)
    debts.owed["event"].clear()
    debts.box.settled([(1, 1)], [2], 0.5)
    assert debts.box.next_wake_s() is None


def test_a_broker_that_forgot_us_gets_everything_again() -> None:
    debts = Debts(sales=[1, 2])
    debts.connect()
    debts.take(0.0)
    debts.box.disconnected()
    debts.connect(5.0, session=False)
    assert debts.take(5.0) == [[1, 2]]


def test_a_broker_that_knows_us_is_given_time_first() -> None:
    debts = Debts(sales=[1, 2])
    debts.connect()
    debts.take_acked(0.0)
    debts.box.disconnected()
    debts.owed["sale"].add(3)
    debts.connect(5.0, session=True)
    assert debts.take(5.0) == [[3]]
    debts.box.tick(5.0 + LATE_S)
    assert debts.take(5.0 + LATE_S + RECEIPT_LIMIT_S) == [[1]]


def test_what_the_broker_never_acknowledged_was_lost_with_the_connection() -> None:
    debts = Debts(sales=[1, 2])
    debts.connect()
    debts.take(0.0)
    debts.box.disconnected()
    debts.connect(5.0, session=True)
    assert debts.take(5.0) == [[1, 2]]


def test_the_window_is_bounded_in_records_and_messages() -> None:
    debts = Debts(events=range(1, 10_001))
    debts.connect()
    messages = debts.take(0.0)
    assert len(messages) == WINDOW_MESSAGES
    assert {len(message) for message in messages} == {MAX_RECORDS}
    debts.receipt(1, MAX_RECORDS, 0.5)
    assert len(debts.take(0.5)) == 1


def test_the_window_is_bounded_in_bytes() -> None:
    debts = Debts(events=range(1, 10_001), size=1_000)
    debts.connect()
    debts.take(0.0)
    sizes = [len(message.payload) for message in debts.sent]
    assert max(sizes) <= MAX_BYTES + 8
    assert WINDOW_BYTES - MAX_BYTES < sum(sizes) < WINDOW_BYTES + MAX_BYTES


def test_the_brokers_packet_limit_holds() -> None:
    debts = Debts(events=range(1, 101), size=100)
    debts.connect(max_packet=1_000)
    debts.take(0.0)
    assert max(len(message.payload) for message in debts.sent) <= 1_000 - 200
    assert sum(map(len, map(seqs, debts.sent))) == 100


def test_a_record_larger_than_the_limit_goes_alone() -> None:
    debts = Debts(events=[1, 2], size=500)
    debts.connect(max_packet=300)
    assert debts.take(0.0) == [[1], [2]]


def test_an_absent_cloud_is_probed_with_one_record_at_growing_pauses() -> None:
    debts = Debts(sales=range(1, 50), events=range(50, 500))
    debts.connect()
    debts.take(0.0)
    now_s = 0.0
    pauses: list[float] = []
    while len(pauses) < 12:
        for message in debts.sent:
            debts.box.acked(message.token, 0, now_s)
        wake_s = debts.box.next_wake_s()
        assert wake_s is not None
        debts.box.tick(wake_s)
        resume_s = debts.box.next_wake_s()
        assert resume_s is not None
        assert debts.take(resume_s - 0.001) == []
        pauses.append(resume_s - wake_s)
        now_s = resume_s
        assert debts.take(now_s) == [[1]]
    limits = [min(BACKOFF_LIMIT_S, RECEIPT_LIMIT_S * 2**n) for n in range(12)]
    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, limits, strict=True))
    assert len(set(pauses)) == len(pauses)
    debts.receipt(1, 1, now_s + 0.5)  # the cloud is back: the window opens at once
    assert len(debts.take(now_s + 0.5)) > 1


def test_two_machines_do_not_come_back_together() -> None:
    wakes = set()
    for seed in range(5):
        box = Outbox(random.Random(seed), Wide())
        debts = Debts(sales=[1])
        debts.box = box
        debts.connect()
        debts.take_acked(0.0)
        box.tick(LATE_S)
        wakes.add(box.next_wake_s())
    assert len(wakes) == 5


@pytest.mark.parametrize("reason", [0x10, 0x80, 0x87, 0x97])
def test_a_bad_puback_sends_again_after_a_pause(reason: int) -> None:
    debts = Debts(sales=[1, 2])
    debts.connect()
    debts.take(0.0)
    debts.box.acked(debts.sent[0].token, reason, 0.1)
    assert debts.take(0.2) == []
    wake_s = debts.box.next_wake_s()
    assert wake_s is not None
    assert debts.take(wake_s) == [[1]]


def test_a_puback_for_an_earlier_sending_changes_nothing() -> None:
    debts = Debts(sales=[1, 2])
    debts.connect()
    debts.take(0.0)
    old = debts.sent[0].token
    debts.box.disconnected()
    debts.connect(1.0)
    debts.take(1.0)
    debts.box.acked(old, 0x87, 1.1)
    debts.box.acked(9_999, 0x87, 1.1)
    assert debts.box.next_wake_s() is None
    assert debts.take(1.2) == []  # and was no answer to the new one


def test_an_absent_cloud_that_speaks_is_probed_within_seconds_but_not_by_all_at_once() -> None:
    probed_s = set()
    for seed in range(20):
        debts = Debts(sales=[1])
        debts.box = Outbox(random.Random(seed), Wide())
        debts.connect()
        now_s = 0.0
        for _ in range(8):
            debts.take_acked(now_s)
            now_s += LATE_S
            debts.box.tick(now_s)
            debts.box.nudged(now_s)
            wake_s = debts.box.next_wake_s()
            assert wake_s is not None
            assert wake_s <= now_s + NUDGED_S
            now_s = wake_s
        probed_s.add(round(now_s, 3))
    assert len(probed_s) == 20


def test_nobody_is_waited_for_because_the_cloud_spoke() -> None:
    debts = Debts(sales=[1])
    debts.connect()
    debts.box.nudged(0.0)
    assert debts.box.next_wake_s() is None
    assert debts.take(0.0) == [[1]]


def test_a_late_receipt_opens_the_window_too() -> None:
    debts = Debts(sales=range(1, 50))
    debts.connect()
    debts.take(0.0)
    debts.box.acked(debts.sent[0].token, 0, 0.1)
    debts.box.tick(LATE_S)
    debts.owed["sale"].update(range(50, 60))
    debts.receipt(1, 49, LATE_S + 0.1)
    assert debts.take(LATE_S + 0.1) == [list(range(50, 60))]


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.floats(0.0, 0.6), st.integers(1, 400))
def test_everything_arrives_under_any_loss_and_in_order(seed: int, loss: float, count: int) -> None:
    rng = random.Random(seed)
    debts = Debts(size=60)
    debts.box = Outbox(random.Random(1), Pace())
    for seq in range(1, count + 1):
        debts.owed[rng.choice(["sale", "event"])].add(seq)
    first_sends: dict[str, list[int]] = {"sale": [], "event": []}
    everything = {stream: sorted(owed) for stream, owed in debts.owed.items()}
    now_s, cloud, must_send = 0.0, set[int](), True
    debts.connect()
    for _ in range(3_000):
        debts.box.tick(now_s)
        if debts.box.pace.is_dead(now_s) or rng.random() < loss / 20:
            debts.box.disconnected()
            debts.box.pace.disconnected()
            debts.connect(now_s, session=rng.random() < 0.5)
        messages = debts.take(now_s)
        assert messages or not must_send, "records are owed and nobody will wake"
        for seqs_sent in messages:
            message = debts.sent.pop(0)
            known = first_sends[message.stream]
            known += [seq for seq in seqs_sent if seq not in known]
            if rng.random() < loss:
                continue
            debts.box.pace.acked(message.token, now_s)
            debts.box.acked(message.token, 0x87 if rng.random() < loss / 4 else 0, now_s)
            if rng.random() >= loss:
                cloud.update(seqs_sent)
                debts.receipt(seqs_sent[0], seqs_sent[0], now_s)
                for seq in seqs_sent if rng.random() >= loss else ():
                    debts.receipt(seq, seq, now_s)
        if not any(debts.owed.values()):
            break
        waits = (debts.box.next_wake_s(), debts.box.pace.dead_s())
        wake_s = min((at_s for at_s in waits if at_s is not None), default=None)
        # The core asks again after every receipt, so without a deadline something must leave at once.
        must_send = wake_s is None
        now_s = now_s if wake_s is None else max(now_s, wake_s)
    assert not any(debts.owed.values())
    assert cloud == set(range(1, count + 1))
    assert first_sends == everything
