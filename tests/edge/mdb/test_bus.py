"""The bus thread against the changer's simulator on a pseudo-terminal, in real time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.mdb.adapters.qibixx import QibixxAdapter
from edge.mdb.bus import bus_thread
from edge.mdb.coin.driver import CoinChanger
from edge.mdb.dialogue import Dialogue
from edge.sale.effects import AcceptCoins, PayOut
from edge.sale.events import (
    ChangerLost,
    ChangerReady,
    CoinIn,
    CoinsTaken,
    DriverEvent,
    Lever,
    PayoutEnded,
    Route,
)
from edge.serial_port import PortThread
from edge.sim.bus import VirtualBus
from edge.sim.changer import SimChanger
from edge.sim.pty import PtyServer
from edge.sim.qibixx import SimQibixx
from tests.edge.threads import LIMIT_S, Inbox, stop


class Machine:
    def __init__(self, link: Path) -> None:
        self.changer = SimChanger()
        self.bus = VirtualBus([self.changer])
        self.server = PtyServer(SimQibixx(self.bus), link)
        self.inbox = Inbox()
        self.thread = self.new_thread()

    def new_thread(self) -> PortThread:
        thread = bus_thread(
            self.server.path,
            Dialogue(QibixxAdapter(), [CoinChanger()]),
            self.inbox.put,
            self.inbox.put,
        )
        thread.submit(AcceptCoins(enabled=True))
        return thread


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "adapter")
    with machine.server:
        yield machine
        stop(machine.thread)


def test_coins_lever_and_payout(machine: Machine) -> None:
    machine.thread.start()
    assert [type(event) for event in machine.inbox.until(ChangerReady)] == [ChangerReady]
    machine.changer.insert(3)
    machine.changer.insert(5)
    machine.changer.press_lever()
    assert machine.inbox.until(Lever) == [
        CoinIn(3, 50, Route.TUBE, 10),
        CoinIn(5, 200, Route.CASHBOX, 0),
        Lever(),
    ]
    machine.thread.submit(AcceptCoins(enabled=False))  # as the sale does when it has read ChangerReady
    machine.thread.submit(PayOut((0, 0, 0, 2), (12, 34, 50, 10)))
    assert machine.inbox.until(PayoutEnded) == [PayoutEnded(machine.changer.truth().tubes)]
    assert machine.changer.truth().paid_minor() == 100


def test_coins_moved_by_hand_are_told(machine: Machine) -> None:
    machine.thread.start()
    machine.inbox.until(ChangerReady)
    machine.changer.report(b"\x90\x0b")
    machine.changer.press_lever()
    taken, lever = machine.inbox.until(Lever)
    assert isinstance(taken, CoinsTaken)
    assert (taken.coins[0], taken.tubes[0]) == (1, 11)
    assert lever == Lever()


def test_unplugged_and_plugged_in_again(machine: Machine) -> None:
    machine.thread.start()
    machine.inbox.until(ChangerReady)
    machine.server.unplug()
    assert machine.inbox.until(ChangerLost) == [ChangerLost("port_lost")]
    machine.changer.insert(4)
    machine.server.replug()
    events = machine.inbox.until(ChangerReady)
    assert [type(event) for event in events] == [CoinIn, ChangerReady]
    assert machine.thread.counts["port_lost"] == 1


def test_an_adapter_that_comes_after_the_program(machine: Machine) -> None:
    machine.server.unplug()
    machine.thread.start()
    assert machine.inbox.until(ChangerLost) == [ChangerLost("port_missing")]
    machine.server.replug()
    assert [type(event) for event in machine.inbox.until(ChangerReady)] == [ChangerReady]


def test_split_bytes_and_garbage(machine: Machine) -> None:
    machine.server.chunk_bytes = 3
    machine.server.garbage(b"\xff\x00p,\xfe\r\n")
    machine.thread.start()
    machine.inbox.until(ChangerReady)
    machine.changer.insert(3)
    assert machine.inbox.until(CoinIn) == [CoinIn(3, 50, Route.TUBE, 10)]


def test_slow_answers_lose_no_coin(machine: Machine) -> None:
    machine.thread.start()
    machine.inbox.until(ChangerReady)
    machine.server.delay_s = 0.2  # more than an answer may take
    for coin in (3, 5, 5):
        machine.changer.insert(coin)
    events = [event for _ in range(3) for event in machine.inbox.until(CoinIn)]
    assert [event.coin for event in events if isinstance(event, CoinIn)] == [3, 5, 5]


def test_a_second_process_takes_over(machine: Machine) -> None:
    machine.thread.start()
    machine.inbox.until(ChangerReady)
    stop(machine.thread)
    machine.changer.insert(5)
    machine.thread = machine.new_thread()
    machine.thread.start()
    assert [type(event) for event in machine.inbox.until(ChangerReady)] == [CoinIn, ChangerReady]


def test_a_port_that_another_process_holds_is_missing(machine: Machine) -> None:
    machine.thread.start()
    machine.inbox.until(ChangerReady)
    inbox = Inbox()
    second = bus_thread(machine.server.path, Dialogue(QibixxAdapter(), [CoinChanger()]), inbox.put, inbox.put)
    second.start()
    assert inbox.until(ChangerLost) == [ChangerLost("port_missing")]
    stop(second)


def test_trouble_inside_ends_the_thread_and_is_handed_over(machine: Machine) -> None:
    def emit(event: DriverEvent) -> None:
        raise OSError("no room for an event")  # an OSError of ours is no trouble with the port

    thread = bus_thread(
        machine.server.path, Dialogue(QibixxAdapter(), [CoinChanger()]), emit, machine.inbox.put
    )
    thread.start()
    assert str(machine.inbox.crash()) == "no room for an event"
    thread.join(LIMIT_S)
    assert not thread.is_alive()
    machine.thread.start()  # and the port is free again
    machine.inbox.until(ChangerReady)
