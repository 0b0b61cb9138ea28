"""What the machines of the small fleet say of themselves: states, stock, health, prices."""

from typing import Any, Final

from cloud.batch import Arrived
from shared import topics
from shared.messages import (
    Availability,
    Health,
    Link,
    OpenFault,
    PriceList,
    Reported,
    SlotStock,
    Status,
    Stock,
    TubeLevel,
)
from tests.cloud.records import EPOCH
from tests.grafana.history import MINUTE_NS, records_of

SAID_BEFORE_NS: Final = 20 * MINUTE_NS


def status(machine: str, now_ns: int, *, online: bool) -> Status:
    no_network = Availability(available=False, reason="card reader has no network")
    well = Availability(available=True)
    wallet = Availability(available=False, reason="not set up")
    last = records_of(machine, now_ns)[-1]["seq"]
    return Status(
        online=online,
        since_ns=now_ns - SAID_BEFORE_NS,
        epoch=EPOCH,
        software="0.1.0",
        tenders={"cash": well, "card": no_network if machine == "vm-3" else well, "wallet": wallet},
        last_seq=last + (4 if machine == "vm-2" else 0),
        owed_from=last + 1 if machine == "vm-2" else None,
        owed=4 if machine == "vm-2" else 0,
    )


_SLOTS: Final = {
    "vm-1": {"A1": ("cola", 8, 8), "A2": ("chips", 2, 8), "A3": ("water", 0, 4)},
    "vm-2": {"A1": ("cola", 6, 8)},
    "vm-3": {"A1": ("cola", 8, 8)},
}


def stock(machine: str, now_ns: int) -> Stock:
    slots = {
        slot: SlotStock(product=product, count=count, capacity=10, par=par)
        for slot, (product, count, par) in _SLOTS[machine].items()
    }
    return Stock(at_ns=now_ns - SAID_BEFORE_NS, slots=slots)


def health(machine: str, now_ns: int, coins: int = 10) -> Health:
    if machine == "vm-3":  # sells by card alone, and has no sensor
        return Health(at_ns=now_ns - SAID_BEFORE_NS, clock="estimated")
    is_first = machine == "vm-1"
    return Health(
        at_ns=now_ns - SAID_BEFORE_NS,
        temperatures={"food": 4.5, "drinks": 6.0} if is_first else {"food": 9.5},
        lockouts=() if is_first else ("food",),
        door_open=False,
        tubes=(TubeLevel(coin_minor=50, count=coins if is_first else 1, capacity=60, full=False),),
        change_low=not is_first,
        cashbox_minor=1_200,
        stacker_minor=3_000,
        stacker_notes=4,
        recycler_minor=500,
        tubes_minor=500 if is_first else 50,
        clock="synced",
        clock_offset_ms=12,
        link=Link(reconnects_24h=3, round_trip_ms=45),
        faults=() if is_first else (OpenFault(device="changer", code="coin_jam", since_ns=1),),
        disk_free_mb=900,
    )


def word(topic: topics.Topic, machine: str, model: Any, now_ns: int) -> Arrived:  # noqa: ANN401
    return Arrived(topic.of(machine), model.model_dump_json().encode(), 1, False, now_ns - SAID_BEFORE_NS)


def reported(now_ns: int) -> Reported:
    prices = PriceList(version=0, currency="EUR", prices={"A1": 150})
    return Reported(at_ns=now_ns - SAID_BEFORE_NS, prices=prices)
