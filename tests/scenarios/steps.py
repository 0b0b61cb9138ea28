"""What a scenario's steps do: what is fitted, then what customers, technicians, banks and misfortune do."""

from collections.abc import Callable

from edge.link_events import Inbound
from edge.mdb.frame import Address
from edge.sale import events as ev
from edge.sale import visit_events as vev
from edge.sale.step import Policy, ProductGroup
from edge.sim.modbus import SimModbusBoard
from edge.sim.motors import Outcome
from edge.sim.reader_rules import Refund
from edge.sim.xy import SimXyBoard
from shared import topics
from shared.messages import PriceList
from tests.scenarios.bench import SENSOR, Bench
from tests.scenarios.parts import COINS_MINOR, MACHINE, NOTES_MINOR, SLOTS, Fitted

FRESH = "fresh"
OUTCOMES = {
    "jams": Outcome.JAMMED,
    "drops nothing": Outcome.NO_DROP,
    "gives no answer": Outcome.SILENT,
    "does not turn": Outcome.MOTOR_MISSING,
}


class Steps:
    def __init__(self) -> None:
        self.fitted = Fitted()
        self.network_up = True  # when the machine is switched on
        self.shows_uploads = False
        self.wait_s = 0.0

    @property
    def bench(self) -> Bench:
        raise NotImplementedError

    def _given(self, **more: object) -> None:
        for name, value in more.items():
            setattr(self.fitted, name, value)

    def given_tubes(self, counts: str) -> None:
        self._given(tubes=tuple(map(int, counts.split())))

    def given_recycler(self, counts: str) -> None:
        self._given(recycler=tuple(map(int, counts.split())))

    def given_second_reader(self) -> None:
        self.fitted.readers[2] = False

    def given_idle_reader(self) -> None:
        self.fitted.readers[1] = True

    def given_modbus(self) -> None:
        self._given(board="modbus")

    def given_fresh(self, slot: str, low: str, high: str, minutes: str) -> None:
        limits = (int(low) * 10, int(high) * 10, float(minutes) * 60)
        self.fitted.groups[FRESH] = ProductGroup((slot,), SENSOR, *limits)

    def given_price(self, slot: str, price: str) -> None:
        self.fitted.prices[slot] = _minor(price)

    def given_card_price(self, slot: str, price: str) -> None:
        self.fitted.card_prices[slot] = _minor(price)

    def given_stock(self, count: str, slot: str) -> None:
        self.fitted.stock[slot] = int(count)

    def given_debt_policy(self) -> None:
        self._given(policy=Policy(without_change="owe"))

    def given_prepaid_cards(self) -> None:
        self._given(policy=Policy(revalue_cards=True))

    def given_no_network(self) -> None:
        self.network_up = False

    def insert(self, coins: str) -> None:
        for coin in coins.split():
            self.bench.changer.insert(COINS_MINOR.index(_minor(coin)))

    def insert_note(self, note: str) -> None:
        self.bench.validator.insert(NOTES_MINOR.index(_minor(note)))

    def press(self, slot: str) -> None:
        if isinstance(self.bench.board, SimXyBoard):
            self.bench.board.press(SLOTS[slot][0])
        else:
            self.bench.say(ev.SlotSelected(slot))  # this board has no keypad

    def push_lever(self) -> None:
        self.bench.changer.press_lever()

    def show_card(self, reader: str | None = None) -> None:
        self.bench.readers[int(reader or 1)].show_card()

    def show_card_with(self, funds: str) -> None:
        self.bench.readers[1].show_card(_minor(funds))

    def take_card(self) -> None:
        self.bench.readers[1].remove_card()

    def enter_code(self, code: str) -> None:
        self.bench.say(ev.ClaimEntered(code))

    def technician(self, how: str) -> None:
        self.bench.say(ev.ServiceChanged(how == "comes"))

    def temperature(self, celsius: str) -> None:
        self.bench.celsius = float(celsius)

    def door(self, how: str) -> None:
        self.bench.say(vev.DoorChanged(how == "opens"))

    def refill(self, slot: str | None, count: str | None) -> None:
        counts = {slot: int(count)} if slot and count else {}
        self.bench.say(vev.Refilled(counts, others_to_par=True))

    def collect(self, bag: str) -> None:
        self.bench.say(vev.Collected(bag))

    def release(self) -> None:
        self.bench.say(vev.GroupReleased(FRESH))

    def wait(self, seconds: str, unit: str) -> None:
        self.wait_s = float(seconds) * {"s": 1, "min": 60, "h": 3600}[unit]

    def kill(self) -> None:
        self.bench.kill()

    def cut_power(self) -> None:
        self.bench.cut_power()

    def boot(self) -> None:
        self.bench.boot()

    def network(self, how: str) -> None:
        self.shows_uploads = how == "comes back"
        (self.bench.connect if how == "comes back" else self.bench.disconnect)()

    def reader_network(self, number: str, how: str) -> None:
        self.bench.readers[int(number)].network(up=how == "comes back")

    def card_declined(self) -> None:
        self.bench.readers[1].plan.approve = False

    def card_is_full(self) -> None:
        self.bench.readers[1].plan.revalue = False

    def discount(self, amount: str) -> None:
        self.bench.readers[1].plan.amount = _minor(amount)

    def refund_fails(self) -> None:
        self.bench.readers[1].plan.refund = Refund.FAILED

    def refund_silent(self) -> None:
        self.bench.readers[1].plan.refund = Refund.SILENT

    def slow_card(self, seconds: str) -> None:
        self.bench.readers[1].plan.verdict_s = float(seconds)

    def slot_fails(self, slot: str, how: str) -> None:
        board, selection = self.bench.board, SLOTS[slot][0]
        board.plan(selection, OUTCOMES[how])

    def product_hangs(self, slot: str) -> None:
        self._modbus.spirals[SLOTS[slot][0]].hang()

    def drop_sensor(self, how: str) -> None:
        self._modbus.blocked = how == "blocked"

    @property
    def _modbus(self) -> SimModbusBoard:
        assert isinstance(self.bench.board, SimModbusBoard)
        return self.bench.board

    def tube_jams(self, value: str) -> None:
        self.bench.changer.jam_tube(COINS_MINOR.index(_minor(value)))

    def plug(self, out: str | None, what: str) -> None:
        bench = self.bench
        if what == "adapter":
            (bench.unplug_adapter if out else bench.plug_adapter)()
        elif what == "motor board":
            (bench.unplug_board if out else bench.plug_board)()
        else:
            address = Address.CHANGER if what == "changer" else Address.VALIDATOR
            (bench.unplug if out else bench.plug)(address)

    def set_price(self, slot: str, price: str) -> None:
        state = self.bench.core.state
        latest = state.pending or state.prices
        prices = PriceList(
            version=latest.version + 1,
            currency="EUR",
            prices={**latest.prices, slot: _minor(price)},
            card_prices=latest.card_prices,
        )
        payload = prices.model_dump_json().encode()
        self.bench.say(Inbound(topics.PRICES.of(MACHINE), payload))

    def insert_as_the_disk_fills(self, coin: str) -> None:
        """Nobody has looked at the disk yet when the coin is to be written down."""
        self.bench.journal.full = True
        self.insert(coin)

    def disk(self, how: str) -> None:
        self.bench.disk_room = how == "has room again"
        self.bench.journal.full = how == "is full"


def _minor(text: str) -> int:
    return round(float(text) * 100)


_SLOT, _MONEY = r"(A1|A2|B1)", r"(\d+\.\d\d)"

ROWS: list[tuple[str, Callable[..., None]]] = [
    (rf"given {_SLOT} kept between (\d+) and (\d+) degrees for (\d+) min", Steps.given_fresh),
    (r"the temperature is (\d+\.\d)", Steps.temperature),
    (r"the door (opens|closes)", Steps.door),
    (rf"refill all to par(?:, {_SLOT} holds (\d+))?", Steps.refill),
    (r"collect the cash in bag (\S+)", Steps.collect),
    (r"release the fresh products", Steps.release),
    (r"given tubes with (\d+ \d+ \d+ \d+)", Steps.given_tubes),
    (r"given a recycler with (\d+ \d+ \d+ \d+)", Steps.given_recycler),
    (r"given a second reader", Steps.given_second_reader),
    (r"given a reader that is always idle", Steps.given_idle_reader),
    (r"given a Modbus board", Steps.given_modbus),
    (rf"given {_SLOT} costs {_MONEY}", Steps.given_price),
    (rf"given {_SLOT} costs {_MONEY} by card", Steps.given_card_price),
    (rf"given (\d+) in {_SLOT}", Steps.given_stock),
    (r"given change that is owed where it cannot be paid", Steps.given_debt_policy),
    (r"given prepaid cards", Steps.given_prepaid_cards),
    (r"given no network", Steps.given_no_network),
    (r"insert ((?:\d\.\d\d ?)+)", Steps.insert),
    (rf"insert {_MONEY} as the disk fills up", Steps.insert_as_the_disk_fills),
    (rf"insert a note of {_MONEY}", Steps.insert_note),
    (rf"press {_SLOT}", Steps.press),
    (r"push the lever", Steps.push_lever),
    (r"show a card(?: to reader (\d))?", Steps.show_card),
    (rf"show a card with {_MONEY}", Steps.show_card_with),
    (r"take the card", Steps.take_card),
    (r"enter code ([\d-]+)", Steps.enter_code),
    (r"the technician (comes|leaves)", Steps.technician),
    (r"wait (\d+) (s|min|h)", Steps.wait),
    (r"kill the program", Steps.kill),
    (r"cut the power", Steps.cut_power),
    (r"start the program|the power comes back", Steps.boot),
    (r"the network (goes down|comes back)", Steps.network),
    (r"the network of reader (\d) (goes down|comes back)", Steps.reader_network),
    (r"the bank will decline", Steps.card_declined),
    (r"the card will take no money", Steps.card_is_full),
    (rf"the bank will charge {_MONEY}", Steps.discount),
    (r"the bank will take (\d+) s", Steps.slow_card),
    (r"the refund will fail", Steps.refund_fails),
    (r"the refund will not be answered", Steps.refund_silent),
    (rf"{_SLOT} (jams|drops nothing|gives no answer|does not turn)", Steps.slot_fails),
    (rf"the next product of {_SLOT} will hang", Steps.product_hangs),
    (r"the drop sensor is (blocked|free)", Steps.drop_sensor),
    (rf"the tube of {_MONEY} jams", Steps.tube_jams),
    (r"(?:un(plug)|plug in) the (adapter|motor board|changer|validator)", Steps.plug),
    (rf"the cloud sets {_SLOT} to {_MONEY}", Steps.set_price),
    (r"the disk (is nearly full|is full|has room again)", Steps.disk),
]
