"""What stands around a sale: a changer, a validator with recycler, two readers, a motor and people.

The floor is the ground truth: coins and notes that really moved, cards that were really charged, products
that really fell. It keeps the drivers' contracts (edge/sale/events.py), and its devices do what they are
asked when `random` says so. Every step of the sale is checked against it.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from edge.sale import card_events as cev
from edge.sale import effects as act
from edge.sale import events as ev
from edge.sale import operator_events as op
from edge.sale.machine import step
from edge.sale.operator import Commanded, refusal
from edge.sale.state import Phase, SlotSetting, State
from edge.sale.step import Machine, Policy
from edge.sale.visit_events import ClaimPaid, DoorChanged, GroupReleased, SlotReleased
from shared import records as m
from shared.messages import PriceList
from tests.edge.sale import cabinet

COINS = (5, 10, 20, 50, 100, 200)
ROOM = (8, 8, 8, 8, 8, 0)  # the two-euro coin has no tube
NOTES = (500, 1_000, 2_000)
PRICES = {"A1": 150, "B1": 60, "C1": 35, "D1": 450}
CARD_PRICES = {"B1": 65}
STOCK = 400
KEY = b"floor"
ADAPTER = TypeAdapter(State)


@dataclass
class SimReader:
    """A reader as it is, whatever was told to us."""

    number: int
    always_idle: bool
    up: bool = False
    enabled: bool = False
    session: bool = False
    asked_minor: int | None = None
    approved_minor: int | None = None
    cancelled: bool = False
    refunding_minor: int | None = None
    limit_asked: bool = False
    revaluing_minor: int | None = None
    ending: bool = False

    def reset(self) -> int:
        """A power cut or a reset: what was approved counts as sold. Returns how much that is."""
        sold = self.approved_minor or self.refunding_minor or 0
        self.session = self.enabled = self.cancelled = self.ending = False
        self.asked_minor = self.approved_minor = self.refunding_minor = self.revaluing_minor = None
        self.limit_asked = False
        return sold


@dataclass
class Floor:
    random: random.Random
    policy: Policy = field(default_factory=Policy)

    def __post_init__(self) -> None:
        self.machine = Machine(
            products={"A1": "cola", "B1": "water", "C1": "gum", "D1": "lunch"},
            software="test",
            items={"A1": 11, "B1": 21, "C1": 31, "D1": 41},
            validator=True,
            readers=(1, 2),
            policy=self.policy,
            claim_key=KEY,
            slots={slot: SlotSetting(slot, "any", STOCK, STOCK - 10) for slot in PRICES},
            groups={"fresh": cabinet.FRESH},
        )
        self.cabinet = cabinet.Cabinet()
        self.books_minor = 0  # cash in the machine, by the records alone
        self.records: tuple[m.Body, ...] = ()  # of the last event
        prices = PriceList(version=0, currency="EUR", prices=PRICES, card_prices=CARD_PRICES)
        self.state = State(prices=prices, stock=dict.fromkeys(PRICES, STOCK))
        self.now_s = 10.0
        self.tubes = [5, 5, 5, 5, 5, 0]
        self.recycled = [0, 0, 0]
        self.cash_minor = 0  # in the machine, above what was in it at first
        self.card_minor = 0  # charged to cards and not refunded
        self.revalued_minor = 0  # of the cash, put on cards
        self.unseen_minor = 0  # charged to cards, which the power did not let anybody tell us
        self.doubled_minor = 0  # refunded to cards and owed as well, for the same reason
        self.readers = {1: SimReader(1, always_idle=False), 2: SimReader(2, always_idle=True)}
        self.escrow: int | None = None
        self.stacking = False
        self.stacker = 0
        self.motor = ""
        self.uncounted_coins_minor = self.uncounted_notes_minor = 0  # paid by devices that were lost then
        self.drops = 0
        self.doubtful = 0
        self.coins_out: tuple[int, ...] | None = None
        self.notes_out: tuple[int, ...] | None = None
        self.paying_at_boot = False
        self.codes: list[str] = []
        self.history: list[m.Body] = []
        self.sales: list[m.Sale] = []
        self.session_prices = prices
        self.feed(ev.Booted("boot 1"))
        self.cabinet.good_s = self.cabinet.true_s

    # ---- the sale

    def feed(self, event: ev.Event) -> None:
        self.now_s += 0.5
        self.cabinet.pass_time(0.5)
        self.cabinet.happens(event)
        if self.state.phase is Phase.IDLE:
            self.session_prices = self.state.prices
        done = step(self.machine, self.state, event, self.now_s)
        self.state, self.records = done.state, done.records
        self.books_minor += cabinet.moved(done.records)
        assert cabinet.cash(self.state) == self.books_minor
        for record in done.records:
            self._record(record)
        for effect in done.effects:
            self._perform(effect, event)
        self.check()

    def _record(self, record: m.Body) -> None:
        self.history.append(record)
        if isinstance(record, m.Sale):
            self.sales.append(record)
            is_card = record.tenders[0].tender == "card"
            assert record.price_minor == self.session_prices.of(record.slot, "card" if is_card else "cash")
            assert record.paid_minor == sum(t.amount_minor for t in record.tenders)
        elif isinstance(record, m.Owed):
            self.codes.append(record.claim)
        self.cabinet.written(record)

    def _perform(self, effect: act.Effect, event: ev.Event) -> None:
        match effect:
            case act.RunMotor(slot):
                assert isinstance(event, ev.SlotSelected | cev.VendApproved | ev.FreeVend | op.MotorTested)
                assert not self.motor, "a motor is started while one runs"
                self._may_run(slot, event)
                self.motor = slot
            case act.PayOut(coins, tubes):
                assert self.coins_out is None, "coins are ordered twice"
                assert all(n <= have for n, have in zip(coins, tubes, strict=False))
                self.coins_out = coins
            case act.PayOutBills(bills):
                assert self.notes_out is None, "notes are ordered twice"
                assert all(n <= have for n, have in zip(bills, self.recycled, strict=True))
                self.notes_out = bills
            case act.SettleBill(bill, stack):
                assert self.escrow in {None, bill}
                self._settle_bill(stack=stack)
            case act.AcceptCoins() | act.AcceptBills():
                pass
            case _:
                self._perform_card(effect)

    def _may_run(self, slot: str, event: ev.Event) -> None:
        assert self.state.vend is not None
        is_test = self.state.vend.tender == "test"
        assert is_test or slot not in self.state.closed, "a slot that is not for sale"
        assert is_test or not self.state.cabinet.locked, "a machine that is locked"
        assert is_test or slot not in cabinet.FRESH.slots or not self.cabinet.spoiled
        if self.state.service:
            assert is_test or not isinstance(event, ev.SlotSelected), "a sale in a visit"
        if isinstance(event, op.MotorTested):
            assert slot not in self.state.cabinet.locked_slots

    def _settle_bill(self, *, stack: bool) -> None:
        if self.escrow is None:
            return  # it left in the same moment
        self.stacking = stack
        if not stack:
            bill, self.escrow = self.escrow, None
            self.later(ev.BillReturned(bill, NOTES[bill]))

    def _perform_card(self, effect: act.Effect) -> None:
        reader = self.readers[effect.reader]  # type: ignore[union-attr]
        match effect:
            case act.AcceptCards(_, enabled):
                reader.enabled = enabled
            case act.RequestVend(_, price_minor, _):
                assert reader.asked_minor is None
                assert reader.approved_minor is None
                assert reader.session or reader.always_idle
                reader.asked_minor = price_minor
            case act.CancelVend():
                reader.cancelled = reader.asked_minor is not None
            case act.ConfirmVend():
                assert reader.approved_minor is not None, "a vend is confirmed that was not approved"
                reader.approved_minor = None
            case act.FailVend():
                assert reader.approved_minor is not None, "a refund of what was not charged"
                reader.refunding_minor, reader.approved_minor = reader.approved_minor, None
            case act.AskRevalueLimit():
                reader.limit_asked = True
            case act.Revalue(_, amount_minor):
                assert reader.session
                assert reader.revaluing_minor is None, "cash is put on a card twice"
                reader.revaluing_minor = amount_minor
            case act.EndSession():
                reader.ending = reader.session
            case _:
                pass

    # ---- events that follow from an effect come after it

    waiting: list[ev.Event] = field(default_factory=list)

    def later(self, event: ev.Event) -> None:
        self.waiting.append(event)

    def settle(self) -> None:
        while self.waiting:
            self.feed(self.waiting.pop(0))

    # ---- what happens

    def insert(self) -> None:
        if self.state.changer:
            return
        coin = self.random.randrange(len(COINS))
        self.cash_minor += COINS[coin]
        if self.tubes[coin] < ROOM[coin]:
            self.tubes[coin] += 1
            self.feed(ev.CoinIn(coin, COINS[coin], ev.Route.TUBE, self.tubes[coin]))
        else:
            self.feed(ev.CoinIn(coin, COINS[coin], ev.Route.CASHBOX, self.tubes[coin]))

    def insert_note(self) -> None:
        if self.state.validator or self.escrow is not None or not self.state.notes_accepted:
            return
        bill = self.random.choice(sorted(self.state.notes_accepted))
        self.escrow, self.stacking = bill, False
        self.feed(ev.BillEscrowed(bill, NOTES[bill]))

    def note_lands(self) -> None:
        if self.escrow is None or not self.stacking:
            return
        bill, self.escrow, self.stacking = self.escrow, None, False
        if self.random.random() < 0.2:
            self.feed(ev.BillReturned(bill, NOTES[bill]))
            return
        self.cash_minor += NOTES[bill]
        recycle = self.random.random() < 0.5 and self.recycled[bill] < 3
        self.recycled[bill] += recycle
        self.stacker += not recycle
        route = ev.BillRoute.RECYCLER if recycle else ev.BillRoute.CASHBOX
        self.feed(ev.BillIn(bill, NOTES[bill], route))

    def select(self) -> None:
        self.feed(ev.SlotSelected(self.random.choice([*PRICES, "Z9"])))

    def lever(self) -> None:
        self.feed(ev.Lever())

    def enter_code(self) -> None:
        code = self.random.choice([*self.codes, "0001-000000"])
        self.feed(ev.ClaimEntered(code))

    def pay_claim(self) -> None:
        """The operator pays from his own pocket."""
        self.feed(ClaimPaid(self.random.choice([*self.codes, "0001-000000"])))

    def free(self) -> None:
        self.feed(ev.FreeVend(self.random.choice([*PRICES])))

    def operator(self) -> None:
        """From afar, a command that was not refused."""
        slot, code = self.random.choice([*PRICES]), self.random.choice([*self.codes, "0001-000000"])
        whole = self.random.random() < 0.3
        lock = op.Locked(None if whole else slot, "")
        unlock = op.Unlocked(lock.slot)
        wishes: list[Commanded] = [lock, unlock, unlock, op.MotorTested(slot), op.ClaimCredited(code)]
        event = self.random.choice(wishes)
        if not refusal(self.machine, self.state, event):
            self.feed(event)

    def technician(self) -> None:
        self.feed(ev.ServiceChanged(self.random.random() < 0.3))

    def show_card(self) -> None:
        reader = self.random.choice([r for r in self.readers.values() if not r.always_idle])
        if reader.up and reader.enabled and not reader.session and reader.asked_minor is None:
            reader.session = True
            self.feed(cev.SessionBegan(reader.number, self.random.choice([None, 500])))

    def reader_answers(self) -> None:
        reader = self.random.choice([*self.readers.values()])
        if not reader.up:
            return
        if reader.asked_minor is not None:
            asked, reader.asked_minor = reader.asked_minor, None
            cancelled, reader.cancelled = reader.cancelled, False
            if self.random.random() < (0.1 if cancelled else 0.7):
                amount = max(1, asked - self.random.choice([0, 0, 0, 10]))
                reader.approved_minor = amount
                self.card_minor += amount
                motor, card = self.motor, self.state.card
                self.feed(cev.VendApproved(reader.number, amount))
                cancelled |= card is not None and card.choice in self.state.closed
                cancelled |= bool(self.state.cabinet.locked)
                assert bool(self.motor) is not cancelled or motor, "a late approval never vends"
            else:
                self.feed(cev.VendDenied(reader.number, "declined"))
        elif reader.refunding_minor is not None:
            amount, reader.refunding_minor = reader.refunding_minor, None
            ok = self.random.random() < 0.8
            self.card_minor -= amount * ok
            self.feed(cev.RefundEnded(reader.number, ok))
        elif reader.revaluing_minor is not None:
            amount, reader.revaluing_minor = reader.revaluing_minor, None
            ok = self.random.random() < 0.8
            self.revalued_minor += amount * ok
            self.feed(cev.RevalueEnded(reader.number, ok))
        elif reader.limit_asked:
            reader.limit_asked = False
            self.feed(cev.RevalueLimit(reader.number, self.random.choice([0, 150, 1_000, 25_000])))
        elif reader.ending and reader.approved_minor is None:
            reader.ending = reader.session = False
            self.feed(cev.SessionEnded(reader.number))

    def reader_fails(self) -> None:
        reader = self.random.choice([*self.readers.values()])
        if not reader.up:
            reader.up = True
            self.feed(cev.CardReady(reader.number, reader.always_idle, refunds=True, reports_cash=True))
            return
        if reader.refunding_minor is not None and self.random.random() < 0.5:
            # It gave the money back, and was gone before it could say so.
            self.card_minor -= reader.refunding_minor
            self.doubled_minor += reader.refunding_minor
            reader.refunding_minor = None
        self._perhaps_on_the_card(reader)
        reader.reset()
        reader.up = False
        self.feed(cev.CardLost(reader.number, self.random.choice(["silent", "network"])))

    def _perhaps_on_the_card(self, reader: SimReader) -> None:
        """Of a reader that goes away nobody knows whether the cash is on the card: it is owed."""
        if reader.revaluing_minor is not None and self.random.random() < 0.5:
            self.revalued_minor += reader.revaluing_minor
            self.doubled_minor += reader.revaluing_minor

    def motor_ends(self) -> None:
        if not self.motor:
            return
        slot, self.motor = self.motor, ""
        result = self.random.choice([*[ev.VendResult.DELIVERED] * 8, *ev.VendResult])
        self.drops += result is ev.VendResult.DELIVERED
        charged = self._charged()
        self.feed(ev.VendEnded(slot, result))
        if charged is not None:
            assert charged.approved_minor is None, "the reader is told how it ended"
            assert (charged.refunding_minor is None) is (result is ev.VendResult.DELIVERED)

    def motor_never_answers(self) -> None:
        if self.motor:
            self.motor = ""
            self.doubtful += 1
            charged = self._charged()
            self.feed(ev.Tick())
            assert charged is None or charged.refunding_minor is None, "it may have dropped"

    def _charged(self) -> SimReader | None:
        """The reader that approved the product whose motor runs, if it can still be told about it."""
        vend = self.state.vend
        reader = self.readers.get(vend.reader or 0) if vend else None
        return reader if reader is not None and reader.approved_minor is not None else None

    def time_passes(self) -> None:
        if not self.motor:
            asked = any(r.refunding_minor or r.revaluing_minor for r in self.readers.values())
            if asked and self.state.phase in {Phase.REFUNDING, Phase.REVALUING}:
                return  # its driver answers in time, or says that the reader is lost
            self._give_up()
            self.feed(ev.Tick())

    def _give_up(self) -> None:
        """What came out of devices that do not come back is owed as well: nobody counted it."""
        paying, state = self.state.paying, self.state
        if paying is not None and paying.coins_open and state.changer:
            self.doubled_minor += self.uncounted_coins_minor
            self.uncounted_coins_minor = 0
        if paying is not None and paying.notes_open and state.validator:
            self.doubled_minor += self.uncounted_notes_minor
            self.uncounted_notes_minor = 0

    def payout_ends(self) -> None:
        if self.coins_out is not None and not self.state.changer:
            self._pay_coins()
            self.feed(ev.PayoutEnded(tuple(self.tubes)))
        elif self.notes_out is not None and not self.state.validator:
            self._pay_notes()
            self.feed(ev.BillPayoutEnded(tuple(self.recycled)))

    def _pay_coins(self) -> int:
        """What comes out of the tubes, in minor units."""
        before_minor = self.cash_minor
        order, self.coins_out = self.coins_out, None
        for coin, count in enumerate(order or ()):
            paid = min(count, self.tubes[coin]) if self.random.random() < 0.9 else 0
            self.tubes[coin] -= paid
            self.cash_minor -= paid * COINS[coin]
        return before_minor - self.cash_minor

    def _pay_notes(self) -> int:
        before_minor = self.cash_minor
        order, self.notes_out = self.notes_out, None
        for bill, count in enumerate(order or ()):
            paid = count if self.random.random() < 0.9 else 0
            self.recycled[bill] -= paid
            self.cash_minor -= paid * NOTES[bill]
        return before_minor - self.cash_minor

    def changer_fails(self) -> None:
        self.uncounted_coins_minor += self._pay_coins()
        if self.state.changer:
            self.uncounted_coins_minor = 0
            self.feed(ev.ChangerReady(COINS, tuple(self.tubes)))
        else:
            self.feed(ev.ChangerLost("silent"))

    def validator_fails(self) -> None:
        self.uncounted_notes_minor += self._pay_notes()
        if self.state.validator:
            self.uncounted_notes_minor = 0
            self.escrow = None
            self.feed(ev.BillsReady(NOTES, tuple(self.recycled), escrow=True))
            self.feed(ev.StackerChanged(full=False, bills=self.stacker))
        else:
            self.escrow = None
            self.feed(ev.BillsLost("silent"))

    def recover(self) -> None:
        """What is down comes back, one after the other."""
        down = next((r for r in self.readers.values() if not r.up), None)
        if self.cabinet.door:
            cabinet.move_door(self)
        elif self.state.service:
            self.mend()
            self.feed(ev.ServiceChanged(False))
        elif self.state.changer:
            self.changer_fails()
        elif self.state.validator:
            self.validator_fails()
        elif self.state.board:
            self.board_fails()
        elif down is not None:
            down.up = True
            self.feed(cev.CardReady(down.number, down.always_idle, refunds=True, reports_cash=True))
        elif not self.state.disk_ok:
            self.feed(ev.DiskChanged(True))
        elif self.state.closed and self.random.random() < 0.1:
            self.feed(ev.ServiceChanged(True))

    def mend(self) -> None:
        """The technician answers for all there is."""
        self.feed(ev.ServiceChanged(True))
        self.feed(GroupReleased("fresh"))
        for slot in PRICES:
            self.feed(SlotReleased(slot))

    def hands(self) -> None:
        """A technician loads coins and takes a note; it is nobody's credit."""
        if self.state.changer or self.state.validator or self.coins_out or self.notes_out:
            return
        if self.random.random() < 0.5:
            loaded = tuple(int(n < 4) for n in self.tubes[:5])
            self.tubes = [*(n + more for n, more in zip(self.tubes, loaded, strict=False)), 0]
            self.feed(ev.CoinsLoaded((*loaded, 0), tuple(self.tubes)))
        else:
            self.recycled = [max(0, n - 1) for n in self.recycled]
            self.feed(ev.RecyclerChanged(tuple(self.recycled)))

    def board_fails(self) -> None:
        self.feed(ev.BoardReady() if self.state.board else ev.BoardLost("silent"))

    def bystanders(self) -> None:
        events = (
            ev.LinkChanged(True),
            ev.LinkChanged(False),
            ev.AuditDue(),
            ev.DeviceFault("reader_1", "busy"),
            ev.StackerChanged(self.random.random() < 0.1, self.stacker),
            ev.DiskChanged(self.random.random() < 0.9),
        )
        self.feed(self.random.choice(events))

    def new_prices(self) -> None:
        version = max(self.state.prices.version, self.state.pending.version if self.state.pending else 0) + 1
        prices = {**PRICES, "B1": self.random.randrange(5, 200, 5)}
        self.feed(ev.PricesWanted(PriceList(version=version, currency="EUR", prices=prices)))

    def power_cut(self) -> None:
        """Everything forgets but the journal and the mechanics."""
        self.uncounted_coins_minor += self._pay_coins()
        self.uncounted_notes_minor += self._pay_notes()
        self.waiting.clear()
        if self.escrow is not None and self.stacking and self.random.random() < 0.5:
            # It reached the stacker; the driver hears of it after its start, or the count alone tells.
            bill = self.escrow
            self.cash_minor += NOTES[bill]
            self.stacker += 1
            if self.random.random() < 0.5:
                self.waiting.append(ev.BillIn(bill, NOTES[bill], ev.BillRoute.CASHBOX))
        self.escrow, self.stacking = None, False
        for reader in self.readers.values():
            self._cut_reader(reader)
        self.state = ADAPTER.validate_json(ADAPTER.dump_json(self.state))
        motor, door = self.motor, self.cabinet.door
        self.feed(cabinet.power_off(self))
        if door:
            self.cabinet.door = True
            self.feed(DoorChanged(True))
        assert self.motor == motor, "a motor is started by a restart"
        assert self.coins_out is None
        self.settle()

    def _cut_reader(self, reader: SimReader) -> None:
        if reader.asked_minor is not None and self.random.random() < 0.5:
            self.card_minor += reader.asked_minor  # approved in the last moment, and then taken for a sale
            self.unseen_minor += reader.asked_minor
        if reader.refunding_minor is not None and self.random.random() < 0.5:
            self.card_minor -= reader.refunding_minor
            self.doubled_minor += reader.refunding_minor
        self._perhaps_on_the_card(reader)
        reader.reset()
        reader.up = False

    # ---- what must hold after every step

    def in_motion(self) -> bool:
        """Coins or notes are leaving, or a note is known to the mechanics only."""
        pending = any(isinstance(event, ev.BillIn) for event in self.waiting)
        stacking = self.state.stacking
        to_be_counted = stacking is not None and (stacking.cut or bool(self.state.validator))
        return self.state.phase is Phase.PAYING or pending or to_be_counted

    def check(self) -> None:
        state, totals = self.state, self.state.totals
        assert state.balanced()
        assert len(self.sales) == totals.sales == self.drops + self.doubtful
        assert sum(sale.paid_minor for sale in self.sales) == totals.sold_minor
        assert bool(state.vend) == (state.phase is Phase.VENDING) == bool(self.motor)
        assert sum(state.claims.values()) == (
            totals.owed_minor - totals.redeemed_minor - totals.settled_minor
        )
        if state.phase in {Phase.IDLE, Phase.CREDIT, Phase.PAYING}:
            assert state.card is None
        assert (state.phase is Phase.CREDIT) <= (state.credit_minor > 0)
        assert (state.phase is Phase.IDLE) <= (state.credit_minor == 0)
        if state.card is not None:
            others = [r for n, r in self.readers.items() if n != state.card.reader]
            assert not any(r.enabled and r.up for r in others), "one customer at a time"
            cash = (state.accepting and not state.changer) or (state.notes_accepted and not state.validator)
            waits_for_a_card = state.phase is Phase.AUTHORISING and not state.card.session
            for_the_card = state.phase is Phase.SESSION and state.card.room_minor > 0
            assert waits_for_a_card or for_the_card or not cash, "one tender at a time"
        self.cabinet.check(state)
        if self.in_motion():
            return
        assert state.tubes in {(), tuple(self.tubes)} or bool(state.changer)
        kept = self.cash_minor + self.card_minor - self.revalued_minor
        owed = totals.owed_minor - totals.redeemed_minor
        known = totals.sold_minor + owed + state.credit_minor + state.held_minor
        assert kept + self.doubled_minor - self.unseen_minor == known


ACTIONS: dict[Callable[[Floor], None], int] = {
    Floor.insert: 12,
    Floor.insert_note: 6,
    Floor.note_lands: 10,
    Floor.select: 20,
    Floor.lever: 9,
    Floor.enter_code: 2,
    Floor.free: 1,
    Floor.pay_claim: 1,
    Floor.technician: 1,
    Floor.operator: 2,
    Floor.show_card: 14,
    Floor.reader_answers: 25,
    Floor.reader_fails: 2,
    Floor.motor_ends: 20,
    Floor.motor_never_answers: 1,
    Floor.time_passes: 2,
    Floor.payout_ends: 15,
    Floor.changer_fails: 2,
    Floor.validator_fails: 2,
    Floor.board_fails: 1,
    Floor.bystanders: 3,
    Floor.new_prices: 1,
    Floor.power_cut: 2,
    Floor.recover: 25,
    Floor.hands: 1,
    cabinet.read_temperature: 8,
    cabinet.hours_pass: 1,
    cabinet.set_clock: 4,
    cabinet.move_door: 1,
    cabinet.service: 1,
}


def walk(floor: Floor, events: int, weights: Sequence[int] | None = None) -> None:
    """Let things happen, in an order that the floor's seed decides."""
    names = list(ACTIONS)
    for action in floor.random.choices(names, weights=weights or list(ACTIONS.values()), k=events):
        action(floor)
        floor.settle()


def calm(floor: Floor) -> None:
    """The faults and the customers stop: what is under way ends, and the machine waits for the next one."""
    for _ in range(200):
        if floor.state.phase in {Phase.IDLE, Phase.CREDIT} and not floor.waiting:
            return
        for action in (Floor.recover, Floor.motor_ends, Floor.note_lands, Floor.payout_ends):
            action(floor)
            floor.settle()
        for _ in floor.readers:
            floor.reader_answers()
        if floor.state.phase is Phase.SESSION:
            floor.lever()
    raise AssertionError(f"still {floor.state.phase} with {floor.state}")


def opened(seed: Any, policy: Policy | None = None) -> Floor:  # noqa: ANN401  # whatever seeds a Random
    """A floor whose devices are all ready."""
    floor = Floor(random.Random(seed), policy or Policy())
    floor.feed(ev.BoardReady())
    floor.feed(ev.ChangerReady(COINS, tuple(floor.tubes)))
    floor.feed(ev.BillsReady(NOTES, tuple(floor.recycled), escrow=True))
    for _ in range(2):
        for reader in floor.readers.values():
            if not reader.up:
                reader.up = True
                floor.feed(cev.CardReady(reader.number, reader.always_idle, refunds=True, reports_cash=True))
    return floor
