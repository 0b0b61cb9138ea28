"""Cashless driver and reader simulator joined by the adapter's real bytes, in virtual time."""

from edge.mdb.adapters.qibixx import QibixxAdapter
from edge.mdb.cashless.blocks import VMC_ID
from edge.mdb.cashless.driver import CashlessReader
from edge.mdb.dialogue import Dialogue
from edge.sale import card_events as cev
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sim.bus import VirtualBus
from edge.sim.qibixx import SimQibixx
from edge.sim.reader import SimReader

STEP_S = 0.005

Event = ev.DriverEvent | cev.CardEvent

# What the tests of reader 1 say again and again: blocks, events, effects.
VEND, POLL = 0x13, 0x12  # first bytes of blocks
ID = f"17,00{VMC_ID.hex().upper()}"
START = ["10", "11,0003000000", "11,01FFFF0000", ID]
REQUEST, SUCCESS, FAILURE, CANCEL, COMPLETE = "13,000096000C", "13,02000C", "13,03", "13,01", "13,04"
BEGAN, ENDED = cev.SessionBegan(1, None), cev.SessionEnded(1)
READY = cev.CardReady(1, always_idle=False, refunds=True, reports_cash=True)
APPROVED = cev.VendApproved(1, 150)
WIDE, IDLE = 0x02, 0x20


def lost(reason: str) -> cev.CardLost:
    return cev.CardLost(1, reason)


def denied(reason: str) -> cev.VendDenied:
    return cev.VendDenied(1, reason)


def request(price_minor: int = 150) -> act.RequestVend:
    return act.RequestVend(1, price_minor, 12)


class ReaderRig:
    def __init__(self, sim: SimReader | None = None) -> None:
        self.sim = sim or SimReader()
        self.bus = VirtualBus([self.sim])
        self.adapter = SimQibixx(self.bus)
        self.events: list[Event] = []
        self.now_s = 0.0
        self.sent: list[str] = []  # blocks, without the adapter's own commands
        self.restart()

    def restart(self) -> None:
        """A new process on the machine; adapter and reader carry on."""
        self.driver = CashlessReader(1)
        self.dialogue = Dialogue(QibixxAdapter(), [self.driver])
        self._held = b""
        self.dialogue.opened(self.now_s)

    def step(self) -> None:
        self.now_s += STEP_S
        send, events = self.dialogue.turn(self._held, self.now_s)
        self._held = self.adapter.turn(send, self.now_s)
        if send.startswith(b"R,"):
            self.sent.append(send.decode().strip().removeprefix("R,"))
        self.events += events

    def run(self, duration_s: float) -> list[Event]:
        """What happens within this time."""
        before = len(self.events)
        until_s = self.now_s + duration_s
        while self.now_s < until_s:
            self.step()
        return self.events[before:]

    def until(self, *kinds: type[Event], limit_s: float = 30.0) -> list[Event]:
        """What happens until an event of one of these kinds has come."""
        before = len(self.events)
        until_s = self.now_s + limit_s
        while not any(isinstance(event, kinds) for event in self.events[before:]):
            assert self.now_s < until_s, f"none of {kinds} within {limit_s} s: {self.events[before:]}"
            self.step()
        return self.events[before:]

    def until_sent(self, block: str, limit_s: float = 30.0) -> None:
        until_s = self.now_s + limit_s
        before = len(self.sent)
        while block not in self.sent[before:]:
            assert self.now_s < until_s, f"{block} not sent: {self.sent[before:]}"
            self.step()

    def unplug(self) -> list[Event]:
        """The adapter is pulled out and comes back; what was in the cable is gone."""
        events: list[Event] = []
        for _ in range(3):  # the port is tried again and again
            events += self.dialogue.closed("port_lost", self.now_s)
        self._held = b""
        self.dialogue.opened(self.now_s)
        return events

    def do(self, effect: act.Effect) -> None:
        self.events += self.dialogue.perform(effect, self.now_s)

    def commands(self) -> list[str]:
        """All blocks but POLL."""
        return [block for block in self.sent if block != "12"]

    def ready(self) -> cev.CardReady:
        """Initialised and enabled; what was sent and told until then is forgotten."""
        self.do(act.AcceptCards(1, enabled=True))
        ready = self.until(cev.CardReady)[-1]
        self.run(0.5)
        self.sent.clear()
        self.events.clear()
        assert isinstance(ready, cev.CardReady)
        return ready

    def session(self, funds: int = 0xFFFF) -> None:
        """Ready, and a card in the reader."""
        self.ready()
        self.sim.show_card(funds)
        self.until(cev.SessionBegan)
        self.run(0.1)
        self.sent.clear()
        self.events.clear()

    def approved(self, price_minor: int = 150) -> None:
        """A session with an approved vend."""
        self.session()
        self.do(act.RequestVend(1, price_minor, 12))
        self.until(cev.VendApproved)
        self.run(0.1)
        self.sent.clear()
        self.events.clear()
