"""Commands at the machine: judged, kept in the journal before they act, answered always.

Contract: what changes only the journal is committed together with its answer. What moves something is kept as
begun before it moves, and its answer is committed with the record of how it ended; if the program dies in
between, the next start answers that nobody knows, and it is never done again. `decide` and `booted` raise
JournalFull; then nothing was done, and the same command may be decided again.

Replies are only published: the journal has them, and who missed one sends the command again. Beyond a limit
the oldest waiting ones are dropped for the same reason.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from edge.commands import Authority, RefusedError, Signed, read, weigh
from edge.link_events import Publish
from edge.sale import events as ev
from edge.sale import operator_events as op
from edge.sale import visit_events as vev
from edge.sale.operator import Commanded, refusal
from edge.sale.state import Phase, State
from edge.sale.step import Machine, Step
from edge.sale.wanted import planned
from edge.store.journal import Journal
from edge.store.kept_commands import KeptCommand
from edge.support import Recording, picture
from shared import codec, topics
from shared import commands as wire
from shared.clock import Now
from shared.records import Body, Sale, VendFailed

RESTART_TOKEN: Final = 0  # of the one reply whose PUBACK is waited for; the pace counts from 1
RESTART_LIMIT_S: Final = 5.0
MAX_WAITING: Final = 100  # commands behind a full disk, and replies behind a link that is down
_UNKNOWN: Final = "nobody knows whether it was done: the program stopped meanwhile; look at the records"


@dataclass(frozen=True, slots=True)
class Obey:
    """This event is to be stepped now, and `row` goes into its commit (`began`)."""

    event: Commanded
    row: KeptCommand


class CommandDesk:
    """`owed_again` is told when settled records are owed once more. `refused`: by code, in this run."""

    def __init__(
        self,
        journal: Journal,
        machine: Machine,
        authority: Authority,
        owed_again: Callable[[], None],
        recording: Recording,
    ) -> None:
        self._journal = journal
        self._machine = machine
        self._authority = authority
        self._owed_again = owed_again
        self._recording = recording
        self._running: KeptCommand | None = None  # its motor runs
        self._replies: deque[tuple[str, bytes]] = deque(maxlen=MAX_WAITING)
        self._restarting = ""  # id of the restart that was commanded
        self._end_s: float | None = None  # when the program ends for it
        self.refused: Counter[str] = Counter()

    def booted(self, now: Now) -> None:
        """What the last run began and did not answer."""
        for row in self._journal.commands.unanswered():
            self._keep(_answered(row, now, "failed", "unknown", _UNKNOWN))

    # ---- a command comes

    def decide(self, payload: bytes, state: State, now: Now) -> Obey | None:
        """Answer it, or say what the sale is to do for it."""
        digest = wire.digest(payload)
        try:
            signed = read(payload, self._journal.machine, self._authority.keys)
            kept = self._journal.commands.find(signed.header.id)
            if kept is None:
                return self._weigh(signed, state, now)
        except RefusedError as refused:
            self._turn_away(refused, digest, now)
            return None
        self.refused["seen_before"] += 1
        if kept.reply is not None:
            self._replies.append((kept.id, kept.reply))
        return None

    def _weigh(self, signed: Signed, state: State, now: Now) -> Obey | None:
        """Raises RefusedError for what need not be kept."""
        time_ns = self._time_ns(state, now)
        row = _row(signed, now)
        if time_ns is not None:
            self._journal.commands.forget(time_ns)
        if self._journal.commands.is_full():
            raise RefusedError("too_many", "too many commands in a day: try again tomorrow", row.id)
        try:
            action = weigh(signed, time_ns, self._journal.commands.over_ns)
        except RefusedError as refused:
            if refused.lasting:
                raise
            self._refuse(row, now, refused.code, str(refused))
            return None
        return self._obey(action, row, state, now)

    def _time_ns(self, state: State, now: Now) -> int | None:
        """UTC that can be trusted: of a synchronised clock, or counted on from one in this boot."""
        if now.trust == "synced" or self._authority.own_clock:
            return now.wall_ns
        clock_ns = state.cabinet.clock_ns
        return None if clock_ns is None else clock_ns + round(now.monotonic_s * 10**9)

    def _obey(self, action: wire.Action, row: KeptCommand, state: State, now: Now) -> Obey | None:
        match action:
            case wire.Support():
                machine = planned(self._machine, state)
                result = picture(machine, state, self._journal)
                recording = self._recording(now.monotonic_s)
                self._keep(_answered(row, now, "done", "done", "", result, recording))
            case wire.Restart() if state.phase not in _QUIET:
                self._refuse(row, now, "not_now", "a product or money is under way: again in a moment")
            case wire.Restart():
                self._keep(_answered(row, now, "done", "done", "the program ends, to be started again"))
                self._restarting, self._end_s = row.id, now.monotonic_s + RESTART_LIMIT_S
            case wire.Resend():
                self._resend(action, row, now)
            case _:
                event = _EVENTS[type(action)](action)
                words = refusal(planned(self._machine, state), state, event)
                if not words:
                    return Obey(event, row)
                self._refuse(row, now, "not_now", words)
        return None

    def _resend(self, action: wire.Resend, row: KeptCommand, now: Now) -> None:
        if action.epoch != self._journal.epoch:
            text = f"the journal here is {self._journal.epoch}, and not {action.epoch}"
            self._refuse(row, now, "other_epoch", text)
        elif not action.first <= action.last < action.first + wire.MAX_RESEND:
            self._refuse(row, now, "not_now", f"1 to {wire.MAX_RESEND} records at a time, oldest first")
        else:
            rows: list[KeptCommand] = []

            def answered(count: int) -> KeptCommand:
                text = f"{count} records are owed again"
                rows.append(_answered(row, now, "done", "done", text, {"records": count}))
                return rows[0]

            self._journal.owe_again(action.first, action.last, answered)
            self._owed_again()
            self.committed(rows[0])

    # ---- its steps of the sale

    def began(self, row: KeptCommand, done: Step, now: Now) -> KeptCommand:
        """What the first step means for it: over and answered, or its motor will run."""
        if row.name not in _MOTORS:
            return _answered(row, now, "done", "done", "")
        if done.state.vend is None:  # what was looked at beforehand changed in the step itself
            return _answered(row, now, "refused", "not_now", done.state.message)
        return row

    def ended(self, before: State, done: Step, now: Now) -> KeptCommand | None:
        """The command whose motor this step tells the end of."""
        if self._running is None or before.vend is None or done.state.vend is not None:
            return None
        return _answered(self._running, now, *_vend(done.records))

    def committed(self, row: KeptCommand) -> None:
        """It is in the journal like this."""
        if row.reply is None:
            self._running = row
            return
        if self._running is not None and self._running.id == row.id:
            self._running = None
        self._replies.append((row.id, row.reply))

    # ---- answers

    def _keep(self, row: KeptCommand) -> None:
        self._journal.commands.keep(row)
        assert row.reply is not None
        self._replies.append((row.id, row.reply))

    def _refuse(self, row: KeptCommand, now: Now, code: str, text: str) -> None:
        self._keep(_answered(row, now, "refused", code, text))
        self.refused[code] += 1

    def _turn_away(self, refused: RefusedError, digest: str, now: Now) -> None:
        """Answered, as far as that is possible, and not kept: a stranger may not fill the journal."""
        self.refused[refused.code] += 1
        if refused.id is not None:
            reply = _reply(refused.id, digest, now, refused.outcome, refused.code, str(refused))
            self._replies.append((refused.id, reply))

    def take_replies(self) -> list[Publish]:
        """Those that wait, to be published now."""
        name = topics.REPLY.of(self._journal.machine)
        taken = [self._publish(name, *reply) for reply in self._replies]
        self._replies.clear()
        return taken

    def _publish(self, name: str, command: str, payload: bytes) -> Publish:
        topic = topics.REPLY
        token = RESTART_TOKEN if command == self._restarting else None
        return Publish(
            name, payload, topic.qos, topic.retained, topic.codec.value, token, bytes.fromhex(command)
        )

    def restart_told(self, now: Now) -> None:
        """The broker has the answer to a restart."""
        if self._restarting:
            self._end_s = now.monotonic_s

    def ends_s(self, state: State) -> float | None:
        """When the program is to end because it was commanded; not while a product or money is under way."""
        return self._end_s if state.phase in _QUIET else None


_QUIET: Final = {Phase.IDLE, Phase.CREDIT}
_MOTORS: Final = {"test-motor", "free-vend"}


# What the sale is told for a command; the desk carries out the others itself.
_EVENTS: Final[dict[type[wire.Action], Callable[[Any], Commanded]]] = {
    wire.MotorTest: lambda a: op.MotorTested(a.slot),
    wire.FreeVend: lambda a: ev.FreeVend(a.slot),
    wire.Lock: lambda a: op.Locked(a.slot, a.reason),
    wire.Unlock: lambda a: op.Unlocked(a.slot),
    wire.SetStock: lambda a: vev.StockSet(a.counts),
    wire.Credit: lambda a: op.ClaimCredited(a.claim),
    wire.PayClaim: lambda a: vev.ClaimPaid(a.claim),
}


def _vend(records: Sequence[Body]) -> tuple[wire.Outcome, str, str]:
    """How a vend ended, by its records."""
    for record in records:
        match record:
            case Sale(outcome="doubtful"):
                return "failed", "doubtful", "nobody saw whether it dropped: booked once, as doubtful"
            case Sale():
                return (
                    "done",
                    "delivered",
                    f"{record.slot} {record.product} delivered, {record.stock_left} left",
                )
            case VendFailed():
                return "failed", record.reason, f"{record.slot} {record.product} not delivered"
    raise AssertionError(records)


def _row(signed: Signed, now: Now) -> KeptCommand:
    name = signed.action.name if signed.action else "?"
    header = signed.header
    return KeptCommand(header.id, now.wall_ns, signed.key, name, header.expires_ns, signed.digest)


def _answered(
    row: KeptCommand,
    now: Now,
    outcome: wire.Outcome,
    code: str,
    text: str,
    result: dict[str, str | int] | None = None,
    recording: tuple[str, ...] = (),
) -> KeptCommand:
    return replace(row, reply=_reply(row.id, row.digest, now, outcome, code, text, result, recording))


def _reply(
    command: str,
    digest: str,
    now: Now,
    outcome: wire.Outcome,
    code: str,
    text: str,
    result: dict[str, str | int] | None = None,
    recording: tuple[str, ...] = (),
) -> bytes:
    reply = wire.Reply(
        id=command,
        digest=digest,
        outcome=outcome,
        code=code,
        text="".join(c if c.isprintable() else "?" for c in text)[:256],  # some of it may be a stranger's
        at_ns=now.wall_ns,
        result=result or {},
        recording=recording,
    )
    return codec.pack(reply.model_dump())
