"""One vend of the cashless reader, from VEND REQUEST until it is back in its session (MDB/ICP 4.2 §7.2).

- RequestVend's answer is told once: VendApproved or VendDenied; CardLost where the vend is lost before.
- Of VEND SUCCESS and VEND FAILURE a POLL follows when no answer came. SUCCESS then counts as heard, and the
  session has to end: if it was not heard, SESSION COMPLETE is out of sequence, and the RESET that follows is
  the same sale. FAILURE is sent again: if it was heard, that is out of sequence, and the refund was made.
- A refund is through when the reader is no longer silent, or says that it failed.
"""

from math import inf

from edge.mdb.cashless.blocks import Blocks
from edge.mdb.cashless.codes import State, parse_amount
from edge.mdb.cashless.money import Scaling
from edge.mdb.cashless.phases import (
    ASKED,
    AUTHORISE_LIMIT_S,
    CANCELLING,
    REFUNDING,
    VEND_AFTER_ANSWER,
    VEND_AFTER_SILENCE,
    VEND_AWAITING,
    VendPhase,
)
from edge.mdb.cashless.start import Abilities
from edge.mdb.frame import Block
from edge.mdb.peripheral import Faults
from edge.sale import card_events as cev
from edge.sale import events as ev

Events = list[ev.DriverEvent | cev.CardEvent]


class Vend:
    """Without a `request`: an approval that nobody asked for, and that is only given back."""

    def __init__(
        self,
        reader: int,
        blocks: Blocks,
        scaling: Scaling,
        abilities: Abilities,
        faults: Faults,
        price_minor: int = 0,
        request: Block | None = None,
    ) -> None:
        self.phase = VendPhase.FAILURE if request is None else VendPhase.REQUEST
        self.deadline_s = inf
        self.request_sent = False  # or on its way: the reader may have heard it
        self.withdrawn = False  # the reader knows nothing of it
        self.session_must_end = False
        self._reader = reader
        self._blocks = blocks
        self._scaling = scaling
        self._abilities = abilities
        self._faults = faults
        self._price_minor = price_minor
        self._deny_reason = ""
        self._refund_asked = False  # by the sale; otherwise nobody waits for RefundEnded
        self._failure_repeated = False
        self._commands = {
            VendPhase.CANCEL: blocks.vend_cancel,
            VendPhase.FAILURE: blocks.vend_failure,
        }
        if request is not None:
            self._commands[VendPhase.REQUEST] = request

    @property
    def over(self) -> bool:
        return self.phase is VendPhase.OVER

    @property
    def asked(self) -> bool:
        """The sale waits for the answer to its RequestVend."""
        return self.phase in ASKED | CANCELLING

    @property
    def void_needed(self) -> bool:
        """The reader may have charged for it, and the sale does not know."""
        own_refund = self.phase in REFUNDING and not self._refund_asked
        return own_refund or (self.asked and self.request_sent)

    # The driver's side

    def command(self) -> Block | None:
        return self._commands.get(self.phase)

    def sent(self, block: Block) -> None:
        if self.phase is VendPhase.REQUEST and block == self.command():
            self.request_sent = True

    def on_answer(self, block: Block, now_s: float) -> None:
        if block == self.command():
            self._enter(VEND_AFTER_ANSWER[self.phase], now_s)

    def on_silence(self, block: Block, now_s: float) -> None:
        if block == self.command() and self.phase in VEND_AFTER_SILENCE:
            self._enter(VEND_AFTER_SILENCE[self.phase], now_s)

    def on_polled(self, now_s: float, *, quiet: bool) -> Events:
        """A POLL was answered; quiet: with nothing new."""
        match self.phase:
            case VendPhase.SUCCESS_IN_DOUBT:
                self.session_must_end = True
                self._enter(VendPhase.OVER, now_s)
            case VendPhase.FAILURE_IN_DOUBT:
                self._failure_repeated = True
                self._enter(VendPhase.FAILURE, now_s)
            case VendPhase.REFUND if quiet:
                return self.refund_ended(now_s, ok=True)
            case _:
                pass
        return []

    def overdue(self, now_s: float) -> bool:
        """The deadline has passed. True: the reader does not do what it must, and is lost."""
        if self.phase is VendPhase.AWAIT_RESULT:
            self.cancel("timeout", now_s)
            return False
        return True

    def lost(self, state: int | None) -> Events:
        """The reader is gone, or out of sequence in `state`: what is due before CardLost."""
        if self.phase not in REFUNDING:
            return []
        # The repetition was out of sequence, so the first VEND FAILURE was heard; unless it is in Vend still.
        heard = self._failure_repeated and state is not None and state != State.VEND
        return self._tell_refund(ok=heard)

    # The reader's messages

    def on_approved(self, body: bytes, now_s: float) -> Events:
        if not self.asked:
            return []  # a repetition
        raw = parse_amount(body)
        # A token is worth one vend.
        amount = self._price_minor if raw is None else self._scaling.minor(raw)
        if self.phase in ASKED and amount is not None:
            self._enter(VendPhase.APPROVED, now_s)
            return [cev.VendApproved(self._reader, amount)]
        reason = "amount_not_whole" if amount is None else self._deny_reason
        self._enter(VendPhase.FAILURE, now_s)
        return [cev.VendDenied(self._reader, reason)]

    def on_denied(self, now_s: float) -> Events:
        if self.asked:
            return self.deny(self._deny_reason or "denied", now_s)
        if self.phase is VendPhase.FAILURE and not self._refund_asked:
            self._enter(VendPhase.OVER, now_s)  # VEND CANCEL was in time after all
        return []

    def deny(self, reason: str, now_s: float) -> Events:
        self._enter(VendPhase.OVER, now_s)
        return [cev.VendDenied(self._reader, reason)]

    def refund_ended(self, now_s: float, *, ok: bool) -> Events:
        if self.phase not in REFUNDING:
            return []
        self._enter(VendPhase.OVER, now_s)
        return self._tell_refund(ok=ok)

    # The sale's side

    def cancel(self, reason: str, now_s: float) -> Events:
        if self.phase not in ASKED:
            return []
        if not self.request_sent:
            self.withdrawn = True
            return self.deny(reason, now_s)
        self._deny_reason = reason
        self._enter(VendPhase.CANCEL, now_s)
        return []

    def confirm(self, item: int, now_s: float) -> None:
        if self.phase is VendPhase.APPROVED:
            self._commands[VendPhase.SUCCESS] = self._blocks.vend_success(item)
            self._enter(VendPhase.SUCCESS, now_s)

    def fail(self, now_s: float) -> Events:
        if self.phase is not VendPhase.APPROVED:
            return [cev.RefundEnded(self._reader, ok=False)]
        self._refund_asked = True
        self._enter(VendPhase.FAILURE, now_s)
        return []

    def _tell_refund(self, *, ok: bool) -> Events:
        ok = ok and self._abilities.refunds
        if self._refund_asked:
            return [cev.RefundEnded(self._reader, ok)]
        return [] if ok else [*self._faults.occurred("reported", "refund_failed")]

    def _enter(self, phase: VendPhase, now_s: float) -> None:
        self.phase = phase
        if phase is VendPhase.AWAIT_RESULT:
            self.deadline_s = now_s + AUTHORISE_LIMIT_S
        else:
            self.deadline_s = now_s + self._abilities.response_s if phase in VEND_AWAITING else inf
