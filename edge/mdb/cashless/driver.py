"""The cashless reader's driver, levels 1 to 3 (MDB/ICP 4.2 §7), as a peripheral (edge/mdb/peripheral.py).

Two are possible at one machine, `reader` 1 at 10h and 2 at 60h; each driver ignores the other's effects.

Ready and lost
- RESET and the whole initialisation at the start and after each loss; CardReady when it is done. CardLost and
  CardReady alternate; the first of all may be either. A reader that is silent longer than it may be (5 s, or
  what its configuration says) is lost: RESET at once and every 10 s.
- JUST RESET unasked gives CardLost("reset") and the initialisation without RESET. COMMAND OUT OF SEQUENCE
  gives CardLost("out_of_sequence"), RESET and the whole initialisation.
- A malfunction with which the reader cannot sell ("network", "failure", "jammed", "maker_failure") first ends
  what is under way: a request without result is cancelled, a session completed, an approved vend carried
  through. Then CardLost with that reason, and CardReady when a POLL no longer tells it.
- AcceptCards and SetPriceRange hold through every initialisation. Cards are refused until AcceptCards.

One vend
- Every RequestVend is answered by exactly one of VendApproved, VendDenied and CardLost. A price that is no
  whole number of the reader's units is denied at once, never rounded. A second RequestVend before the answer
  is that same request. One that comes while the reader finishes something else waits for it.
- VendApproved is told once. Until the sale has sent exactly one of ConfirmVend and FailVend nothing but POLL
  goes to the reader, at the usual rhythm. CancelVend after VendApproved does nothing.
- CancelVend before it ends in VendDenied("cancelled"). An approval that the reader had on its way then, one
  of an amount that is no whole number of minor units, and one that nobody asked for are answered with VEND
  FAILURE here; DeviceFault `refund_failed` where the reader did not give that money back.
- Every FailVend is answered by exactly one RefundEnded, `ok` false where nothing was left to be refunded.
- CardLost after VendApproved: the reader takes the reset for a sale, and so should we. ConfirmVend then does
  nothing, FailVend gives RefundEnded(ok=False).
- VEND SUCCESS without an answer: POLL, then SESSION COMPLETE; if the reader had not heard it, that is out of
  sequence, and the RESET that follows is the same sale. VEND FAILURE without an answer: POLL, then VEND
  FAILURE again; if the reader had heard it, that is out of sequence, and the refund was made. VEND REQUEST is
  repeated in turn with POLL.
- A vend without a known result when the bus or the reader is lost is voided before the next RESET
  (edge/mdb/cashless/start.py).

Sessions
- Each SessionBegan is followed by exactly one SessionEnded: after EndSession, at the reader's wish, after
  each vend where the reader has no multivend, or directly after CardLost.
- An always idle reader sells without a session: RequestVend may come at any time between CardReady and
  CardLost, and then there is neither SessionBegan nor SessionEnded.
- AskRevalueLimit and Revalue want a session in which nothing else is under way, at level 2 or 3; otherwise
  RevalueLimit of 0 and RevalueEnded(ok=False). A REVALUE REQUEST is never repeated; CardLost instead of
  RevalueEnded means that nobody knows.

What the sale is told because of an effect alone comes with the reader's next answer, asked for at once.
"""

from collections import Counter
from collections.abc import Sequence
from math import inf

from edge.mdb.cashless.blocks import ADDRESSES, Blocks, Command, command_of
from edge.mdb.cashless.codes import (
    Code,
    Kind,
    Message,
    malfunction,
    malfunctions,
    parse_messages,
)
from edge.mdb.cashless.money import scaling_of
from edge.mdb.cashless.phases import (
    MAX_REPOLLS,
    REPOLL_S,
    START_LIMIT_S,
    VOIDING,
    Phase,
    StartPhase,
)
from edge.mdb.cashless.session import Session
from edge.mdb.cashless.settings import Settings, Wishes
from edge.mdb.cashless.start import Start
from edge.mdb.cashless.vend import Events
from edge.mdb.frame import Block, Data, Reply, Silence
from edge.mdb.peripheral import POLL_INTERVAL_S, RESET_RETRY_S, Faults
from edge.sale.card_events import (
    CardLost,
    CardReady,
    RefundEnded,
    RevalueEnded,
    RevalueLimit,
    VendDenied,
)
from edge.sale.effects import (
    AcceptCards,
    AskRevalueLimit,
    CardEffect,
    Effect,
    FailVend,
    ReportCashSale,
    RequestVend,
    Revalue,
    SetPriceRange,
)

LASTING = {Kind.LASTS, Kind.STOPS}


class CashlessReader:
    def __init__(self, reader: int, minor_exponent: int = 2) -> None:
        self._reader = reader
        self._minor_exponent = minor_exponent
        self.address = ADDRESSES[reader]
        self._poll = Blocks(self.address).poll
        self._start = Start(self.address, StartPhase.RESET)
        self._session: Session | None = None  # None during the initialisation
        self._start_by_s = inf
        self._online: bool | None = None  # what the last event said; None before the first
        self._due_s = -inf
        self._rest_until_s = -inf
        self._silent_since_s: float | None = None
        self._unheard: Block | None = None  # a command without answer
        self._poll_next = False  # to hear of a command without answer, or whether the reader repeats itself
        self._repolls = 0
        self._stopped = ""
        self._answers: Events = []  # to effects; told with the next reply
        self._faults = Faults(f"reader_{reader}")
        self.counts: Counter[str] = Counter()
        self._wishes = Wishes(self.counts)

    @property
    def next_wake_s(self) -> float:
        return self._due_s

    def next_request(self, now_s: float) -> Block | None:
        if now_s < self._due_s:
            return None
        block = None if self._poll_next or self._answers else self._command()
        if block is not None and self._session is not None:
            self._session.sent(block)
        return block or self._poll

    def perform(self, effect: Effect, now_s: float) -> None:
        if not isinstance(effect, CardEffect) or effect.reader != self._reader:
            return
        match effect:
            case AcceptCards(enabled=enabled):
                self._wishes.accept = enabled
            case SetPriceRange(max_minor=max_minor, min_minor=min_minor):
                self._wishes.prices_minor = (max_minor, min_minor)
            case ReportCashSale():
                self._wishes.report(effect)
            case _ if self._session is not None:
                self._answers += self._session.perform(effect, now_s)
            case _:
                self._answers += self._not_ready(effect)
        if self._answers or self._session is not None:
            self._due_s = now_s

    def bus_lost(self, reason: str, now_s: float) -> Events:
        void = self._start.phase in VOIDING  # still to be done: a bus may be lost several times in a row
        events = self._take_answers() + self._lose(reason, now_s)
        if void:
            self._start = Start(self.address, StartPhase.VOID, self._start.layout)
        self._due_s = self._rest_until_s = now_s
        return events

    def on_pushed(self, data: bytes, now_s: float) -> Events:
        return self.on_reply(self._poll, Data(data), now_s)

    def on_reply(self, block: Block, reply: Reply, now_s: float) -> Events:
        events = self._take_answers()
        if isinstance(reply, Silence):
            return events + self._on_silence(block, now_s)
        polled = command_of(block) is Command.POLL
        if self._session is not None:
            self._session.on_answer(block, now_s)
        else:
            self._start.on_answer(block)
        messages = parse_messages(reply.data, self._start.layout) if isinstance(reply, Data) else []
        news = [message for message in messages if not _is_lasting(message)]
        if polled:
            events += self._on_lasting(messages)
        # An approval that comes with OUT OF SEQUENCE counts: the reset that follows makes it a sale.
        for message in sorted(news, key=_is_out_of_sequence):
            events += self._on_message(message, now_s)
        if polled:
            events += self._on_polled(now_s, quiet=not news)
        events += self._settle(now_s)
        self._schedule(polled=polled, news=bool(news), now_s=now_s)
        return events + self._expire(now_s)

    # Replies

    def _on_silence(self, block: Block, now_s: float) -> Events:
        self._due_s = now_s + POLL_INTERVAL_S
        if self._silent_since_s is None:
            self._silent_since_s = now_s
        booting = self._start.phase is StartPhase.AWAIT_RESET
        if now_s - self._silent_since_s >= (RESET_RETRY_S if booting else self._start.response_s):
            return self._lose("silent", now_s)
        if command_of(block) is not Command.POLL:
            self._unheard = block
        if self._session is not None:
            self._session.on_silence(block, now_s)
        else:
            self._start.on_silence(block)
        self._poll_next = block == self._unheard or self._repolls > 0
        if self._online is False and self._start.phase is StartPhase.RESET:
            self._silent_since_s, self._unheard, self._poll_next = None, None, False
            self._due_s = now_s + RESET_RETRY_S
        return []

    def _on_message(self, message: Message, now_s: float) -> Events:
        match message.code:
            case Code.JUST_RESET:
                return self._on_just_reset(message)
            case Code.OUT_OF_SEQUENCE if self._start.phase not in VOIDING:
                state = message.body[0] if message.body else 0
                return self._lose("out_of_sequence", now_s, state)
            case Code.MALFUNCTION:
                trouble = malfunction(message.body)
                events: Events = [*self._faults.occurred("reported", trouble.code)]
                if trouble.kind is Kind.REFUND and self._session is not None:
                    events += self._session.refund_failed(now_s)
                return events
            case _ if self._session is not None:
                return self._session.on_message(message, now_s)
            case _:
                self._start.on_message(message)
                return []

    def _on_just_reset(self, message: Message) -> Events:
        events = self._tell_lost("reset") if self._session is not None else []
        self._session, self._start_by_s = None, inf
        self._start.on_message(message)
        return [*events, *self._faults.replace("reported", ())]

    def _on_lasting(self, messages: Sequence[Message]) -> Events:
        """A reply that tells something else alone says nothing about malfunctions that last."""
        lasting = [row for row in malfunctions(messages) if row.kind in LASTING]
        if messages and not lasting:
            return []
        self._stopped = next((row.reason for row in lasting if row.kind is Kind.STOPS), "")
        return [*self._faults.replace("poll", [row.code for row in lasting])]

    def _on_polled(self, now_s: float, *, quiet: bool) -> Events:
        if self._session is not None:
            return self._session.on_polled(now_s, quiet=quiet)
        self._start.on_polled()
        return []

    # After each answer

    def _settle(self, now_s: float) -> Events:
        events: Events = []
        if self._start.phase is StartPhase.DONE and self._session is None:
            events = self._open_session(now_s)
        if self._session is None:
            return events
        self._session.stopped = self._stopped
        if not (self._stopped or self._online):
            self._online = True
            able = self._session.abilities
            events.append(CardReady(self._reader, able.always_idle, able.refunds, able.reports_cash))
        events += self._session.settle(now_s)
        if self._stopped and self._online is not False and self._session.phase is Phase.IDLE:
            self._online = False
            events.append(CardLost(self._reader, self._stopped))
        return events

    def _open_session(self, now_s: float) -> Events:
        config, blocks = self._start.config, self._start.blocks
        scaling = None if config is None else scaling_of(config, self._minor_exponent, blocks.max_amount)
        if config is None or scaling is None:
            return [*self._faults.replace("setup", ["scale_zero"]), *self._lose("scale_zero", now_s)]
        able = self._start.abilities(config)
        settings = Settings(blocks, scaling, self._wishes, reports_cash=able.reports_cash)
        self._session = Session(self._reader, blocks, scaling, able, settings, self._faults, self.counts)
        return [*self._faults.replace("setup", ())]

    def _schedule(self, *, polled: bool, news: bool, now_s: float) -> None:
        """When to ask next. News may be repeated in the next reply; until then no command is sent."""
        if not polled or self._command() != self._unheard:
            self._unheard = None
        if self._unheard is None:
            self._silent_since_s = None
        self._repolls = self._repolls + 1 if news and self._repolls < MAX_REPOLLS else 0
        self._poll_next = self._repolls > 0
        if self._poll_next:
            self._due_s = now_s + REPOLL_S
        elif self._command() is None or self._unheard is not None:
            self._due_s = now_s + POLL_INTERVAL_S
        else:
            self._due_s = now_s
        self._due_s = max(self._due_s, self._rest_until_s)

    def _expire(self, now_s: float) -> Events:
        if self._session is None:
            if self._start_by_s == inf:
                self._start_by_s = now_s + START_LIMIT_S
            return self._lose("start_timeout", now_s) if now_s > self._start_by_s else []
        if now_s > self._session.deadline_s and self._session.overdue(now_s):
            return self._lose("answer_timeout", now_s)
        return []

    # Steps that several of these share

    def _command(self) -> Block | None:
        return self._start.command() if self._session is None else self._session.command()

    def _take_answers(self) -> Events:
        answers, self._answers = self._answers, []
        return answers

    def _not_ready(self, effect: CardEffect) -> Events:
        match effect:
            case RequestVend():
                return [VendDenied(self._reader, "not_ready")]
            case FailVend():
                return [RefundEnded(self._reader, ok=False)]
            case AskRevalueLimit():
                return [RevalueLimit(self._reader, 0)]
            case Revalue():
                return [RevalueEnded(self._reader, ok=False)]
            case _:
                return []

    def _tell_lost(self, reason: str, state: int | None = None) -> Events:
        before, after = self._session.lost(state) if self._session is not None else ([], [])
        lost: Events = [] if self._online is False else [CardLost(self._reader, reason)]
        self._online = False
        return [*before, *lost, *after]

    def _lose(self, reason: str, now_s: float, state: int | None = None) -> Events:
        """RESET at once when a working reader is lost, then in the rhythm of one that is offline."""
        void = self._session is not None and self._session.void_needed and state is None
        self._rest_until_s = now_s if self._session is not None else now_s + RESET_RETRY_S
        self._due_s = self._rest_until_s
        events = self._tell_lost(reason, state)
        self._session = None
        first = StartPhase.VOID if void else StartPhase.RESET
        self._start = Start(self.address, first, self._start.layout)
        self._start_by_s = inf
        self._silent_since_s, self._unheard, self._poll_next, self._repolls = None, None, False, 0
        return events


def _is_out_of_sequence(message: Message) -> bool:
    return message.code is Code.OUT_OF_SEQUENCE


def _is_lasting(message: Message) -> bool:
    return message.code is Code.MALFUNCTION and malfunction(message.body).kind in LASTING
