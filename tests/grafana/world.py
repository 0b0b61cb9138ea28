"""A small fleet with known sales, through the cloud's own ingest, rollups, gauges and books.

Sales are of two weeks of September 2026 and some of the two before; what is so now is of this hour.
"""

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cloud.bags import Bag, Counted, Counts
from cloud.batch import Arrived
from cloud.books import Books
from cloud.config import InfluxSettings
from cloud.figures import write_once
from cloud.gauges.broker import CONNECTED, DROPPED, RECEIVED, RETAINED, STORED, BrokerFigures
from cloud.gauges.fleet import Fleet
from cloud.gauges.process import broker_line, cloud_line
from cloud.gauges.writer import Gauges
from cloud.influx import Influx
from cloud.watch import Watch
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
from tests.cloud.rebuild.day import System
from tests.cloud.records import EPOCH, arrived, sale
from tests.rollups import make_rollups

MACHINES: Final = ("vm-1", "vm-2", "vm-3")
MINUTE_NS: Final = 60 * 10**9
EUR: Final = {"currency": "EUR"}


def at_ms(text: str) -> int:
    """UTC, as `2026-09-21 08:15`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def at_ns(text: str) -> int:
    return at_ms(text) * 10**6


Made = tuple[str, str, dict[str, Any]]  # when, kind, body


def _sold(
    when: str, tender: str, price: int, product: str = "cola", slot: str = "A1", **more: object
) -> Made:
    parts = {"cash": 100, "card": price - 100} if tender == "mixed" else {tender: price}
    free = tender in {"free", "test"}
    body = {
        "product": product,
        "slot": slot,
        "price_minor": price,
        "paid_minor": 0 if free else price,
        "tenders": tuple(
            {"tender": name, "amount_minor": 0 if free else part} for name, part in parts.items()
        ),
        **more,
    }
    return when, "sale", body


_HISTORY: Final[dict[str, list[Made]]] = {
    "vm-1": [
        _sold("2026-09-03 10:00", "cash", 150),
        _sold("2026-09-05 11:00", "card", 200, "chips", "A2"),
        ("2026-09-05 11:05", "vend_failed", {"slot": "A2", "product": "chips", "price_minor": 200,
                                             "tender": "card", "reason": "jammed", **EUR}),
        _sold("2026-09-14 08:05", "cash", 150),
        _sold("2026-09-14 08:50", "card", 200, "chips", "A2"),
        _sold("2026-09-15 12:30", "mixed", 250, "water", "A3"),
        _sold("2026-09-16 12:00", "free", 150),
        _sold("2026-09-21 08:15", "cash", 150, link_down=True),
        ("2026-09-21 08:20", "vend_failed", {"slot": "A2", "product": "chips", "price_minor": 200,
                                             "tender": "card", "reason": "jammed", **EUR}),
        ("2026-09-21 08:21", "refund", {"amount_minor": 200, **EUR}),
        ("2026-09-21 08:30", "fault", {"device": "changer", "code": "coin_jam"}),
        ("2026-09-21 09:00", "fault_cleared", {"device": "changer", "code": "coin_jam"}),
        ("2026-09-21 09:30", "door", {"open": True}),
        ("2026-09-21 09:31", "visit", {"event": "began", "door": True}),
        ("2026-09-21 09:40", "collection", {"bag": "B 1", "cashbox_minor": 450, "stacker_minor": 1_000,
                                            "tubes_minor": 800, "recycler_minor": 500, **EUR}),
        _sold("2026-09-21 09:45", "test", 150),
        ("2026-09-21 09:50", "visit", {"event": "ended", "door": True}),
        ("2026-09-21 09:51", "door", {"open": False}),
        ("2026-09-21 10:00", "applied", {"price_version": 7}),
        ("2026-09-21 10:01", "lockout", {"event": "began", "scope": "slot", "name": "A2",
                                         "reason": "jammed"}),
        ("2026-09-21 10:02", "boot", {"software": "0.1.0", "recovered": "nothing"}),
        _sold("2026-09-27 23:30", "wallet", 300, "salad", "A4"),
    ],
    "vm-2": [
        _sold("2026-09-15 12:40", "cash", 150),
        ("2026-09-15 12:41", "cash_in", {"value_minor": 200, "medium": "coin", "type": 2, "route": "tube",
                                         **EUR}),
        ("2026-09-15 12:42", "payout", {"wanted_minor": 50, "paid_minor": 50, "reason": "change", **EUR}),
        _sold("2026-09-20 18:00", "card", 220, "chips", "A2", link_down=True),
        ("2026-09-21 07:00", "owed", {"amount_minor": 70, "reason": "tubes_empty", "claim": "0001-123456",
                                      **EUR}),
        ("2026-09-21 07:30", "claim_paid", {"amount_minor": 40, "claim": "0001-123456",
                                      **EUR}),
        ("2026-09-21 11:00", "collection", {"bag": "B 2", "cashbox_minor": 300, "stacker_minor": 0,
                                            "tubes_minor": 100, "recycler_minor": 0, **EUR}),
        _sold("2026-09-21 20:10", "card", 220, "chips", "A2"),
        ("2026-09-21 21:00", "audit", {"sales": 3, "sold_minor": 590, "card_sales": 2, "card_sold_minor": 440,
                                       "cash_in_minor": 200, "card_in_minor": 440, "paid_out_minor": 50,
                                       "refunded_minor": 0, "owed_minor": 70, "redeemed_minor": 0,
                                       "settled_minor": 40, "credit_minor": 0, **EUR}),
    ],
    "vm-3": [_sold("2026-09-21 13:00", "card", 2_500, "cola", currency="SEK")],
}  # fmt: skip
END_NS: Final = at_ns("2026-09-28 00:00")
_MISSING: Final = 2  # vm-3 sent none of its first records
RECENTLY_NS: Final = 2 * 60 * MINUTE_NS  # so long ago vm-1 sold the last time


def records_of(machine: str, now_ns: int) -> list[dict[str, Any]]:
    made = []
    first = 1 + _MISSING if machine == "vm-3" else 1
    for seq, (when, kind, body) in enumerate(_HISTORY[machine], start=first):
        base = sale(machine, seq, at_ns=at_ns(when))
        if kind != "sale":
            base = {name: base[name] for name in ("v", "machine", "epoch", "seq", "at_ns", "clock")}
        made.append({**base, "kind": kind, **body})
    if machine == "vm-1":
        seq = len(made) + 1
        recent = {"slot": "A2", "product": "chips", "at_ns": now_ns - RECENTLY_NS}
        made.append(sale(machine, seq, **recent))
    return made


# ---- what the machines say of themselves now --------------------------------------------------------------

SAID_BEFORE_NS: Final = 20 * MINUTE_NS


def _status(machine: str, now_ns: int, *, online: bool) -> Status:
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


def _stock(machine: str, now_ns: int) -> Stock:
    slots = {
        slot: SlotStock(product=product, count=count, capacity=10, par=par)
        for slot, (product, count, par) in _SLOTS[machine].items()
    }
    return Stock(at_ns=now_ns - SAID_BEFORE_NS, slots=slots)


def _health(machine: str, now_ns: int, coins: int = 10) -> Health:
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


def _reported(now_ns: int) -> Reported:
    prices = PriceList(version=0, currency="EUR", prices={"A1": 150})
    return Reported(at_ns=now_ns - SAID_BEFORE_NS, prices=prices)


def told_before(now_ns: int) -> list[Arrived]:
    """All records; and two days ago all machines were online, and vm-1 had more coins."""
    before_ns = now_ns - 2 * 24 * 60 * MINUTE_NS
    records = [
        arrived(machine, one, topic=topics.SALE if one["kind"] == "sale" else topics.EVENT, at_ns=END_NS)
        for machine in MACHINES
        for one in records_of(machine, now_ns)
    ]
    states = [
        word(topics.STATUS, machine, _status(machine, before_ns, online=True), before_ns)
        for machine in MACHINES
    ]
    return [*records, *states, word(topics.HEALTH, "vm-1", _health("vm-1", before_ns, coins=40), before_ns)]


def told_now(now_ns: int) -> list[Arrived]:
    return [
        word(topic, machine, said, now_ns)
        for machine in MACHINES
        for topic, said in (
            (topics.STATUS, _status(machine, now_ns, online=machine != "vm-2")),
            (topics.STOCK, _stock(machine, now_ns)),
            (topics.HEALTH, _health(machine, now_ns)),
            (topics.REPORTED, _reported(now_ns)),
        )
    ]


# ---- the cloud's parts that write -------------------------------------------------------------------------


def build(folder: Path, url: str, database: str, now_ns: int, zone: str = "UTC") -> System:
    """All of it in a real InfluxDB, as the cloud would have written it by now."""
    system = System(folder, url, database)
    system.live(told_before(now_ns), "one", batch=100)
    system.live(told_now(now_ns), "two", batch=100)
    store = system.data / "store.db"
    influx = InfluxSettings(url=url, database=database)
    make_rollups(influx, store, zone)

    async def write() -> None:
        async with Influx(influx) as client:
            with closing(Fleet(store)) as fleet:
                await Gauges(fleet).once(client, now_ns, everything=True)
            with closing(Counts(store)) as counts, closing(Books(store)) as books:
                counts.add(_BAG, Counted(1_400, "anna", now_ns))
                for at in (END_NS, now_ns):  # bags are looked at for two months, machines now
                    await write_once(client, books, counts, {}, at)
            assert await client.write(_process_lines(now_ns)) == {}

    asyncio.run(write())
    return system


_BAG: Final = Bag("vm-1", "B 1", 0, 450, 1_000, 800, 500, "EUR")


def _process_lines(now_ns: int) -> list[str]:
    """Four minutes of one process and its broker, as they tell it of themselves."""
    watch, figures = Watch(), BrokerFigures()
    watch.connected(lambda: (5, 500))
    lines = []
    for minute in range(4):
        watch.metrics.count("records_stored_total", 120)
        if minute == 2:
            watch.metrics.count("dead_letters_total", 3, "bad_body")
        watch.live_lags_s.extend((0.1, 0.2, 0.1 * (minute + 3)))
        watch.wrote(0.02, "")
        for topic, said in (
            (CONNECTED, b"4"),
            (STORED, b"30"),
            (RETAINED, b"25"),
            (DROPPED, b"0"),
            (RECEIVED, b"120"),
        ):
            figures.hear(topic, said)
        at_ns = now_ns - (4 - minute) * MINUTE_NS
        lines.append(cloud_line(watch, "desk", now_ns - 10 * MINUTE_NS, at_ns))
        broker = broker_line(figures, at_ns)
        assert broker is not None
        lines.append(broker)
    return lines
