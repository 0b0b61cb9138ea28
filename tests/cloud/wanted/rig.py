"""A desk with machines that have said what they are."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from cloud.batch import Arrived, digest
from cloud.database import make
from cloud.store import Store
from cloud.wanted import book, desk, edits
from cloud.wanted.plan import Plan
from shared import topics
from shared.messages import (
    Config,
    ConfigRefused,
    PriceList,
    PricesRefused,
    Reported,
    SlotStock,
    Stock,
)
from shared.schedules import Priced


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    make(folder / "store.db")
    with closing(Store(folder / "store.db")) as store:
        yield store


def reported(
    machine: str,
    version: int = 0,
    currency: str = "EUR",
    refused: PricesRefused | None = None,
    prices: PriceList | None = None,
    config_version: int = 0,
    config_refused: ConfigRefused | None = None,
    **listed: int,
) -> Arrived:
    value = Reported(
        at_ns=1,
        prices=prices or PriceList(version=version, currency=currency, prices=listed),
        refused=refused,
        config_version=config_version,
        config_refused=config_refused,
    )
    return Arrived(topics.REPORTED.of(machine), value.model_dump_json().encode(), 1, False, 5)


def stocked(machine: str, wanted: Mapping[str, str] | None = None, **products: str) -> Arrived:
    slots = {
        slot: SlotStock(product=product, count=7, capacity=10, par=8, wanted=(wanted or {}).get(slot))
        for slot, product in products.items()
    }
    payload = Stock(at_ns=1, slots=slots).model_dump_json().encode()
    return Arrived(topics.STOCK.of(machine), payload, 1, False, 5)


def keep(store: Store, *messages: Arrived, at_ns: int = 5) -> None:
    store.keep(digest(messages), at_ns)


def want(db: sqlite3.Connection, plan: Plan, *, force: bool = False, what: str = "apply") -> int:
    """As `vend-cloud apply` does it. Returns the change's number."""
    draft = desk.draft(db, lambda _plan: plan, _silent)
    return _made(db, draft, what, force=force)


def set_prices(
    db: sqlite3.Connection,
    machines: list[str] | None,
    amounts: Mapping[str, str],
    tender: Priced = "cash",
    *,
    force: bool = True,
) -> int:
    return _made(db, edits.change(db, machines, amounts, tender), "prices set", force=force)


def undo(db: sqlite3.Connection, number: int | None = None) -> int:
    undone, edit = desk.undone(db, number)
    return _made(db, desk.draft(db, edit, _silent), f"undo {undone}", force=True)


def _made(db: sqlite3.Connection, draft: desk.Draft, what: str, *, force: bool) -> int:
    number = desk.make(db, draft, "anna", what, 1, force=force)
    list(desk.settle(db, draft.machines, 1, _silent))
    return number


def _silent(_done: int) -> None:
    pass


def messages(db: sqlite3.Connection, topic: topics.Topic = topics.PRICES) -> dict[str, book.Message]:
    found: dict[str, book.Message] = {}
    while page := book.unpublished(db, topic.name, max(found, default=""), everything=True):
        found |= {message.machine: message for message in page}
    return found


def wanted(db: sqlite3.Connection, machine: str) -> PriceList | None:
    found = messages(db).get(machine)
    return PriceList.model_validate_json(found.payload) if found else None


def config(db: sqlite3.Connection, machine: str) -> Config | None:
    found = messages(db, topics.CONFIG).get(machine)
    return Config.model_validate_json(found.payload) if found else None
