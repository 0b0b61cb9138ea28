"""Whatever goes wrong between reader and driver, what the card lost and what the sale believes agree."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.sale import card_events as cev
from edge.sale import effects as act
from edge.sim.bus import Fault
from edge.sim.reader import SimReader
from tests.edge.mdb.reader_rig import Event, ReaderRig

PRICE = 150
MOTOR_S = 0.6
VEND_EXCHANGES = range(14, 46)  # from the card to the end of the session, with some room for faults

READERS: dict[str, Callable[[], SimReader]] = {
    "card first": SimReader,
    "one vend a session": lambda: SimReader(options=0x01),
    "always idle, 32 bit": lambda: SimReader(features=0x22),
    "level 1": lambda: SimReader(level=1),
}


@dataclass(slots=True)
class Sale:
    """The simplest sale that keeps to the driver's contract, and sees that the driver does."""

    rig: ReaderRig
    motor_works: bool = True
    answers: int = 0
    approved_minor: list[int] = field(default_factory=list)
    delivered: int = 0
    refunds: list[bool] = field(default_factory=list)
    asked: bool = False
    session_open: bool = False
    motor_until_s: float | None = None

    def take(self, event: Event) -> None:
        match event:
            case cev.VendApproved(amount_minor=amount):
                self._answered()
                self.approved_minor.append(amount)
                self.motor_until_s = self.rig.now_s + MOTOR_S
            case cev.VendDenied():
                self._answered()
            case cev.CardLost() if self.asked:
                self._answered()
            case cev.RefundEnded(ok=ok):
                self.refunds.append(ok)
            case cev.SessionBegan():
                assert not self.session_open
                self.session_open = True
            case cev.SessionEnded():
                assert self.session_open
                self.session_open = False
            case _:
                pass

    def _answered(self) -> None:
        assert self.asked
        self.asked = False
        self.answers += 1

    def run(self, duration_s: float) -> None:
        until_s = self.rig.now_s + duration_s
        while self.rig.now_s < until_s:
            before = len(self.rig.events)
            self.rig.step()
            for event in self.rig.events[before:]:
                self.take(event)
            if self.motor_until_s is not None and self.rig.now_s >= self.motor_until_s:
                self.motor_until_s = None
                self.delivered += self.motor_works
                self.rig.do(act.ConfirmVend(1, 12) if self.motor_works else act.FailVend(1))

    def request(self) -> None:
        self.asked = True
        self.rig.do(act.RequestVend(1, PRICE, 12))

    def unplug(self) -> None:
        for event in self.rig.unplug():
            self.take(event)

    def start(self) -> None:
        self.rig.do(act.AcceptCards(1, enabled=True))
        self.run(1.5)
        self.rig.sim.show_card(5000)
        self.run(0.7)

    def end(self, after_s: float) -> None:
        self.run(after_s)
        self.rig.do(act.EndSession(1))
        self.run(6)
        if self.session_open:  # a card that was not taken began another one after a reset
            self.rig.do(act.EndSession(1))
            self.run(6)

    def check(self) -> None:
        truth = self.rig.sim.truth()
        assert self.answers == 1  # one request, one answer
        assert not self.session_open
        assert len(truth.books.charged) <= 1
        assert len(self.refunds) == (0 if self.motor_works else len(self.approved_minor))
        if self.delivered:
            assert truth.paid == sum(self.approved_minor) == PRICE
            assert len(truth.books.confirmed) + truth.books.sold_by_reset == 1
        elif all(self.refunds):
            assert truth.paid == 0
        else:
            assert truth.paid in {0, PRICE}  # nobody knows, and the sale was told so
        assert not self.rig.driver.counts["approvals_unasked"]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize(
    ("motor_works", "cancel_after_s"),
    [(True, None), (False, None), (True, 0.15), (True, 0.4)],
    ids=["delivered", "motor fails", "cancelled while the host is asked", "cancelled late"],
)
def test_any_single_fault_charges_for_what_was_delivered_and_nothing_else(
    reader: str, fault: Fault, motor_works: bool, cancel_after_s: float | None
) -> None:
    for at in VEND_EXCHANGES:
        sale = Sale(ReaderRig(READERS[reader]()), motor_works)
        sale.rig.bus.fault_at[at] = fault
        sale.start()
        sale.request()
        if cancel_after_s is not None:
            sale.run(cancel_after_s)
            sale.rig.do(act.CancelVend(1))
        sale.end(2.5)
        sale.check()


TROUBLE = st.tuples(
    st.floats(0, 2), st.sampled_from(["cancel", "card taken", "network down", "adapter unplugged"])
)


@settings(max_examples=120, deadline=None)
@given(
    reader=st.sampled_from(list(READERS)),
    at_once=st.booleans(),
    bundle=st.booleans(),
    cancel_wins=st.booleans(),
    approve=st.sampled_from([True, True, True, False]),
    verdict_s=st.sampled_from([0, 0.1, 0.3, 0.8]),
    motor_works=st.booleans(),
    faults=st.dictionaries(
        st.sampled_from(VEND_EXCHANGES), st.sampled_from([Fault.ACK_LOST, Fault.ANSWER_LOST]), max_size=6
    ),
    trouble=st.lists(TROUBLE, max_size=3, unique_by=lambda row: row[1]),
)
def test_any_trouble_charges_for_what_was_delivered_and_nothing_else(
    reader: str,
    at_once: bool,
    bundle: bool,
    cancel_wins: bool,
    approve: bool,
    verdict_s: float,
    motor_works: bool,
    faults: dict[int, Fault],
    trouble: list[tuple[float, str]],
) -> None:
    sim = READERS[reader]()
    sim.plan.at_once, sim.plan.bundle, sim.plan.cancel_wins = at_once, bundle, cancel_wins
    sim.plan.approve, sim.plan.verdict_s = approve, verdict_s
    sale = Sale(ReaderRig(sim), motor_works)
    sale.rig.bus.fault_at.update(faults)
    sale.start()
    sale.request()
    before_s = 0.0
    for at_s, what in sorted(trouble):
        sale.run(at_s - before_s)
        before_s = at_s
        match what:
            case "cancel":
                sale.rig.do(act.CancelVend(1))
            case "card taken":
                sim.remove_card()
            case "network down":
                sim.network(up=False)
            case _:
                sale.unplug()
    sale.end(20)
    sale.check()
