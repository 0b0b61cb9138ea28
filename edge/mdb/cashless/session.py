"""The cashless reader after its initialisation: settings, sessions, revalue, and one vend at a time (MDB/ICP
4.2 §7.2; the vend itself: vend.py).

Made anew after each initialisation, so that nothing of an earlier session can leak into the next. The driver
(driver.py, where the order of events is promised) asks `command` what to send, tells `sent`, then
exactly one of `on_answer` and `on_silence`, and `on_message` for each message of the reply. `perform` may
come at any time, also while an answer is awaited: an answer counts only for the phase whose block it answers.

Between a command and the answer it owes nothing is sent but POLL; VEND CANCEL alone may cut in.
"""

from collections import Counter
from math import inf

from edge.mdb.cashless.blocks import Blocks
from edge.mdb.cashless.codes import Code, Message, parse_amount, parse_funds
from edge.mdb.cashless.money import Scaling
from edge.mdb.cashless.phases import AFTER_ANSWER, AFTER_SILENCE, AWAITING, ENDING, NO_SESSION, Phase
from edge.mdb.cashless.settings import Settings
from edge.mdb.cashless.start import Abilities
from edge.mdb.cashless.vend import Events, Vend
from edge.mdb.frame import Block
from edge.mdb.peripheral import Faults
from edge.sale import card_events as cev
from edge.sale import effects as act


class Session:
    def __init__(
        self,
        reader: int,
        blocks: Blocks,
        scaling: Scaling,
        abilities: Abilities,
        settings: Settings,
        faults: Faults,
        counts: Counter[str],
    ) -> None:
        self.phase = Phase.IDLE
        self.abilities = abilities
        self.stopped = ""  # why the reader cannot sell at the moment
        self._reader = reader
        self._blocks = blocks
        self._scaling = scaling
        self._settings = settings
        self._faults = faults
        self._counts = counts
        self._deadline_s = inf
        self._open = False  # SessionBegan was told, SessionEnded not yet
        self._end_wanted = False
        self._waiting: act.RequestVend | None = None  # until the reader is through with what it does
        self._vend: Vend | None = None  # in Phase.VEND
        self._commands = {
            Phase.COMPLETE: blocks.session_complete,
            Phase.READER_CANCEL: blocks.reader_cancel,
            Phase.LIMIT: blocks.revalue_limit,
        }

    @property
    def deadline_s(self) -> float:
        return self._vend.deadline_s if self._vend else self._deadline_s

    @property
    def void_needed(self) -> bool:
        return self._vend is not None and self._vend.void_needed

    # The driver's side

    def command(self) -> Block | None:
        if self._vend is not None:
            return self._settings.command() if self._enables_first(self._vend) else self._vend.command()
        if self.phase is Phase.IDLE:
            return self._settings.command()
        if self.phase is Phase.OPEN and self._settings.time_asked:
            return self._blocks.decline_time
        return self._commands.get(self.phase)

    def sent(self, block: Block) -> None:
        if self._vend is not None:
            self._vend.sent(block)

    def on_answer(self, block: Block, now_s: float) -> None:
        self._settings.on_answer(block)
        if self._vend is not None:
            self._vend.on_answer(block, now_s)
            self._after_vend(now_s)
        elif block == self._commands.get(self.phase):
            self._enter(AFTER_ANSWER[self.phase], now_s)

    def on_silence(self, block: Block, now_s: float) -> None:
        self._settings.on_silence(block)
        if self._vend is not None:
            self._vend.on_silence(block, now_s)
        elif block == self._commands.get(self.phase) and self.phase in AFTER_SILENCE:
            self._enter(AFTER_SILENCE[self.phase], now_s)

    def on_polled(self, now_s: float, *, quiet: bool) -> Events:
        """A POLL was answered; quiet: with nothing new."""
        events = self._vend.on_polled(now_s, quiet=quiet) if self._vend else []
        self._after_vend(now_s)
        return events

    def on_message(self, message: Message, now_s: float) -> Events:
        match message.code:
            case Code.BEGIN_SESSION:
                return self._on_begin(message, now_s)
            case Code.SESSION_CANCEL_REQUEST:
                self._on_cancel_request(now_s)
            case Code.VEND_APPROVED:
                return self._on_approved(message, now_s)
            case Code.VEND_DENIED:
                return self._on_denied(now_s)
            case Code.END_SESSION:
                return self._on_end(now_s)
            case Code.CANCELLED if self.phase in {Phase.READER_CANCEL, Phase.AWAIT_CANCELLED}:
                self._enter(Phase.IDLE, now_s)
            case Code.REVALUE_APPROVED | Code.REVALUE_DENIED | Code.REVALUE_LIMIT:
                return self._on_revalue(message, now_s)
            case Code.TIME_REQUEST:
                self._settings.time_asked = True
            case _:
                # Display and data entry ask for what is not money: the reader goes on without an answer.
                name = "unknown" if message.code is None else message.code.name.lower()
                self._counts[f"ignored_{name}"] += 1
        return []

    def refund_failed(self, now_s: float) -> Events:
        events = self._vend.refund_ended(now_s, ok=False) if self._vend else []
        self._after_vend(now_s)
        return events

    def settle(self, now_s: float) -> Events:
        """After each reply: what had to wait for the reader, or has to end as the reader cannot sell."""
        if self.stopped:
            if self.phase is Phase.OPEN:
                self._enter(Phase.COMPLETE, now_s)
            return self._cancel(self.stopped, now_s)
        if self._vend is not None and self._enables_first(self._vend) and not self._settings.accepting:
            return self._cancel("disabled", now_s)
        return self._ask(now_s)

    def overdue(self, now_s: float) -> bool:
        """The deadline has passed. True: the reader does not do what it must, and is lost."""
        return self._vend is None or self._vend.overdue(now_s)

    def lost(self, state: int | None) -> tuple[Events, Events]:
        """The reader is gone, or out of sequence in `state`: what goes before CardLost and what after."""
        return self._vend.lost(state) if self._vend else [], self._session_ended()

    # The sale's side

    def perform(self, effect: act.CardEffect, now_s: float) -> Events:
        match effect:
            case act.RequestVend():
                return self._on_request(effect, now_s)
            case act.CancelVend():
                return self._cancel("cancelled", now_s)
            case act.ConfirmVend(item=item) if self._vend:
                self._vend.confirm(item, now_s)
            case act.FailVend():
                return self._vend.fail(now_s) if self._vend else [cev.RefundEnded(self._reader, ok=False)]
            case act.EndSession():
                self._on_end_wanted(now_s)
            case act.AskRevalueLimit():
                if self.phase is not Phase.OPEN or not self.abilities.revalues:
                    return [cev.RevalueLimit(self._reader, 0)]
                self._enter(Phase.LIMIT, now_s)
            case act.Revalue(amount_minor=amount_minor):
                amount = self._scaling.raw(amount_minor)
                if self.phase is not Phase.OPEN or not self.abilities.revalues or amount is None:
                    return [cev.RevalueEnded(self._reader, ok=False)]
                self._commands[Phase.REVALUE] = self._blocks.revalue(amount)
                self._enter(Phase.REVALUE, now_s)
            case _:
                pass
        return []

    def _on_request(self, effect: act.RequestVend, now_s: float) -> Events:
        if self._waiting is not None or (self._vend is not None and self._vend.asked):
            self._counts["requests_repeated"] += 1  # the same request: one answer
            return []
        if self.stopped or self._scaling.raw(effect.price_minor) is None:
            return [cev.VendDenied(self._reader, self.stopped or "price_not_whole")]
        self._waiting = effect
        return self._ask(now_s)

    def _ask(self, now_s: float) -> Events:
        """The VEND REQUEST that waits, if its time has come."""
        waiting = self._waiting
        if waiting is None or self.phase not in {Phase.IDLE, Phase.OPEN}:
            return []
        self._waiting = None
        if self.phase is Phase.IDLE and not (self.abilities.always_idle and self._settings.accepting):
            return [cev.VendDenied(self._reader, "no_session" if self._settings.accepting else "disabled")]
        price = self._scaling.raw(waiting.price_minor)
        assert price is not None  # looked at when it came
        self._new_vend(now_s, waiting.price_minor, self._blocks.vend_request(price, waiting.item))
        return []

    def _cancel(self, reason: str, now_s: float) -> Events:
        if self._waiting is not None:
            self._waiting = None
            return [cev.VendDenied(self._reader, reason)]
        events = self._vend.cancel(reason, now_s) if self._vend else []
        self._after_vend(now_s)
        return events

    def _on_end_wanted(self, now_s: float) -> None:
        if self.phase is Phase.OPEN:
            self._enter(Phase.COMPLETE, now_s)
        elif self._open:
            self._end_wanted = True
        elif self.phase is Phase.IDLE and self._settings.enabled:
            self._enter(Phase.READER_CANCEL, now_s)

    # The reader's messages

    def _on_begin(self, message: Message, now_s: float) -> Events:
        if self.phase not in NO_SESSION:
            self._counts["sessions_repeated"] += 1
            return []
        if self.stopped:
            self._enter(Phase.COMPLETE, now_s)
            return []
        self._open = True
        self._enter(Phase.OPEN, now_s)
        funds = parse_funds(message.body)
        return [cev.SessionBegan(self._reader, None if funds is None else self._scaling.minor_down(funds))]

    def _on_cancel_request(self, now_s: float) -> None:
        if self.phase in {Phase.IDLE, Phase.OPEN}:
            self._enter(Phase.COMPLETE, now_s)
        elif self.phase not in ENDING:
            self._end_wanted = True

    def _on_approved(self, message: Message, now_s: float) -> Events:
        if self._vend is None:
            self._counts["approvals_unasked"] += 1
            self._new_vend(now_s)
            return []
        return self._vend.on_approved(message.body, now_s)

    def _on_denied(self, now_s: float) -> Events:
        events = self._vend.on_denied(now_s) if self._vend else []
        self._after_vend(now_s)
        return events

    def _on_end(self, now_s: float) -> Events:
        denied: Events = []
        if self._vend is not None and self._vend.asked:
            denied, self._vend = self._vend.deny("session_ended", now_s), None
        elif self.phase not in ENDING | {Phase.OPEN}:
            self._counts["ends_unasked"] += 1
            return []
        self._enter(Phase.IDLE, now_s)
        self._settings.enabled = True  # wherever it was when the session began (§7.2)
        return denied + self._session_ended()

    def _on_revalue(self, message: Message, now_s: float) -> Events:
        events: Events = []
        if self.phase in {Phase.REVALUE, Phase.AWAIT_REVALUE} and message.code is not Code.REVALUE_LIMIT:
            events = [cev.RevalueEnded(self._reader, ok=message.code is Code.REVALUE_APPROVED)]
        elif self.phase in {Phase.LIMIT, Phase.AWAIT_LIMIT} and message.code is not Code.REVALUE_APPROVED:
            raw = parse_amount(message.body) if message.code is Code.REVALUE_LIMIT else None
            events = [cev.RevalueLimit(self._reader, self._scaling.minor_down(raw or 0))]
        if events:
            self._enter(Phase.COMPLETE if self._end_wanted else Phase.OPEN, now_s)
        return events

    # Steps that several of these share

    def _enables_first(self, vend: Vend) -> bool:
        """A VEND REQUEST without a session that came before the reader was enabled."""
        return not (self._open or self._settings.enabled or vend.request_sent) and vend.asked

    def _new_vend(self, now_s: float, price_minor: int = 0, request: Block | None = None) -> None:
        self._vend = Vend(
            self._reader, self._blocks, self._scaling, self.abilities, self._faults, price_minor, request
        )
        self._enter(Phase.VEND, now_s)

    def _after_vend(self, now_s: float) -> None:
        """A reader without multivend is through after one vend; one that is always idle too."""
        vend = self._vend
        if vend is None or not vend.over:
            return
        self._vend = None
        if vend.withdrawn:
            self._enter(Phase.OPEN if self._open else Phase.IDLE, now_s)
        elif self._open and self.abilities.multivend and not (self._end_wanted or vend.session_must_end):
            self._enter(Phase.OPEN, now_s)
        else:
            self._enter(Phase.COMPLETE, now_s)

    def _session_ended(self) -> Events:
        was_open, self._open, self._end_wanted = self._open, False, False
        return [cev.SessionEnded(self._reader)] if was_open else []

    def _enter(self, phase: Phase, now_s: float) -> None:
        self.phase = phase
        self._deadline_s = now_s + self.abilities.response_s if phase in AWAITING else inf
