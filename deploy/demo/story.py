"""The story the project exists for: machines sell, one loses its network, and nothing is lost."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from deploy.demo.fleet import Fleet, buy, buy_by_card, buy_with_note, wait_for
from deploy.demo.machine import Books, SimulatedMachine
from shared import money

OFFLINE: Final = "m2"
NO_READER: Final = "m3"
SLOT: Final = "A1"
NEW_PRICE_MINOR: Final = 180
_ROUND: Final[Sequence[Callable[[SimulatedMachine], None]]] = (
    lambda machine: buy(machine, SLOT, (200,)),
    lambda machine: buy_with_note(machine, "A2", 500),
    lambda machine: buy_by_card(machine, "B1"),
)

Say = Callable[[str], None]


def play(fleet: Fleet, say: Say) -> dict[str, Any]:
    """Play it once and return the books; `say` gets one line a step."""
    started_s = time.monotonic()
    machines = fleet.machines
    say("machines start")
    for machine in machines.values():
        wait_for(f"{machine.name} online", partial(_online, machine))
        wait_for(f"{machine.name} takes coins", machine.takes_coins)
    wait_for("the cloud knows all machines", lambda: _reported(fleet) == set(machines))
    say("every machine sells")
    _everybody_buys(machines)

    offline = machines[OFFLINE]
    say(f"the network of {OFFLINE} is cut")
    offline.link.cut()
    wait_for(f"{OFFLINE} notices", lambda: not offline.status()["link_up"])
    before = offline.status()["sales"]
    say(f"{OFFLINE} goes on selling: {_tenders(offline)}")
    _everybody_buys(machines)
    _everybody_buys({OFFLINE: offline})
    offline_sales = offline.status()["sales"] - before
    say(f"{OFFLINE} sold {offline_sales} offline and owes {offline.status()['owed']} records")

    _a_reader_loses_its_network(machines[NO_READER], say)

    say(f"the price of {SLOT} is set to {money.text(NEW_PRICE_MINOR, 'EUR')} for all machines")
    fleet.cloud.command("prices", "set", "--all", f"{SLOT}={NEW_PRICE_MINOR / 100:.2f}")
    for machine in machines.values():
        if machine is not offline:
            wait_for(f"{machine.name} applies", partial(_applied, machine))

    say(f"the network of {OFFLINE} comes back")
    offline.link.restore()
    wait_for(f"{OFFLINE} applies the price", partial(_applied, offline))
    wait_for(f"{OFFLINE} owes nothing", lambda: offline.status()["owed"] == 0)
    say(f"{OFFLINE} has uploaded everything by itself and charges the new price")
    _everybody_buys(machines)
    wait_for("nothing is owed", lambda: all(m.status()["owed"] == 0 for m in machines.values()))
    wait_for("the cloud saw the new price charged", lambda: _row(fleet)["charged_minor"] == NEW_PRICE_MINOR)
    return _close(fleet, offline_sales, started_s)


def _a_reader_loses_its_network(machine: SimulatedMachine, say: Say) -> None:
    """The reader has a SIM of its own: either may be offline while the other is not."""
    machine.reader.network(up=False)
    wait_for(f"{machine.name} takes no cards", lambda: not _takes_cards(machine))
    say(f"the card reader of {machine.name} loses its own network: {_tenders(machine)}")
    machine.reader.network(up=True)
    wait_for(f"{machine.name} takes cards again", lambda: _takes_cards(machine))


def _takes_cards(machine: SimulatedMachine) -> bool:
    return bool(machine.status()["tenders"]["card"]["available"])


def _close(fleet: Fleet, offline_sales: int, started_s: float) -> dict[str, Any]:
    """Stop the machines and compare the three books."""
    row = _row(fleet)
    owed = sum(machine.status()["owed"] for machine in fleet.machines.values())
    influx = fleet.stored()
    by_machine = {}
    for name, machine in fleet.machines.items():
        machine.stop()
        by_machine[name] = {
            "hardware": asdict(machine.hardware()),
            "journal": asdict(machine.journal()),
            "influx": asdict(influx.get(name, Books(0, 0))),
        }
    totals = {
        book: {
            key: sum(books[book][key] for books in by_machine.values()) for key in ("sales", "value_minor")
        }
        for book in ("hardware", "journal", "influx")
    }
    return {
        "machines": by_machine,
        **totals,
        "owed": owed,
        "offline_sales": offline_sales,
        "price": {name: row[f"{name}_minor"] for name in ("wanted", "applied", "charged")},
        "seconds": round(time.monotonic() - started_s, 1),
    }


def balanced(result: Mapping[str, Any]) -> bool:
    """Equal to the cent at every machine, nothing owed, the three prices agree."""
    books = [b["hardware"] == b["journal"] == b["influx"] for b in result["machines"].values()]
    return all(books) and result["owed"] == 0 and len(set(result["price"].values())) == 1


def _everybody_buys(machines: Mapping[str, SimulatedMachine]) -> None:
    def shop(machine: SimulatedMachine) -> None:
        for customer in _ROUND:
            customer(machine)

    with ThreadPoolExecutor() as pool:
        list(pool.map(shop, machines.values()))


def _tenders(machine: SimulatedMachine) -> str:
    tenders = machine.status()["tenders"]
    return "; ".join(f"{t} yes" if a["available"] else f"{t} no: {a['reason']}" for t, a in tenders.items())


def _online(machine: SimulatedMachine) -> bool:
    return bool(machine.status().get("link_up"))


def _applied(machine: SimulatedMachine) -> bool:
    return bool(machine.status()["prices"][SLOT] == NEW_PRICE_MINOR)


def _reported(fleet: Fleet) -> set[str]:
    return {row["machine"] for row in fleet.cloud.json("machines") if row["reported"]}


def _row(fleet: Fleet) -> dict[str, Any]:
    rows: list[dict[str, Any]] = fleet.cloud.json("prices", "show")
    return next(
        row for row in rows if row["machine"] == OFFLINE and row["slot"] == SLOT and row["tender"] == "cash"
    )
