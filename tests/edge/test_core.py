"""The core between journal, sale and uplink: what is committed, what leaves, and when."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edge.core import Core
from edge.link_events import Command, Connected, Disconnected, Inbound, Publish, Wake
from edge.sale import card_events as cev
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale.state import SlotSetting
from edge.sale.step import Machine
from edge.store.journal import Journal, JournalFull
from shared import codec, topics
from shared.clock import Now
from shared.messages import PriceList, Receipt, Status
from tests.helpers import has_records

SLOTS = (SlotSetting("A1", "cola", 10, 10),)
SETTING = Machine({"A1": "cola"}, "test", items={"A1": 1})
PRICES = PriceList(version=0, currency="EUR", prices={"A1": 150})
TRUE_NS = 1_790_000_000 * 10**9
WAIT_S = 10.0
ONLINE = Connected(session_present=False, max_packet_bytes=None)


def at(monotonic_s: float, *, synced: bool = False) -> Now:
    """A board that starts in 1970 until it is told the time."""
    wall_ns = round(monotonic_s * 10**9) + (TRUE_NS if synced else 0)
    return Now(wall_ns, monotonic_s, "synced" if synced else "estimated", "boot")


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    with Journal(tmp_path / "journal.db", "m1") as journal:
        yield Core(journal, SETTING, SLOTS, PRICES, random.Random(1), WAIT_S)


def records(commands: Sequence[Command]) -> list[dict[str, object]]:
    """The journal's records in what is published."""
    found: list[dict[str, object]] = []
    for command in commands:
        if isinstance(command, Publish) and has_records(command):
            message = codec.unpack(command.payload)
            assert isinstance(message, tuple)
            found += message
    return found


def test_records_of_a_board_without_a_clock_leave_with_their_true_time(core: Core) -> None:
    core.handle(ev.Booted(), at(5.0))
    assert records(core.handle(ONLINE, at(20.0))) == []
    wake_s = core.next_wake_s()
    assert wake_s is not None
    assert wake_s <= 20.0 + WAIT_S
    left = records(core.handle(Wake(), at(22.0, synced=True)))
    assert [(r["kind"], r["clock"]) for r in left] == [("boot", "synced"), ("audit", "synced")]
    assert {round((int(str(r["at_ns"])) - TRUE_NS) / 10**9) for r in left} == {5}


def test_records_do_not_wait_for_a_time_that_does_not_come(core: Core) -> None:
    core.handle(ev.Booted(), at(5.0))
    core.handle(ONLINE, at(20.0))
    assert records(core.handle(Wake(), at(29.9))) == []
    left = records(core.handle(Wake(), at(30.0)))
    assert [r["clock"] for r in left] == ["estimated", "estimated"]
    # What has left is what it is, also when the receipt got lost and the clock knows better.
    core.handle(Disconnected("cut"), at(31.0, synced=True))
    again = records(core.handle(ONLINE, at(40.0, synced=True)))
    assert again == left


def test_a_good_clock_is_not_waited_for(core: Core) -> None:
    core.handle(ev.Booted(), at(5.0, synced=True))
    assert len(records(core.handle(ONLINE, at(20.0, synced=True)))) == 2


def test_only_a_receipt_of_this_journal_settles(core: Core) -> None:
    now = at(5.0, synced=True)
    core.handle(ev.Booted(), now)
    core.handle(ONLINE, now)
    for epoch, owed in (("000000000000", 2), (core.journal.epoch, 0)):
        receipt = Receipt(epoch=epoch, stored=((1, 2),))
        core.handle(Inbound(topics.RECEIPT.of("m1"), codec.pack(receipt.model_dump())), now)
        assert core.journal.counts.owed == owed


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x80", codec.pack({"v": 1, "epoch": "x"})])
def test_an_unreadable_receipt_settles_nothing(core: Core, payload: bytes) -> None:
    now = at(5.0, synced=True)
    core.handle(ev.Booted(), now)
    core.handle(ONLINE, now)
    core.handle(Inbound(topics.RECEIPT.of("m1"), payload), now)
    assert core.journal.counts.owed == 2


def test_what_is_meant_for_another_machine_is_not_ours(core: Core) -> None:
    now = at(5.0, synced=True)
    core.handle(ev.Booted(), now)
    wanted = PriceList(version=4, currency="EUR", prices={"A1": 10}).model_dump_json().encode()
    core.handle(Inbound(topics.PRICES.of("m2"), wanted), now)
    core.handle(Inbound("vend/v1/m1/nothing", wanted), now)
    assert core.state.prices == PRICES
    core.handle(Inbound(topics.PRICES.of("m1"), wanted), now)
    assert core.state.prices.prices == {"A1": 10}


def selling(core: Core) -> None:
    """All devices are ready."""
    for event in (
        ev.Booted(),
        ev.BoardReady(),
        ev.ChangerReady((50, 200), (9, 0)),
        ev.BillsReady((500,), (0,), escrow=True),
        cev.CardReady(1, always_idle=False, refunds=True, reports_cash=False),
    ):
        core.handle(event, at(5.0))


def full_disk(core: Core, patch: pytest.MonkeyPatch) -> None:
    def commit(*_args: object) -> None:
        raise JournalFull("the disk is full")

    patch.setattr(core.journal, "commit", commit)


def test_on_a_full_disk_what_happened_is_kept_and_what_was_wished_is_not(core: Core) -> None:
    selling(core)
    with pytest.MonkeyPatch.context() as patch:
        full_disk(core, patch)
        for event in (ev.CoinIn(1, 200, ev.Route.CASHBOX, 0), ev.SlotSelected("A1"), ev.Lever()):
            core.handle(event, at(6.0))
        assert "disk full" in core.state.message
    later = core.handle(ev.DiskChanged(ok=True), at(3_600.0))
    assert core.state.credit_minor == 200
    assert not any(isinstance(command, act.RunMotor | act.PayOut) for command in later)


def test_on_a_full_disk_no_money_of_any_kind_is_let_in(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    selling(core)
    full_disk(core, monkeypatch)
    assert set(core.handle(ev.AuditDue(), at(6.0))) == {
        act.AcceptCoins(enabled=False),
        act.AcceptBills(frozenset()),
        act.AcceptCards(1, enabled=False),
    }


def test_a_deadline_behind_a_full_disk_does_not_keep_the_loop_awake(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    selling(core)
    core.handle(ev.FreeVend("A1"), at(5.0))
    full_disk(core, monkeypatch)
    core.handle(ev.VendEnded("A1", ev.VendResult.DELIVERED), at(8.0))
    core.handle(Wake(), at(100.0))
    wake_s = core.next_wake_s()
    assert wake_s is not None
    assert wake_s > 100.0


def statuses(core: Core, commands: Sequence[Command]) -> list[int]:
    """How many records each published status says are owed."""
    name = topics.STATUS.of("m1")
    return [
        Status.model_validate_json(c.payload).owed
        for c in commands
        if isinstance(c, Publish) and c.topic == name
    ]


def receipt(core: Core, first: int, last: int) -> Inbound:
    said = Receipt(epoch=core.journal.epoch, stored=((first, last),))
    return Inbound(topics.RECEIPT.of("m1"), codec.pack(said.model_dump()))


def test_a_status_says_once_that_nothing_is_owed_and_is_not_repeated_for_every_sale(core: Core) -> None:
    """On a metered line: after a connect the cloud learns when all is there; from then on receipts tell."""
    core.handle(ev.Booted(), at(5.0, synced=True))
    said = statuses(core, core.handle(ONLINE, at(6.0, synced=True)))
    assert said == [2]
    assert statuses(core, core.handle(receipt(core, 1, 2), at(7.0, synced=True))) == [0]
    for event in (ev.BoardReady(), ev.ChangerReady((50, 150), (0, 0))):
        core.handle(event, at(8.0, synced=True))  # what can be paid with is news
    core.handle(receipt(core, 1, core.journal.last_seq), at(9.0, synced=True))
    for number in range(3):
        now = at(10.0 + number, synced=True)
        assert statuses(core, core.handle(ev.CoinIn(0, 50, ev.Route.TUBE, number + 1), now)) == []
        assert statuses(core, core.handle(receipt(core, 1, core.journal.last_seq), now)) == []
    assert core.state.credit_minor == 150
