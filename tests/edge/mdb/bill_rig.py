"""Validator driver and validator simulator joined by the adapter's real bytes, in virtual time."""

from collections.abc import Callable
from typing import Any

from edge.mdb.adapters.qibixx import QibixxAdapter
from edge.mdb.bill.driver import BillValidator
from edge.mdb.bill.notes import Told
from edge.mdb.dialogue import Dialogue
from edge.sale.effects import AcceptBills, Effect, PayOutBills, SettleBill
from edge.sale.events import BillEscrowed, BillEvent, BillIn, BillPayoutEnded, BillsReady, DriverEvent
from edge.sim.bus import VirtualBus
from edge.sim.qibixx import SimQibixx
from edge.sim.validator import SimValidator

STEP_S = 0.005
ALL = frozenset(range(4))


class BillRig:
    """`decide`, where given, answers each BillEscrowed as a sale would."""

    def __init__(
        self, validator: SimValidator | None = None, decide: Callable[[BillEscrowed], bool] | None = None
    ) -> None:
        self.sim = validator or SimValidator()
        self.bus = VirtualBus([self.sim])
        self.adapter = SimQibixx(self.bus)
        self.decide = decide
        self.events: Told = []
        self.now_s = 0.0
        self.sent: list[bytes] = []
        self._held = b""
        self.restart()

    def restart(self) -> None:
        """A new process on the machine; adapter and validator carry on."""
        self.driver = BillValidator()
        peripherals: list[Any] = [self.driver]  # until BillEvent is part of DriverEvent
        self.dialogue = Dialogue(QibixxAdapter(), peripherals)
        self._held = b""
        self.dialogue.opened(self.now_s)

    def step(self, until_s: float = 0.0) -> None:
        """One turn of the dialogue; where nothing is due before until_s, time passes at once."""
        self.now_s += STEP_S
        if not self._held:
            self.now_s = max(self.now_s, min(self.dialogue.next_wake_s, until_s))
        send, events = self.dialogue.turn(self._held, self.now_s)
        self._held = self.adapter.turn(send, self.now_s)
        if send:
            self.sent.append(send.strip())
        self.events += events
        for event in events:
            if isinstance(event, BillEscrowed) and self.decide:
                self.do(SettleBill(event.bill, self.decide(event)))

    def settle(self, *, stack: bool) -> None:
        """Decide on the note that was told last."""
        bill = next(event.bill for event in reversed(self.events) if isinstance(event, BillEscrowed))
        self.do(SettleBill(bill, stack))

    def run(self, duration_s: float) -> Told:
        """What happens within this time."""
        before = len(self.events)
        until_s = self.now_s + duration_s
        while self.now_s < until_s:
            self.step(until_s)
        return self.events[before:]

    def until(self, kind: type[DriverEvent | BillEvent], limit_s: float = 90.0) -> Told:
        """What happens until an event of this kind has come."""
        before = len(self.events)
        until_s = self.now_s + limit_s
        while not any(isinstance(event, kind) for event in self.events[before:]):
            assert self.now_s < until_s, f"no {kind.__name__} within {limit_s} s: {self.events[before:]}"
            self.step(until_s)
        return self.events[before:]

    def until_sent(self, line: bytes, limit_s: float = 90.0) -> None:
        """Until this line has left, and before its answer has come."""
        count, until_s = self.sent.count(line), self.now_s + limit_s
        while self.sent.count(line) == count:
            assert self.now_s < until_s, f"{line!r} not sent within {limit_s} s"
            self.step(until_s)

    def do(self, effect: Effect) -> None:
        self.events += self.dialogue.perform(effect, self.now_s)

    def ready(self, accept: frozenset[int] = frozenset()) -> BillsReady:
        """Started, and the notes of these types enabled."""
        if accept:
            self.do(AcceptBills(accept))
        ready = next(event for event in self.until(BillsReady) if isinstance(event, BillsReady))
        self.run(0.5)
        return ready

    def escrowed(self, bill: int) -> None:
        """A note of this type is in escrow, undecided."""
        self.sim.insert(bill)
        self.until(BillEscrowed)

    def pay(self, *bills: int) -> BillPayoutEnded:
        self.do(PayOutBills(bills))
        return next(event for event in self.until(BillPayoutEnded) if isinstance(event, BillPayoutEnded))

    def credited_minor(self) -> int:
        return sum(event.value_minor for event in self.events if isinstance(event, BillIn))

    def blocks(self) -> list[bytes]:
        """What was sent, without the adapter's start and POLL."""
        return [line for line in self.sent if line.startswith(b"R,") and line != b"R,33"]
