"""A day of three machines through the cloud's own ingest: real archive, real InfluxDB, real store."""

import asyncio
import json
import sqlite3
import urllib.parse
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from click.testing import CliRunner, Result

from cloud.__main__ import main
from cloud.archive import Archive
from cloud.batch import Arrived
from cloud.config import InfluxSettings
from cloud.database import make
from cloud.identity.register import Register
from cloud.influx import Influx
from cloud.ingest import Ingest
from cloud.store import Store
from shared import topics
from shared.messages import Availability, PriceList, Reported, SlotStock, Status, Stock
from tests.cloud.records import EPOCH, START_NS, arrived, boot, sale

MACHINES: Final = ("m1", "m2", "m3")
TENDERS: Final = ("cash", "card", "wallet", "free", "test")
MINUTE_NS: Final = 60 * 10**9
SALES: Final = 40


class System:
    """A data_dir and a database of its own."""

    def __init__(self, folder: Path, url: str, database: str) -> None:
        self.data = folder / "data"
        self.config = folder / "cloud.toml"
        self.url = url
        self.database = database
        self.archive = self.data / "archive"
        folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(
            f'data_dir = "{self.data}"\n[influx]\nurl = "{url}"\ndatabase = "{database}"\n'
        )

    def live(self, messages: Sequence[Arrived], source: str = "one", batch: int = 7) -> None:
        """As `vend-cloud run` takes them in; each call is a process of its own."""
        self.archive.mkdir(parents=True, exist_ok=True)
        path = self.data / "store.db"
        make(path)

        async def run() -> None:
            async with Influx(InfluxSettings(url=self.url, database=self.database)) as influx:
                await influx.create_database()
                began_ns = messages[0].arrived_ns
                with (
                    closing(Archive(self.archive, source, began_ns, limit_bytes=20_000)) as archive,
                    closing(Store(path)) as store,
                    closing(Register(path)) as register,
                ):
                    ingest = Ingest(archive, influx, store, revoked=register.denied)
                    for start in range(0, len(messages), batch):
                        part = messages[start : start + batch]
                        await ingest.process(part, [{}] * len(part))

        asyncio.run(run())

    def call(self, *words: str) -> Result:
        return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["--config", str(self.config), *words])

    def ask(self, influxql: str) -> Any:  # noqa: ANN401  # InfluxDB's answer
        query = urllib.parse.urlencode({"db": self.database, "q": influxql, "epoch": "ns"})
        with urllib.request.urlopen(f"{self.url}/query", query.encode()) as answer:
            return json.load(answer)

    def points(self) -> Any:  # noqa: ANN401  # InfluxDB's answer
        """Everything that InfluxDB holds."""
        return self.ask("SELECT * FROM /.*/ GROUP BY *")

    def lose_influx(self) -> None:
        self.ask(f'DROP DATABASE "{self.database}"')

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """Without when a journal was heard: that is known by batch."""
        columns = "machine, epoch, highest, highest_ns, last_seq, owed_from" if table == "journal" else "*"
        with closing(sqlite3.connect(self.data / "store.db")) as db:
            return sorted(db.execute(f"SELECT {columns} FROM {table}").fetchall(), key=repr)


def record(machine: str, seq: int, kind: str, **body: object) -> dict[str, Any]:
    header = {k: sale(machine, seq)[k] for k in ("v", "machine", "epoch", "seq", "clock")}
    return {**header, "at_ns": START_NS + seq * MINUTE_NS, "kind": kind, **body}


def records_of(machine: str) -> list[dict[str, Any]]:
    """Sales by all tenders over a midnight, then a visit, a jam, a refund, and all that moves money."""
    money = {"currency": "EUR"}
    sold = [
        sale(
            machine,
            seq,
            at_ns=START_NS + seq * 20 * MINUTE_NS,
            price_minor=(price := 10 + seq * 37 % 300),
            paid_minor=0 if (tender := TENDERS[seq % 5]) in {"free", "test"} else price,
            tenders=({"tender": tender, "amount_minor": price},),
        )
        for seq in range(1, SALES + 1)
    ]
    more: list[tuple[str, dict[str, object]]] = [
        ("cash_in", {"value_minor": 200, "medium": "coin", "type": 2, "route": "tube", **money}),
        ("payout", {"wanted_minor": 50, "paid_minor": 50, "reason": "change", **money}),
        ("owed", {"amount_minor": 70, "reason": "tubes_empty", "claim": "0001-123456", **money}),
        ("claim_paid", {"amount_minor": 70, "claim": "0001-123456", **money}),
        ("vend_failed", {"slot": "A1", "product": "cola", "price_minor": 150, "tender": "card",
                         "reason": "jammed", **money}),
        ("refund", {"amount_minor": 150, **money}),
        ("tubes_corrected", {"difference_minor": -6, **money}),
        ("refill", {"slot": "A1", "product": "cola", "before": 2, "after": 9, "added": 7}),
        ("collection", {"bag": "B 1", "cashbox_minor": 500, "stacker_minor": 2_000, "tubes_minor": 1,
                        "recycler_minor": 2, **money}),
        ("fault", {"device": "changer", "code": "coin_jam"}),
    ]  # fmt: skip
    events = [record(machine, SALES + 1 + n, kind, **body) for n, (kind, body) in enumerate(more)]
    return [*sold, *events, boot(machine, SALES + 1 + len(more))]


def status(machine: str, at_ns: int, *, online: bool = True) -> Arrived:
    value = Status(
        online=online,
        since_ns=at_ns,
        epoch=EPOCH,
        software="1",
        tenders={"cash": Availability(available=True)},
    )
    return _word(topics.STATUS, machine, value.model_dump_json(), at_ns)


def reported(machine: str, at_ns: int, price_minor: int) -> Arrived:
    prices = PriceList(version=0, currency="EUR", prices={"A1": price_minor, "A2": 90})
    return _word(topics.REPORTED, machine, Reported(at_ns=at_ns, prices=prices).model_dump_json(), at_ns)


def stock(machine: str, at_ns: int, count: int) -> Arrived:
    slots = {"A1": SlotStock(product="cola", count=count, capacity=9, par=8)}
    return _word(topics.STOCK, machine, Stock(at_ns=at_ns, slots=slots).model_dump_json(), at_ns)


def _word(topic: topics.Topic, machine: str, text: str, at_ns: int) -> Arrived:
    return Arrived(topic.of(machine), text.encode(), 1, False, at_ns)


def messages_of(machine: str) -> list[Arrived]:
    """Words, records, some of them sent again, and what becomes dead letters; each a second later."""
    made = records_of(machine)
    bad = {**sale(machine, 900), "price_minor": -5}
    said = [
        status(machine, 0),
        reported(machine, 0, 150),
        stock(machine, 0, 9),
        *(arrived(machine, *made[n : n + 5]) for n in range(0, SALES, 5)),
        *(arrived(machine, one, topic=topics.EVENT) for one in made[SALES:]),
        arrived(machine, *made[:5]),  # again: its receipt was lost
        arrived(machine, bad, sale(machine, 901)),
        arrived(machine, bad),
        Arrived(topics.SALE.of(machine), b"\xc1 no msgpack", 1, False, 0),
        reported(machine, 0, 160),
        stock(machine, 0, 4),
        status(machine, 0, online=False),
    ]
    return [
        Arrived(m.topic, m.payload, m.qos, m.retain, START_NS + n * 10**9, m.dup) for n, m in enumerate(said)
    ]


def write(system: System, line: str) -> None:
    """A point that no message of the archive made."""

    async def run() -> None:
        async with Influx(InfluxSettings(url=system.url, database=system.database)) as influx:
            assert await influx.write([line]) == {}

    asyncio.run(run())


def live_day(system: System) -> None:
    """Two processes side by side."""
    first, second, third = (messages_of(machine) for machine in MACHINES)
    system.live(sorted([*first, *second], key=lambda m: m.arrived_ns), "one")
    system.live(third, "two")
