"""What happens to the simulated machines while it is recorded: by name of the capture.

Each story begins with machines that were just switched on and ends with nobody's money in them and nothing
owed. It is played in real time against real servers, so each is as short as what it shows allows.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from deploy.demo.fleet import Fleet, buy, buy_by_card, buy_with_note, wait_for
from deploy.demo.machine import SLOTS, SimulatedMachine
from edge.sim.motors import Outcome
from edge.technician.client import NoAnswer, ask
from shared import codec, topics
from shared.answers import Answers

KEY: Final = "captures"  # signs the commands


@dataclass(frozen=True, slots=True)
class Stage:
    """What a story plays with. `heard` is what was recorded so far; `say` publishes in a machine's name."""

    fleet: Fleet
    machines: dict[str, SimulatedMachine]
    heard: Answers
    say: Callable[[str, bytes, int], None]

    def command(self, machine: str, *words: str) -> None:
        self.fleet.cloud.command("command", machine, *words, "--key", KEY)

    def fails(self, machine: str, *words: str) -> None:
        """The machine answers that it was not done."""
        try:
            self.command(machine, *words)
        except subprocess.CalledProcessError:
            return
        raise AssertionError(words)


def normal_day(stage: Stage) -> None:
    """Two machines sell for cash and by card; the operator looks, locks and counts; a technician visits."""
    m1, m2 = stage.machines.values()
    buy(m1, "A1", (200,))
    buy_with_note(m1, "A2", 500)
    buy_by_card(m2, "B1")
    buy(m2, "A2", (50, 20, 20))
    stage.command("m1", "support")
    stage.command("m1", "lock", "A2", "--reason", "recalled")
    stage.command("m1", "unlock", "A2")
    stage.command("m1", "lock")
    stage.command("m1", "unlock")
    stage.command("m2", "stock", "A1=199")
    stage.command("m2", "resend", "1..3")
    stage.fails("m2", "lock", "Z9")
    stage.command("m1", "free-vend", "A1")
    stage.command("m1", "test-motor", "B1")
    _technician(m1, "visit", "begin")
    _technician(m1, "refill", "--all-to-par")
    _technician(m1, "stock", "A2=150")
    _technician(m1, "collect", "bag-17")
    _technician(m1, "visit", "end")
    buy(m1, "B1", (100,))


def offline_day(stage: Stage) -> None:
    """m1 loses its network, sells on, is switched off and on, and uploads a backlog when it is back; the card
    reader of m2 loses its own.
    """
    m1, m2 = stage.machines.values()
    buy(m1, "A1", (200,))
    m1.link.cut()
    wait_for("m1 notices", lambda: not m1.status()["link_up"])
    stage.command("m1", "lock", "--no-wait", "--deadline", "1")
    for _ in range(6):
        buy(m1, "A2", (50, 50))
        buy_by_card(m1, "B1")
    buy(m2, "A1", (100, 50))
    m2.reader.network(up=False)
    wait_for("m2 takes no cards", lambda: not m2.status()["tenders"]["card"]["available"])
    m2.reader.network(up=True)
    wait_for("m2 takes cards again", lambda: m2.status()["tenders"]["card"]["available"])
    stage.command("m2", "restart")
    m2.stop()
    m1.kill()
    for machine in (m1, m2):
        (machine.folder / "status.json").unlink()
        machine.start()
        wait_for(f"{machine.name} works again", partial(_works, machine))
    buy_with_note(m1, "A1", 500)
    m1.link.restore()
    wait_for("m1 is back", lambda: m1.status()["link_up"])
    late = partial(stage.heard.on, topics.REPLY.of("m1"), outcome="expired")
    wait_for("m1 says that the lock came too late", late)


def jam_and_refund(stage: Stage) -> None:
    """Motors jam under a cash customer and a card; coins do not come out; codes are used and paid."""
    (m1,) = stage.machines.values()
    m1.board.plan(SLOTS["A1"][0], Outcome.JAMMED)
    m1.insert(200)
    _credit(m1, 200)
    m1.press("A1")
    wait_for("the jam", lambda: stage.heard.on("vend/v1/m1/event", kind="vend_failed", slot="A1"))
    m1.changer.press_lever()
    wait_for("the coins", lambda: stage.heard.on("vend/v1/m1/event", kind="payout", reason="refund"))
    wait_for("m1 is idle", lambda: m1.status()["phase"] == "idle")
    m1.board.plan(SLOTS["B1"][0], Outcome.JAMMED, Outcome.JAMMED)
    for number in (1, 2):
        m1.reader.show_card()
        wait_for("m1 has seen the card", lambda: m1.status()["phase"] == "session")
        m1.press("B1")
        refunds = partial(stage.heard.on, "vend/v1/m1/event", kind="refund")
        wait_for("the money is back on the card", lambda: len(refunds()) == number)  # noqa: B023  # waits here
        m1.reader.remove_card()
        wait_for("m1 is idle", lambda: m1.status()["phase"] == "idle")
    wait_for("B1 is locked out", lambda: m1.status()["closed"])
    _technician(m1, "visit", "begin")
    _technician(m1, "release", "--slot", "B1")
    _technician(m1, "visit", "end")
    m1.board.plan(SLOTS["A2"][0], Outcome.JAMMED)
    stage.fails("m1", "free-vend", "A2")
    m1.changer.report(b"\x07")  # a fault of the changer
    for coin in range(4):
        m1.changer.jam_tube(coin)
    codes = [_owed(stage, m1, number) for number in (1, 2, 3, 4)]
    _technician(m1, "visit", "begin")
    _technician(m1, "pay-claim", codes[0])
    _technician(m1, "visit", "end")
    stage.command("m1", "pay-claim", codes[1])
    stage.command("m1", "credit", codes[2])
    _credit(m1, 50)
    with suppress(NoAnswer):  # it is taken, which is not done yet
        ask(m1.folder / "local.sock", "/selection", json.dumps({"text": codes[3]}))
    _credit(m1, 100)
    m1.press("B1")
    wait_for("B1 is sold", lambda: m1.status()["sales"] == 1)


def price_change(stage: Stage) -> None:
    """A new price for all; one that a machine cannot take; a config; machines say what is in force."""
    m1, m2 = stage.machines.values()
    buy(m1, "A1", (200,))
    stage.fleet.cloud.command("prices", "set", "--all", "A1=1.80")
    for machine in (m1, m2):
        wait_for("the new price", partial(_costs, machine, "A1", 180))
    buy(m1, "A1", (200,))
    buy_by_card(m2, "A1")
    version = m1.status()["price_version"]
    topic = topics.PRICES.of("m2")
    wrong = {"v": 1, "version": version + 1, "currency": "EUR", "prices": {"A1": 170, "Z9": 90}}
    stage.say(topic, json.dumps(wrong).encode(), topics.PRICES.qos)
    wait_for("m2 refuses", lambda: _refused(stage, "m2"))
    topic = topics.CONFIG.of("m1")
    config = {"v": 1, "version": 1, "tenders_off": {"card": "reader is on loan"}}
    stage.say(topic, json.dumps(config).encode(), topics.CONFIG.qos)
    wait_for("m1 has its config", lambda: m1.status()["config_version"] == 1)
    buy(m1, "A2", (100,))


def cloud_restart(stage: Stage) -> None:
    """The cloud is killed while machines sell; what was not confirmed comes again, and counts once."""
    m1, m2 = stage.machines.values()
    buy(m1, "A1", (200,))
    stage.fleet.cloud.kill()
    buy(m1, "A2", (100,))
    buy_by_card(m2, "B1")
    stage.fleet.cloud.start()
    buy(m2, "A1", (200,))


def poison(stage: Stage) -> None:
    """Among the sales of m1 come messages in its name that nobody can store."""
    (m1,) = stage.machines.values()
    buy(m1, "A1", (200,))
    wait_for("all is confirmed", lambda: m1.status()["owed"] == 0)
    own = stage.heard.on("vend/v1/m1/sale")[-1]
    good = next(m for m in stage.heard.messages if m.topic == topics.SALE.of("m1"))
    for name, payload in _poisons(own):
        stage.say(name, payload, 1)
    buy(m1, "A2", (100,))
    stage.say(good.topic, good.payload, 1)  # a sale that is stored, again: nothing new
    buy_by_card(m1, "B1")


def _poisons(sale: dict[str, Any]) -> Sequence[tuple[str, bytes]]:
    topic, epoch = topics.SALE.of("m1"), "0123456789ab"
    other = {**sale, "epoch": epoch}
    return (
        (topic, b"\xc1 no msgpack"),
        (topic, codec.pack({"not": "a list"})),
        (topic, codec.pack([{**other, "seq": 1, "paid_minor": -5}])),
        (topic, codec.pack([{**other, "seq": 2, "kind": "teleported"}])),
        (topic, codec.pack([{**other, "seq": 3, "machine": "m9"}])),
        (topic, codec.pack([{**other, "seq": 4, "v": 9}, {**other, "seq": 5, "paid_minor": "much"}])),
        (topic, codec.pack([{**other, "seq": 90_000_000}])),
        (topics.EVENT.of("m1"), codec.pack([{**other, "seq": 6}])),
        ("vend/v1/m1/telemetry", b"{}"),
        (topics.STATUS.of("m1"), b"online"),
        (topics.REPLY.of("m1"), codec.pack({"id": "none"})),
        (topic, good_and_bad(other)),
    )


def good_and_bad(sale: dict[str, Any]) -> bytes:
    """The good record beside a bad one is stored."""
    free = {"tenders": [{"tender": "test", "amount_minor": 0}], "paid_minor": 0}
    return codec.pack(
        [{**sale, **free, "seq": 7, "at_ns": sale["at_ns"] + 1_000}, {**sale, "seq": 8, "slot": ""}]
    )


STORIES: Final[dict[str, tuple[Callable[[Stage], None], Sequence[str]]]] = {
    "normal-day": (normal_day, ("m1", "m2")),
    "offline-day": (offline_day, ("m1", "m2")),
    "jam-and-refund": (jam_and_refund, ("m1",)),
    "price-change": (price_change, ("m1", "m2")),
    "cloud-restart": (cloud_restart, ("m1", "m2")),
    "poison": (poison, ("m1",)),
}


def _technician(machine: SimulatedMachine, *words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "edge", "--config", str(machine.config), *words],
        check=True,
        capture_output=True,
        text=True,
    )


def _works(machine: SimulatedMachine) -> bool:
    status = machine.status()
    return "devices" in status and not any(status["devices"].values())


def _credit(machine: SimulatedMachine, minor: int) -> None:
    wait_for(f"{machine.name} credits", lambda: machine.status()["credit_minor"] == minor)


def _costs(machine: SimulatedMachine, slot: str, minor: int) -> bool:
    return bool(machine.status()["prices"][slot] == minor)


def _refused(stage: Stage, machine: str) -> bool:
    return any(said["refused"] for said in stage.heard.on(topics.REPORTED.of(machine)))


def _owed(stage: Stage, machine: SimulatedMachine, number: int) -> str:
    """A customer whose coins do not come; the code that he is given."""
    wait_for("m1 takes coins", machine.takes_coins)
    machine.insert(50)
    _credit(machine, 50)
    machine.changer.press_lever()
    owed = partial(stage.heard.on, "vend/v1/m1/event", kind="owed")
    wait_for("m1 owes the customer", lambda: len(owed()) == number)
    wait_for("m1 is idle", lambda: machine.status()["phase"] == "idle")
    return str(owed()[-1]["claim"])
