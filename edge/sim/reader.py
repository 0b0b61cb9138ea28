"""A cashless reader that behaves: MDB/ICP 4.2 §7, levels 1 to 3, strict about its states.

What happened to the customer's money is in `truth()`: an acknowledgement that is lost, a reset or a silent
bus changes what is told, never what was charged. A reset between an approval that was delivered and VEND
SUCCESS counts as success. The hands may come from another thread; they take effect at the next exchange.
"""

from collections import deque
from collections.abc import Callable
from copy import deepcopy
from math import inf
from threading import Lock

from edge.mdb.cashless.blocks import Command
from edge.mdb.cashless.codes import ALWAYS_IDLE, MULTIVEND, WIDE_MONEY, Code, State
from edge.mdb.frame import COMMAND_BITS, MAX_BLOCK_BYTES, Ack, Address, Block, Data, Reply, Silence
from edge.sim import reader_rules as rules
from edge.sim.reader_rules import Books, Key, Plan, ReaderTruth, Refund


def _nothing() -> None:
    pass


class SimReader:
    def __init__(
        self,
        address: int = Address.CASHLESS_1,
        level: int = 3,
        options: int = 0x0B,  # refunds, multivend, cash sales
        features: int = 0,
        scale: int = 1,
        decimals: int = 2,
        response_s: int = 5,
    ) -> None:
        self.address = address
        self.plan = Plan()
        self._lock = Lock()
        self._level, self._offered = level, features
        self._config = bytes([level]) + rules.CURRENCY_EUR + bytes([scale, decimals, response_s, options])
        self._multivend = bool(options & MULTIVEND)
        self._self_reset_s = rules.SELF_RESET_LIMITS * response_s
        self._books = Books()
        self._hands: deque[Callable[[], None]] = deque()
        self._card: int | None = None  # what is on it
        self._network_up = True
        self._lasting = b""
        self._prices = self._time = b""
        self._heard_s = inf
        self._silent_until_s = -inf
        self._forget()

    def _forget(self) -> None:
        self._state = State.INACTIVE
        self._vmc_level = 1
        self._features = 0
        self._told = 0  # how many events the last reply held
        self._events: deque[tuple[bytes, Callable[[], None]]] = deque()
        self._later: tuple[float, Callable[[], None]] | None = None
        self._owed = False  # an answer of which the VMC has not heard yet
        self._setup_open = False  # SETUP came without its prices
        self._begun = False
        self._leaving = False  # the card was taken during a vend
        self._vends = 0
        self._price: int | None = None  # always idle: to be decided when a card is shown
        self._approved: int | None = None
        self._cancelled = False
        self._push(Code.JUST_RESET)

    # The hands

    def show_card(self, funds: int = 0xFFFF) -> None:
        self._hand(lambda: setattr(self, "_card", funds))

    def remove_card(self) -> None:
        self._hand(self._remove_card)

    def network(self, *, up: bool) -> None:
        """The reader's own way to its host: while it is down, 0A 90 at every POLL."""
        self._hand(lambda: setattr(self, "_network_up", up))

    def report(self, data: bytes) -> None:
        """Tell any messages, or garbage."""
        self._hand(lambda: self._events.append((data, _nothing)))

    def report_lasting(self, data: bytes) -> None:
        """Tell this at every POLL from now on; empty ends it."""
        self._hand(lambda: setattr(self, "_lasting", data))

    def reset(self) -> None:
        """The power was cut for a moment."""
        with self._lock:
            self._reset(-inf)

    def _hand(self, does: Callable[[], None]) -> None:
        with self._lock:
            self._hands.append(does)

    def truth(self) -> ReaderTruth:
        with self._lock:
            return ReaderTruth(self._state, self._prices, self._features, self._time, deepcopy(self._books))

    # The bus

    def answer(self, block: Block, now_s: float) -> Reply:
        with self._lock:
            self._advance(now_s)
            self._told = 0
            command = block.head & COMMAND_BITS
            if now_s < self._silent_until_s:
                return Silence()
            if command == Command.RESET:
                self._reset(now_s + rules.RESET_BUSY_S)
                return Ack()
            if command == Command.POLL:
                return self._tell(self._lasting + (b"" if self._network_up else rules.NETWORK_DOWN))
            return self._on_command((command, block.data[0]), block.data[1:], now_s)

    def acknowledged(self) -> None:
        with self._lock:
            told, self._told = self._told, 0
            for then in [self._events.popleft()[1] for _ in range(told)]:
                then()

    def _tell(self, lasting: bytes = b"") -> Reply:
        data = b""
        for event, _ in self._events:
            if len(data + event) >= MAX_BLOCK_BYTES or (data and not self.plan.bundle):
                break
            data += event
            self._told += 1
        if len(data + lasting) < MAX_BLOCK_BYTES:
            data += lasting
        return Data(data) if data else Ack()

    def _on_command(self, key: Key, data: bytes, now_s: float) -> Reply:
        if rules.lengths(self._vmc_level, wide=self._wide).get(key) != len(data):
            return Silence()
        if not self._is_allowed(key):
            self._books.violations.append(key)
            self._push(Code.OUT_OF_SEQUENCE, b"" if self._vmc_level == 1 else bytes([self._state]))
            return Ack()
        handler = {
            rules.SETUP_CONFIG: self._on_setup,
            rules.SETUP_PRICES: self._on_prices,
            rules.ID: self._on_id,
            rules.TIME: self._on_time,
            rules.OPTIONS: self._on_options,
            rules.READER_CANCEL: self._on_reader_cancel,
            rules.REVALUE: self._on_revalue,
            rules.REVALUE_LIMIT: self._on_limit,
            rules.REQUEST: self._on_request,
            rules.CANCEL: self._on_cancel,
            rules.SUCCESS: self._on_success,
            rules.FAILURE: self._on_failure,
            rules.COMPLETE: self._on_complete,
            rules.CASH_SALE: self._on_cash_sale,
        }.get(key)
        if handler is not None:
            handler(data, now_s)
        self._state = rules.STATE_AFTER.get(key, self._state)
        return self._tell() if self.plan.at_once else Ack()

    def _is_allowed(self, key: Key) -> bool:
        if self._state is State.VEND:
            if self._approved is not None:
                return key in {rules.SUCCESS, rules.FAILURE}
            return key == rules.CANCEL and not self._cancelled
        if self._owed or self._setup_open:
            return key == rules.SETUP_PRICES and not self._owed
        if key == rules.REQUEST and self._state is State.ENABLED:
            return self._always_idle
        spent = key == rules.REQUEST and self._vends > 0 and not self._multivend
        return key in rules.ALLOWED[self._state] and not spent

    # Settings

    def _on_setup(self, data: bytes, _now_s: float) -> None:
        self._vmc_level, self._setup_open = min(data[0], self._level), True
        self._owe(Code.READER_CONFIG, self._config)

    def _on_prices(self, data: bytes, _now_s: float) -> None:
        self._prices, self._setup_open = data, False

    def _on_id(self, _data: bytes, _now_s: float) -> None:
        offered = self._offered.to_bytes(4, "big") if self._vmc_level > 2 else b""
        self._owe(Code.PERIPHERAL_ID, rules.IDENTITY + offered)

    def _on_time(self, data: bytes, _now_s: float) -> None:
        self._time = data

    def _on_options(self, data: bytes, _now_s: float) -> None:
        self._features = int.from_bytes(data, "big") & self._offered

    def _on_reader_cancel(self, _data: bytes, _now_s: float) -> None:
        self._owe(Code.CANCELLED)

    def _on_cash_sale(self, data: bytes, _now_s: float) -> None:
        self._books.cash_sales.append(data)

    # Session and vend

    def _begin(self, funds: int) -> None:
        self._begun = True
        data = self._amount(funds)
        if self._vmc_level > 1:
            data += rules.NO_MEDIA_DATA
        if self._wide:
            data += rules.CARD_OPTIONS
        # Enabled until the VMC has acknowledged it (§5.3): what crosses it on its way is no violation.
        self._push(Code.BEGIN_SESSION, data, lambda: self._enter(State.SESSION_IDLE))

    def _on_request(self, data: bytes, now_s: float) -> None:
        price = int.from_bytes(data[:-2], "big")
        self._cancelled = False
        if self._state is State.ENABLED:
            self._price = price
            self._later = (now_s + rules.CARD_WAIT_S, self._deny)
        else:
            self._later = (now_s + self.plan.verdict_s, lambda: self._decide(price))
        self._state = State.VEND
        self._advance(now_s)

    def _decide(self, price: int) -> None:
        if not self.plan.approve or not self._network_up:
            self._deny()
            return
        amount = price if self.plan.amount is None else self.plan.amount
        self._push(Code.VEND_APPROVED, self._amount(amount), lambda: self._charge(amount))

    def _charge(self, amount: int) -> None:
        self._approved = amount
        self._books.charged.append(amount)

    def _deny(self) -> None:
        self._push(Code.VEND_DENIED, b"", self._vend_over)

    def _on_cancel(self, _data: bytes, _now_s: float) -> None:
        self._cancelled = True
        approvals = [event for event in self._events if event[0][0] == Code.VEND_APPROVED]
        if self._later is not None or (approvals and self.plan.cancel_wins):
            for event in approvals:
                self._events.remove(event)
            self._later = None
            self._deny()

    def _on_success(self, data: bytes, _now_s: float) -> None:
        self._books.confirmed.append(int.from_bytes(data, "big"))
        self._vend_over()

    def _on_failure(self, _data: bytes, now_s: float) -> None:
        if self.plan.refund is Refund.SILENT:
            self._silent_until_s = inf
            return
        amount, self._approved = self._approved or 0, None
        self._cancelled = True  # nothing but POLL until the refund is through
        self._silent_until_s = now_s + self.plan.refund_s
        self._later = (self._silent_until_s, lambda: self._refund(amount))
        self._advance(now_s)

    def _refund(self, amount: int) -> None:
        if self.plan.refund is Refund.DONE:
            self._books.refunded.append(amount)
        else:
            self._events.append((rules.REFUND_FAILED, _nothing))
        self._vend_over()

    def _vend_over(self) -> None:
        self._state, self._approved = State.SESSION_IDLE, None
        self._vends += 1
        if self._leaving:
            self._push(Code.SESSION_CANCEL_REQUEST)

    def _on_complete(self, _data: bytes, _now_s: float) -> None:
        self._owe(Code.END_SESSION, b"", self._session_over)

    def _session_over(self) -> None:
        self._state, self._card, self._begun = State.ENABLED, None, False
        self._vends, self._leaving = 0, False

    def _remove_card(self) -> None:
        if self._state is State.SESSION_IDLE:
            self._push(Code.SESSION_CANCEL_REQUEST)
        elif self._state is State.VEND:
            self._leaving = True
            if self._later is not None and self._approved is None and not self._cancelled:
                self._later = (-inf, self._deny)
        elif not self._begun:
            self._card = None

    def _on_limit(self, _data: bytes, _now_s: float) -> None:
        self._owe(Code.REVALUE_LIMIT, self._amount(self.plan.limit))

    def _on_revalue(self, data: bytes, _now_s: float) -> None:
        if self.plan.revalue:
            self._books.revalued.append(int.from_bytes(data, "big"))
        answer = Code.REVALUE_APPROVED if self.plan.revalue else Code.REVALUE_DENIED
        self._owe(answer, b"", lambda: self._enter(State.SESSION_IDLE))

    # What happens as time passes

    def _advance(self, now_s: float) -> None:
        if now_s - self._heard_s > self._self_reset_s:
            self._reset(-inf)
        self._heard_s = now_s
        while self._hands:
            self._hands.popleft()()
        if self._card is not None and self._price is not None and self._later is not None:
            price, self._price = self._price, None
            self._later = (now_s + self.plan.verdict_s, lambda: self._decide(price))
        if self._later is not None and self._later[0] <= now_s:
            (_, does), self._later = self._later, None
            does()
        waits = self._state is State.ENABLED and not (self._begun or self._owed or self._always_idle)
        if waits and self._card is not None and self._network_up:
            self._begin(self._card)

    def _enter(self, state: State) -> None:
        self._state = state

    def _reset(self, silent_until_s: float) -> None:
        if self._approved is not None:
            self._books.sold_by_reset += 1
        self._silent_until_s = silent_until_s
        self._forget()

    def _owe(self, code: Code, data: bytes = b"", then: Callable[[], None] = _nothing) -> None:
        def delivered() -> None:
            self._owed = False
            then()

        self._owed = True
        self._push(code, data, delivered)

    def _push(self, code: Code, data: bytes = b"", delivered: Callable[[], None] = _nothing) -> None:
        self._events.append((bytes([code]) + data, delivered))

    def _amount(self, amount: int) -> bytes:
        return amount.to_bytes(4 if self._wide else 2, "big")

    @property
    def _always_idle(self) -> bool:
        return bool(self._features & ALWAYS_IDLE)

    @property
    def _wide(self) -> bool:
        return bool(self._features & WIDE_MONEY)
