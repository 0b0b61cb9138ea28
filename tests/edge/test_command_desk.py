"""Commands at a machine: carried out once or not at all, answered always, whatever dies and whenever."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.commands import Authority
from edge.core import Core
from edge.link_events import Command, Connected, EndProgram, Inbound, PubAcked, Publish, Wake
from edge.pace import SLOWEST_BYTES_S
from edge.sale import claims
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale.operator import BY_OPERATOR
from edge.sale.state import Phase, SlotSetting, add_totals
from edge.sale.step import Machine
from edge.sale.tenders import availability
from edge.store.journal import Journal, JournalFull
from edge.store.kept_commands import KEPT_NS, MAX_KEPT, KeptCommand
from shared import codec, topics
from shared import commands as wire
from shared.clock import Now, Trust
from shared.messages import PriceList
from tests.helpers import has_records
from tests.signing import KEYS, NS, PRIVATE, command

START_NS = 1_790_000_000 * NS
SLOTS = (SlotSetting("A1", "cola", 10, 10), SlotSetting("B2", "chips", 10, 10))
PRICES = PriceList(version=0, currency="EUR", prices={"A1": 150, "B2": 90})
TOPIC = topics.COMMAND.of("m1")
CLAIM_MINOR = 150


class Killed(Exception):  # noqa: N818
    """What happens to a process."""


class MortalJournal(Journal):
    """Dies at the `last` write: before it, or when it is on stable storage and nobody has heard of it."""

    writes = 0
    last = 0
    after = False
    full = False

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self.writes += 1
        if self.full:
            raise JournalFull("the disk is full")
        if self.writes == self.last and not self.after:
            raise Killed
        with super()._writing():
            yield
        if self.writes == self.last:
            raise Killed


class Rig:
    """One machine, its motors and what it says to the broker."""

    def __init__(self, folder: Path, trust: Trust = "synced") -> None:
        self.path = folder / "journal.db"
        self.trust = trust
        self.now_s = 10.0
        self.motors: list[str] = []
        self.running = ""
        self.replies: list[wire.Reply] = []
        self.sent: list[bytes] = []
        self.ended = 0
        self.start()

    def start(self, last: int = 0, *, after: bool = False) -> None:
        self.journal = MortalJournal(self.path, "m1")
        items = {slot.slot: n for n, slot in enumerate(SLOTS, 1)}
        setting = Machine(
            {s.slot: s.product for s in SLOTS},
            "test",
            items=items,
            claim_key=self.journal.claim_key,
            slots={s.slot: s for s in SLOTS},
        )
        self.core = Core(
            self.journal,
            setting,
            SLOTS,
            PRICES,
            random.Random(1),
            authority=Authority(dict(KEYS)),
            recording=lambda now_s: (f"# at {now_s:.0f}", "R,0B", "p,530a"),
        )
        self.journal.last, self.journal.after = last, after
        self.feed(
            ev.Booted("boot"),
            ev.BoardReady(),
            ev.ChangerReady((50, 200), (9, 0)),
            Connected(session_present=False, max_packet_bytes=None),
        )

    def kill(self) -> None:
        self.journal.close()
        self.running = ""  # nobody hears how it ended

    def now(self) -> Now:
        return Now(START_NS + round(self.now_s * NS), self.now_s, self.trust, "boot")

    def feed(self, *events: Any) -> None:  # noqa: ANN401  # whatever the core takes
        for event in events:
            self.now_s += 0.001
            for done in self.core.handle(event, self.now()):
                self.perform(done)

    def perform(self, done: Command) -> None:
        match done:
            case act.RunMotor(slot):
                self.motors.append(slot)
                self.running = slot
            case EndProgram():
                self.ended += 1
            case Publish() if done.topic == topics.REPLY.of("m1"):
                self.replies.append(wire.Reply.model_validate(codec.unpack(done.payload)))
                assert done.correlation == bytes.fromhex(self.replies[-1].id)
            case Publish():
                if has_records(done):
                    self.sent.append(done.payload)
                if done.token is not None and not self.ended:  # the loop ends with it
                    self.feed(PubAcked(done.token, 0))

    def motor_ends(self, result: ev.VendResult = ev.VendResult.DELIVERED) -> None:
        if self.running:
            slot, self.running = self.running, ""
            self.feed(ev.VendEnded(slot, result))

    def tell(self, payload: bytes) -> wire.Reply | None:
        """The answer to it, if it comes at once."""
        before = len(self.replies)
        self.feed(Inbound(TOPIC, payload))
        return self.replies[-1] if len(self.replies) > before else None

    def ask(self, action: wire.Action, **more: Any) -> wire.Reply:  # noqa: ANN401  # as `command`
        reply = self.tell(command(action, self.now().wall_ns, **more))
        assert reply is not None
        return reply

    def records(self, kind: str) -> list[dict[str, Any]]:
        bodies = [codec.unpack(body) for _, _, body in self.journal.records()]
        return [body for body in bodies if isinstance(body, dict) and body["kind"] == kind]

    def owe(self) -> str:
        """A claim of a customer; returns its code."""
        owing = replace(self.core.state, claims={1: CLAIM_MINOR}, last_claim=1)
        self.core.state = add_totals(owing, cash_in_minor=CLAIM_MINOR, owed_minor=CLAIM_MINOR)
        self.feed(ev.AuditDue())
        return claims.code(self.core.machine.claim_key, 1, CLAIM_MINOR)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.journal.close()


# --- what each command does ---------------------------------------------------------------------------------


def test_a_free_vend_is_answered_when_the_product_has_dropped(rig: Rig) -> None:
    payload = command(wire.FreeVend(slot="A1"), rig.now().wall_ns)
    assert rig.tell(payload) is None
    assert rig.tell(payload) is None, "its answer is not known yet"
    rig.motor_ends()
    (reply,) = rig.replies
    assert (reply.outcome, reply.code, reply.text) == ("done", "delivered", "A1 cola delivered, 9 left")
    (sale,) = rig.records("sale")
    assert sale["tenders"] == ({"tender": "free", "amount_minor": 0},)
    assert rig.tell(payload) == reply
    assert rig.motors == ["A1"]


@pytest.mark.parametrize(
    ("result", "code"),
    [(ev.VendResult.JAMMED, "jammed"), (ev.VendResult.MOTOR_MISSING, "motor_missing")],
)
def test_a_motor_that_fails_its_test(rig: Rig, result: ev.VendResult, code: str) -> None:
    rig.tell(command(wire.MotorTest(slot="A1"), rig.now().wall_ns, key="technician"))
    rig.motor_ends(result)
    assert (rig.replies[-1].outcome, rig.replies[-1].code) == ("failed", code)
    assert rig.records("vend_failed")[0]["tender"] == "test"


def test_a_motor_nobody_heard_of_is_doubtful(rig: Rig) -> None:
    rig.tell(command(wire.FreeVend(slot="A1"), rig.now().wall_ns))
    rig.now_s += 30
    rig.feed(Wake())
    assert (rig.replies[-1].outcome, rig.replies[-1].code) == ("failed", "doubtful")


def test_another_command_while_a_motor_runs_does_not_take_its_answer(rig: Rig) -> None:
    rig.tell(command(wire.FreeVend(slot="A1"), rig.now().wall_ns))
    assert rig.ask(wire.Lock(slot="B2")).outcome == "done"
    assert rig.ask(wire.MotorTest(slot="B2")).text == "somebody is buying: again in a moment"
    rig.motor_ends()
    assert rig.replies[-1].code == "delivered"


@pytest.mark.parametrize("action", [wire.MotorTest(slot="A1"), wire.FreeVend(slot="A1")])
def test_no_motor_runs_while_somebody_buys_or_has_his_hands_in_the_machine(
    rig: Rig, action: wire.Action
) -> None:
    rig.feed(ev.CoinIn(0, 50, ev.Route.TUBE, 10))
    assert rig.ask(action).text == "somebody is buying: again in a moment"
    rig.feed(ev.Lever(), ev.PayoutEnded((9, 0)))
    rig.feed(ev.ServiceChanged(on=True))
    assert rig.ask(action).text == "a technician is at the machine"
    assert rig.motors == []


def test_a_locked_slot_is_neither_sold_nor_tried_and_stays_locked(rig: Rig) -> None:
    assert rig.ask(wire.Lock(slot="A1", reason="leaks")).outcome == "done"
    rig.kill()
    rig.start()
    assert rig.core.state.closed == {"A1": "not for sale: leaks"}
    for action in (wire.FreeVend(slot="A1"), wire.MotorTest(slot="A1")):
        assert rig.ask(action).text == "not for sale: leaks"
    assert rig.ask(wire.Unlock(slot="A1")).outcome == "done"
    assert rig.core.state.closed == {}
    assert [(r["event"], r["scope"], r["name"]) for r in rig.records("lockout")] == [
        ("began", "slot", "A1"),
        ("ended", "slot", "A1"),
    ]


def test_a_locked_machine_takes_no_money_says_why_and_gives_back_what_it_has(rig: Rig) -> None:
    rig.feed(ev.CoinIn(0, 50, ev.Route.TUBE, 10))
    assert rig.ask(wire.Lock()).outcome == "done"
    assert rig.core.state.accepting is False
    rig.feed(ev.SlotSelected("B2"))
    assert rig.core.state.message == f"out of service: {BY_OPERATOR}"
    rig.feed(ev.Lever())
    assert rig.core.state.phase is Phase.PAYING
    rig.feed(ev.PayoutEnded((9, 0)))
    rig.kill()
    rig.start()
    assert {a.reason for a in availability(rig.core.state).values()} == {BY_OPERATOR}
    assert rig.core.state.accepting is False
    assert rig.ask(wire.Unlock()).outcome == "done"
    assert rig.core.state.accepting is True


def test_stock_and_claims_are_booked_as_at_the_machine(rig: Rig) -> None:
    code = rig.owe()
    assert rig.ask(wire.SetStock(counts={"A1": 3})).outcome == "done"
    assert [(r["before"], r["after"]) for r in rig.records("stock_corrected")] == [(10, 3)]
    assert rig.ask(wire.SetStock(counts={"A1": 99})).text == "slot A1 holds 0 to 10"
    assert rig.ask(wire.Credit(claim="0001-000000")).text == "this code is not known here, or was used"
    assert rig.ask(wire.Credit(claim=code)).outcome == "done"
    assert (rig.core.state.credit_minor, rig.core.state.phase) == (CLAIM_MINOR, Phase.CREDIT)
    assert [r["amount_minor"] for r in rig.records("claim_used")] == [CLAIM_MINOR]
    assert rig.ask(wire.PayClaim(claim=code)).outcome == "refused"


def test_the_operators_word_counts_after_too_many_wrong_codes(rig: Rig) -> None:
    code = rig.owe()
    for _ in range(claims.WRONG_LIMIT):
        rig.feed(ev.ClaimEntered("0001-000000"))
    rig.feed(ev.ClaimEntered(code))
    assert rig.core.state.credit_minor == 0
    rig.ask(wire.Credit(claim=code))
    assert rig.core.state.credit_minor == CLAIM_MINOR


def test_records_asked_for_again_leave_again_as_they_are(rig: Rig) -> None:
    rig.feed(ev.AuditDue())
    before = {seq: body for seq, _, body in rig.journal.records()}
    rig.journal.settle([(1, 2)], [(3, "bad_body")])
    rig.sent.clear()
    owed = rig.journal.counts.owed
    epoch = rig.journal.epoch
    reply = rig.ask(wire.Resend(epoch=epoch, first=1, last=2))
    assert (reply.outcome, reply.result) == ("done", {"records": 2})
    assert rig.journal.counts.owed == owed + 2
    assert {seq: body for seq, _, body in rig.journal.records()} == before
    again = [body for payload in rig.sent for body in _bodies(payload)]
    assert before[1] in again
    assert before[2] in again
    assert rig.ask(wire.Resend(epoch="0" * 12, first=1, last=2)).code == "other_epoch"
    assert rig.ask(wire.Resend(epoch=epoch, first=3, last=2)).outcome == "refused"
    assert rig.ask(wire.Resend(epoch=epoch, first=1, last=1 + wire.MAX_RESEND)).outcome == "refused"


def _bodies(payload: bytes) -> list[bytes]:
    message = codec.unpack(payload)
    assert isinstance(message, tuple)
    return [codec.pack(record) for record in message]


def test_support_says_what_is_wrong(rig: Rig) -> None:
    rig.feed(ev.BoardLost("silent"))
    reply = rig.ask(wire.Support(), key="viewer")
    assert reply.result["device.board"] == "silent"
    assert reply.result["owed"] == rig.journal.counts.owed
    assert reply.result["tender.cash"] == "no: motor board does not answer"
    assert reply.recording == (f"# at {rig.now_s:.0f}", "R,0B", "p,530a")


@pytest.mark.parametrize("acked", [True, False])
def test_a_restart_ends_the_program_once_its_answer_is_away_or_after_a_while(
    rig: Rig, *, acked: bool
) -> None:
    payload = command(wire.Restart(), rig.now().wall_ns, key="technician")
    reply = rig.tell(payload)
    assert reply is not None
    assert reply.outcome == "done"
    assert rig.ended == 0
    if acked:
        rig.feed(PubAcked(0, 0))
    else:
        assert rig.core.next_wake_s() is not None
        rig.now_s += 5.0
        rig.feed(Wake())
    assert rig.ended == 1
    rig.kill()
    rig.start()
    assert rig.tell(payload) == reply
    rig.now_s += 30.0
    rig.feed(Wake())
    assert rig.ended == 1


def test_a_long_answer_has_the_time_that_it_takes_on_a_slow_line(rig: Rig) -> None:
    rig.ask(wire.Support())
    answer_bytes = len(codec.pack(rig.replies[-1].model_dump()))
    dead_s = rig.core.pace.dead_s()
    assert dead_s is not None
    assert dead_s - rig.now_s > answer_bytes / SLOWEST_BYTES_S


def test_a_restart_lets_a_sale_that_began_meanwhile_end(rig: Rig) -> None:
    rig.ask(wire.Restart())
    rig.feed(ev.FreeVend("A1"))
    rig.now_s += 6.0
    rig.feed(Wake())
    assert rig.ended == 0
    wake_s = rig.core.next_wake_s()
    assert wake_s is None or wake_s > rig.now_s
    rig.motor_ends()
    assert rig.ended == 1


# --- time, room and strangers -------------------------------------------------------------------------------


def test_a_clock_that_was_right_in_this_boot_still_tells_the_time(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "estimated")
    assert rig.ask(wire.Lock()).code == "clock_not_set"
    rig.trust = "synced"
    rig.feed(Wake())
    rig.trust = "estimated"
    assert rig.ask(wire.Lock()).outcome == "done"
    rig.journal.close()


def test_behind_a_full_disk_a_command_waits_until_its_deadline(rig: Rig) -> None:
    soon = command(wire.Lock(), rig.now().wall_ns)
    late = command(wire.FreeVend(slot="A1"), rig.now().wall_ns, lifetime_ns=NS)
    rig.journal.full = True
    rig.feed(Inbound(TOPIC, soon), Inbound(TOPIC, late))
    for _ in range(500):
        rig.feed(Inbound(TOPIC, late))
    assert rig.replies == []
    rig.journal.full = False
    rig.now_s += 2
    rig.feed(Wake())
    assert [reply.outcome for reply in rig.replies[:2]] == ["done", "expired"]
    assert len(rig.core.pending) == 0
    assert rig.motors == []


def test_what_is_forgotten_is_over_also_for_a_clock_that_goes_back(rig: Rig) -> None:
    issued_ns = rig.now().wall_ns
    payload = command(wire.FreeVend(slot="A1"), issued_ns)
    rig.tell(payload)
    rig.motor_ends()
    rig.now_s += (KEPT_NS + 120 * NS) / NS
    rig.ask(wire.Lock())
    assert rig.journal.commands.over_ns > issued_ns
    rig.now_s -= (KEPT_NS + 120 * NS) / NS
    again = rig.tell(payload)
    assert again is not None
    assert (again.outcome, rig.motors) == ("expired", ["A1"])


def test_a_key_holder_cannot_fill_the_journal(rig: Rig) -> None:
    with rig.journal._writing():
        for n in range(MAX_KEPT):
            rig.journal.commands.write(KeptCommand(f"{n:032x}", 1, "desk", "lock", START_NS * 2, "", b""))
    assert rig.ask(wire.Lock()).code == "too_many"
    assert not rig.core.state.cabinet.locked


def test_a_stranger_is_answered_and_leaves_nothing_behind(rig: Rig) -> None:
    genuine = command(wire.FreeVend(slot="A1"), rig.now().wall_ns, ident="ab" * 16)
    forged = bytearray(genuine)
    forged[-1] ^= 1
    reply = rig.tell(bytes(forged))
    assert reply is not None
    assert (reply.code, reply.id, reply.digest) == ("bad_signature", "ab" * 16, wire.digest(bytes(forged)))
    assert rig.tell(b"\xc1") is None
    assert rig.core.desk.refused == {"bad_signature": 1, "malformed": 1}
    assert rig.tell(genuine) is None
    assert rig.motors == ["A1"], "a forged message does not use up the id of a genuine one"


def test_hostile_words_in_an_order_do_no_harm(rig: Rig) -> None:
    header = wire.Header(machine="m1", id="cd" * 16, issued_ns=START_NS, expires_ns=START_NS + 60 * NS)
    signed = codec.pack({**header.model_dump(), "action": {"name": "x\x00\n" * 300}})
    signature = PRIVATE["viewer"].sign(wire.to_sign("viewer", signed))
    envelope = wire.Envelope(key="viewer", signed=signed, signature=signature)
    reply = rig.tell(codec.pack(envelope.model_dump()))
    assert reply is not None
    assert reply.code == "unknown_command"


def test_thousands_of_replayed_forged_and_late_commands_do_nothing_and_each_is_counted(rig: Rig) -> None:
    rng = random.Random(7)
    now_ns = rig.now().wall_ns
    done = [command(wire.FreeVend(slot="A1"), now_ns), command(wire.SetStock(counts={"B2": 5}), now_ns)]
    for payload in done:
        rig.tell(payload)
        rig.motor_ends()
    bad = [
        *done,
        command(wire.Restart(), now_ns, machine="m2"),
        command(wire.FreeVend(slot="A1"), now_ns, key="technician"),
        command(wire.Lock(), now_ns - 3_600 * NS),
        bytes([*done[0][:-1], done[0][-1] ^ 1]),
        done[1][:-1],
    ]
    state, refused = rig.core.state, rig.core.desk.refused
    records = rig.journal.counts
    for _ in range(3_000):
        rig.feed(Inbound(TOPIC, rng.choice(bad)))
    assert (rig.core.state, rig.journal.counts, rig.motors, rig.ended) == (state, records, ["A1"], 0)
    assert refused.total() == 3_000
    assert refused.keys() == {
        *("seen_before", "other_machine", "not_allowed", "expired", "bad_signature", "malformed")
    }


# --- death at every step ------------------------------------------------------------------------------------

STORIES: Sequence[wire.Action] = (
    wire.FreeVend(slot="A1"),
    wire.MotorTest(slot="A1"),
    wire.SetStock(counts={"A1": 3}),
    wire.Lock(slot="A1"),
    wire.Restart(),
    wire.Support(),
    wire.Resend(epoch="000000000000", first=1, last=2),
    wire.Credit(claim="0001-000000"),
)


def _play(rig: Rig, payload: bytes) -> None:
    """The command comes, and comes again; what it starts ends."""
    rig.tell(payload)
    rig.motor_ends()
    rig.tell(payload)
    rig.motor_ends()


def _action(rig: Rig, action: wire.Action, code: str) -> wire.Action:
    match action:
        case wire.Resend():
            return action.model_copy(update={"epoch": rig.journal.epoch})
        case wire.Credit():
            return wire.Credit(claim=code)
        case _:
            return action


@pytest.mark.parametrize("after", [False, True], ids=["before a write", "after a write"])
@pytest.mark.parametrize("action", STORIES, ids=[a.name for a in STORIES])
def test_at_most_once_and_one_answer_whenever_the_power_goes(
    tmp_path: Path, action: wire.Action, *, after: bool
) -> None:
    last = 0
    while True:
        last += 1
        folder = tmp_path / f"{last}"
        folder.mkdir()
        rig = Rig(folder)
        payload = command(_action(rig, action, rig.owe()), rig.now().wall_ns)
        rig.journal.settle([(1, 2)])
        rig.journal.last, rig.journal.after = rig.journal.writes + last, after
        try:
            _play(rig, payload)
        except Killed:
            rig.kill()
            rig.start()
            _play(rig, payload)
        else:
            break
        _judge(rig, action)
        rig.journal.close()
    rig.journal.close()
    assert last > 1, "it wrote nothing at all"


def _judge(rig: Rig, action: wire.Action) -> None:
    assert len({reply.model_dump_json() for reply in rig.replies}) == 1, rig.replies
    (reply,) = {reply.model_dump_json(): reply for reply in rig.replies}.values()
    assert len(rig.motors) <= 1
    assert len(rig.records("sale")) <= 1
    assert len(rig.records("stock_corrected")) == isinstance(action, wire.SetStock)
    assert len(rig.records("lockout")) == isinstance(action, wire.Lock)
    assert len(rig.records("claim_used")) == isinstance(action, wire.Credit)
    assert rig.core.state.balanced()
    if reply.code == "unknown":
        assert isinstance(action, wire.FreeVend | wire.MotorTest)
    else:
        assert reply.outcome == "done"
        assert len(rig.motors) == isinstance(action, wire.FreeVend | wire.MotorTest)
