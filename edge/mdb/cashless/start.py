"""The cashless reader's initialisation, step by step (MDB/ICP 4.2 §7.3): what to send, what the answers mean.

RESET until answered, JUST RESET, SETUP with the reader's configuration, prices (unknown as yet), then the
identification, and at level 3 the options that the reader offers and we want: 32-bit money and always idle. A
reader that reports JUST RESET at any time is at the beginning and goes on from SETUP. One that is silent to
the identification goes on without options. An approval heard before the RESET is voided too.

VOID comes before the RESET where a vend was under way and its result is not known: a reader takes a reset
after its approval for a sale, and VEND FAILURE gives that money back. Where nothing was approved it is out of
sequence, which asks for no more than the RESET that follows.
"""

from collections import Counter
from dataclasses import dataclass

from edge.mdb.cashless.blocks import Blocks
from edge.mdb.cashless.codes import (
    ALWAYS_IDLE,
    MULTIVEND,
    REFUNDS,
    REPORTS_CASH,
    WIDE_MONEY,
    Code,
    Config,
    Layout,
    Message,
    parse_config,
    parse_features,
)
from edge.mdb.cashless.phases import (
    MAX_START_REQUESTS,
    NON_RESPONSE_S,
    START_AFTER_ANSWER,
    START_WITHOUT_ANSWER,
    VOIDING,
    StartPhase,
)
from edge.mdb.frame import Address, Block

WANTED_FEATURES = WIDE_MONEY | ALWAYS_IDLE
LEVEL_WITH_FEATURES = 3


@dataclass(frozen=True, slots=True)
class Abilities:
    """What this reader can do, from its configuration and options."""

    refunds: bool
    multivend: bool
    reports_cash: bool
    always_idle: bool
    revalues: bool
    response_s: float


class Start:
    """`layout` is what the reader spoke before, and speaks until it is reset."""

    def __init__(self, address: Address, phase: StartPhase, layout: Layout = Layout.LEVEL_1) -> None:
        self.phase = phase
        self.config: Config | None = None
        self._address = address
        self._layout = layout
        self._features = 0
        self._silences: Counter[StartPhase] = Counter()

    @property
    def blocks(self) -> Blocks:
        currency = self.config.currency if self.config else b""
        return Blocks(self._address, wide=bool(self._features & WIDE_MONEY), currency=currency)

    @property
    def layout(self) -> Layout:
        if self.config is None:
            return self._layout
        if self._features & WIDE_MONEY:
            return Layout.WIDE
        return Layout(min(max(self.config.level, 1), LEVEL_WITH_FEATURES) - 1)

    @property
    def response_s(self) -> float:
        return max(NON_RESPONSE_S, self.config.response_s if self.config else 0)

    def abilities(self, config: Config) -> Abilities:
        return Abilities(
            refunds=bool(config.options & REFUNDS),
            multivend=bool(config.options & MULTIVEND),
            reports_cash=bool(config.options & REPORTS_CASH),
            always_idle=bool(self._features & ALWAYS_IDLE),
            revalues=config.level > 1,
            response_s=self.response_s,
        )

    def command(self) -> Block | None:
        """None: POLL for what the reader still owes."""
        blocks = self.blocks
        return {
            StartPhase.VOID: blocks.vend_failure,
            StartPhase.RESET: blocks.reset,
            StartPhase.SETUP: blocks.setup,
            StartPhase.PRICES: Blocks(self._address).prices(None),
            StartPhase.ID: blocks.request_id(),
            StartPhase.OPTIONS: blocks.enable_options(self._features),
            StartPhase.WIDE_PRICES: blocks.prices(None),
        }.get(self.phase)

    def on_answer(self, block: Block) -> None:
        if block != self.command():
            return
        if self.phase is StartPhase.OPTIONS:
            wide = self._features & WIDE_MONEY
            self.phase = StartPhase.WIDE_PRICES if wide else StartPhase.DONE
        else:
            self.phase = START_AFTER_ANSWER[self.phase]

    def on_silence(self, block: Block) -> None:
        if block != self.command():
            return
        self._silences[self.phase] += 1
        if self._silences[self.phase] == MAX_START_REQUESTS:
            self.phase = START_WITHOUT_ANSWER.get(self.phase, self.phase)

    def on_polled(self) -> None:
        """A POLL was answered: VEND FAILURE is done with, well or ill."""
        if self.phase is StartPhase.AWAIT_VOID:
            self.phase = StartPhase.RESET

    def on_message(self, message: Message) -> None:
        match message.code:
            case Code.JUST_RESET:
                self.phase, self.config = StartPhase.SETUP, None
                self._features = 0
                self._silences.clear()
            case Code.VEND_APPROVED if self.phase in VOIDING | {StartPhase.RESET}:
                self.phase = StartPhase.VOID
            case Code.READER_CONFIG if self.phase in {StartPhase.SETUP, StartPhase.AWAIT_CONFIG}:
                self.config = parse_config(message.body)
                self.phase = StartPhase.PRICES
            case Code.PERIPHERAL_ID if self.phase in {StartPhase.ID, StartPhase.AWAIT_ID}:
                offered = parse_features(message.body) if self.layout is Layout.LEVEL_3 else 0
                self._features = offered & WANTED_FEATURES
                self.phase = StartPhase.OPTIONS if self._features else StartPhase.DONE
            case _:
                pass
