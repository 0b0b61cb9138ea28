"""Rollups through the project's own ingest and a real InfluxDB: they are what books and spreadsheets say."""

import csv
import io
import json
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.batch import Arrived
from cloud.config import InfluxSettings
from cloud.rollups.hours import HOUR_NS
from cloud.rollups.sums import ALL, PRODUCT_FIELDS, SALES_FIELDS
from deploy.demo.servers import Influx as InfluxServer
from shared import topics
from shared.totals import TOTALS
from tests.cloud.rebuild.day import System, live_day
from tests.cloud.records import START_NS, arrived, sale
from tests.rollups import make_rollups

MACHINES = ("m1", "m2", "m3")
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with InfluxServer(tmp_path_factory.mktemp("influxd")) as running:
        yield running


def new_system(folder: Path, server: InfluxServer, zone: str = "UTC") -> System:
    made = System(folder, server.url, f"d{secrets.token_hex(4)}")
    in_zone(made, zone)
    return made


def in_zone(system: System, zone: str) -> None:
    settings_text = system.config.read_text().partition("[reports]")[0]
    system.config.write_text(f'{settings_text}[reports]\ntime_zone = "{zone}"\n')


@pytest.fixture
def system(tmp_path: Path, server: InfluxServer) -> System:
    return new_system(tmp_path / "system", server)


def roll(system: System, zone: str = "UTC") -> None:
    make_rollups(InfluxSettings(url=system.url, database=system.database), system.data / "store.db", zone)


def rows(system: System, measurement: str) -> Rows:
    (result,) = system.ask(f'SELECT * FROM "{measurement}"')["results"]
    return [
        dict(zip(series["columns"], values, strict=True))
        for series in result.get("series", [])
        for values in series["values"]
    ]


def summed(found: Rows, fields: Sequence[str], *tags: str) -> dict[tuple[str, ...], dict[str, int]]:
    sums: dict[tuple[str, ...], Counter[str]] = {}
    for row in found:
        of = sums.setdefault(tuple(row[tag] for tag in tags), Counter())
        of.update({name: row[name] for name in fields})
    return {key: {name: n for name, n in of.items() if n} for key, of in sums.items() if any(of.values())}


# ---- against the books and the spreadsheet ----------------------------------------------------------------

TENDERS = st.sampled_from(("cash", "card", "wallet", "free", "test", "mixed"))


def made(machine: str, seq: int, minute: int, draw: st.DataObject) -> dict[str, Any]:
    """A record that a machine could have made."""
    at_ns = START_NS + minute * 60 * 10**9 + seq
    currency, product = draw.draw(st.sampled_from(("EUR", "EUR", "SEK"))), draw.draw(st.sampled_from("abc"))
    amount = draw.draw(st.integers(1, 999))
    base = sale(machine, seq, at_ns=at_ns, currency=currency, product=product, price_minor=amount)
    header = {name: base[name] for name in ("v", "machine", "epoch", "seq", "at_ns", "clock", "currency")}
    kind = draw.draw(st.sampled_from(("sale", "sale", "sale", "vend_failed", "refund")))
    if kind == "refund":
        return {**header, "kind": kind, "amount_minor": amount}
    if kind == "vend_failed":
        failed = {"slot": "A1", "product": product, "price_minor": amount, "tender": "card", "reason": "jam"}
        return {**header, "kind": kind, **failed}
    tender = draw.draw(TENDERS)
    cash = draw.draw(st.integers(0, amount))
    parts = {"cash": cash, "card": amount - cash} if tender == "mixed" else {tender: amount}
    return {
        **base,
        "paid_minor": 0 if tender in {"free", "test"} else amount,
        "tenders": tuple({"tender": name, "amount_minor": part} for name, part in parts.items()),
        "link_down": draw.draw(st.booleans()),
        "outcome": draw.draw(st.sampled_from(("delivered", "doubtful"))),
    }


def journals(draw: st.DataObject) -> list[dict[str, Any]]:
    """Times rise with numbers; an hour, a day or a month may lie between."""
    records: list[dict[str, Any]] = []
    for machine in MACHINES:
        minute = 0
        for seq in range(1, 1 + draw.draw(st.integers(0, 8))):
            minute += draw.draw(st.sampled_from((0, 7, 55, 60, 1_440, 40_000)))
            records.append(made(machine, seq, minute, draw))
    return records


def message(record: dict[str, Any], number: int) -> Arrived:
    topic = topics.SALE if record["kind"] == "sale" else topics.EVENT
    return arrived(record["machine"], record, topic=topic, at_ns=START_NS + number)


def counted(records: Rows, machine: str | None, currency: str, tenders: Sequence[str] = ()) -> int:
    """How many sales by one of these tenders; by none of free and test where none is named."""
    count = 0
    for record in records:
        if (
            record["kind"] == "sale"
            and machine in {None, record["machine"]}
            and record["currency"] == currency
        ):
            names = sorted({part["tender"] for part in record["tenders"]})
            tender = names[0] if len(names) == 1 else "mixed"
            count += tender in tenders if tenders else tender not in {"free", "test"}
    return count


@settings(max_examples=15)
@given(data=st.data(), zone=st.sampled_from(("UTC", "Europe/Vilnius", "Asia/Kolkata", "Australia/Lord_Howe")))
def test_rollups_are_what_books_and_spreadsheet_say_however_records_came(
    server: InfluxServer, data: st.DataObject, zone: str
) -> None:
    with TemporaryDirectory() as folder:
        system = new_system(Path(folder) / "system", server, zone)
        records = journals(data)
        delivered = [
            *records,
            *data.draw(st.lists(st.sampled_from(records), max_size=5) if records else st.just([])),
        ]
        order = data.draw(st.permutations(range(len(delivered))))
        middle = data.draw(st.integers(0, len(order)))
        for part in (order[:middle], order[middle:]):  # rollups are made twice, the later ones of late sales
            if part:
                system.live(
                    [message(delivered[n], n) for n in part], source=f"part{len(part)}-{middle}", batch=3
                )
                roll(system, zone)
        if not records:
            return
        hours, products = rows(system, "sales_hour"), rows(system, "product_hour")
        sums = summed(hours, SALES_FIELDS, "machine", "currency")
        for currency in {record["currency"] for record in records}:
            for machine in (*MACHINES, None):
                said = sums.get((machine or ALL, currency), {})
                assert said.get("sales", 0) == counted(records, machine, currency)
                for tender in ("cash", "card", "wallet", "mixed", "free", "test"):
                    assert said.get(f"{tender}_sales", 0) == counted(records, machine, currency, [tender])
        _as_the_audits(records, sums)
        _as_the_spreadsheet(system, zone, sums, hours)
        by_product = summed(products, PRODUCT_FIELDS, "machine", "currency")
        assert by_product == {
            key: {name: n for name in PRODUCT_FIELDS if (n := said.get(name, 0))}
            for key, said in sums.items()
            if any(said.get(name) for name in PRODUCT_FIELDS)
        }


def _as_the_audits(records: Rows, sums: dict[tuple[str, ...], dict[str, int]]) -> None:
    """The totals of shared/totals.py, over all currencies as an audit has them."""
    for machine in MACHINES:
        said: Counter[str] = Counter()
        for (name, _), fields in sums.items():
            if name == machine:
                said.update(fields)
        names = {"sold_minor": ("sold_minor",), "sales": ("sales", "free_sales", "test_sales"),
                 "free_sales": ("free_sales",), "test_sales": ("test_sales",),
                 "refunded_minor": ("refunded_minor",)}  # fmt: skip
        for total in TOTALS:
            if total.name in names:
                audited = sum(
                    record[total.field] if total.field else 1
                    for record in records
                    if record["machine"] == machine
                    and record["kind"] == total.kind
                    and (total.tender is None or record["tenders"][0]["tender"] == total.tender)
                )
                assert sum(said[name] for name in names[total.name]) == audited, total.name


def _as_the_spreadsheet(
    system: System, zone: str, sums: dict[tuple[str, ...], dict[str, int]], hours: Rows
) -> None:
    sheet = system.call("csv", "sales", "--from", "2026-09-01", "--to", "2028-01-01", "--timezone", zone)
    assert sheet.exit_code == 0, sheet.stderr
    cents: Counter[tuple[str, str]] = Counter()
    by_hour: Counter[int] = Counter()
    for row in csv.DictReader(io.StringIO(sheet.stdout)):
        cents[row["machine"], row["currency"]] += round(float(row["paid"]) * 100)
        if row["tender"] not in {"free", "test"}:
            by_hour[int(row["time"][11:13])] += 1
    for (machine, currency), said in sums.items():
        if machine != ALL:
            assert said.get("sold_minor", 0) == cents.pop((machine, currency), 0)
    assert not +cents
    fleet = Counter[int]()
    for row in hours:
        if row["machine"] == ALL:
            fleet[row["hour"]] += row["sales"]
    assert +fleet == by_hour


def test_the_books_of_a_day_agree(system: System) -> None:
    live_day(system)
    roll(system)
    said = json.loads(system.call("books", "--day", "2026-09-21", "--json").stdout)["tenders"]
    day_ns = START_NS // (24 * HOUR_NS) * 24 * HOUR_NS
    found = [row for row in rows(system, "sales_hour") if day_ns <= row["time"] < day_ns + 24 * HOUR_NS]
    assert {row["machine"] for row in found} == {*said, ALL}
    for machine, tenders in said.items():
        of = [row for row in found if row["machine"] == machine]
        for tender, figures in tenders.items():
            assert sum(row[f"{tender}_sales"] for row in of) == figures["sales"], (machine, tender)
        assert sum(row["sold_minor"] for row in of) == sum(one["sold_minor"] for one in tenders.values())
        for tender in ("cash", "card", "wallet"):
            assert sum(row[f"{tender}_minor"] for row in of) == tenders[tender]["sold_minor"]
