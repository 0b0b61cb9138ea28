"""Journals with many owed sales, as after a long time offline."""

from pathlib import Path

from deploy.demo.machine import SLOTS
from edge.store.journal import Journal
from shared.clock import Now
from shared.records import Body, Sale, TenderAmount

_START_NS = 1_790_000_000 * 10**9


def owe_sales(folder: Path, machine: str, count: int) -> int:
    """Fill a new journal below `folder`; returns the value of its sales, minor units."""
    (folder / "data").mkdir(parents=True)
    names = list(SLOTS)
    value_minor = 0
    with Journal(folder / "data" / "journal.db", machine) as journal:
        for start in range(0, count, 500):
            bodies: list[Body] = []
            for number in range(start, min(start + 500, count)):
                slot = names[number % len(names)]
                _, product, price_minor = SLOTS[slot]
                value_minor += price_minor
                bodies.append(
                    Sale(
                        slot=slot,
                        product=product,
                        price_minor=price_minor,
                        paid_minor=price_minor,
                        currency="EUR",
                        price_version=0,
                        tenders=(TenderAmount(tender="cash", amount_minor=price_minor),),
                        stock_left=5,
                        link_down=True,
                        duration_ms=1500,
                        outcome="delivered",
                    )
                )
            now = Now(_START_NS + start * 60 * 10**9, float(start), "synced")
            journal.commit(b"", bodies, now)
    return value_minor
