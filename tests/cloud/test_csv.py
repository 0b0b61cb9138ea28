"""Spreadsheets out of a real InfluxDB that the project's own ingest filled: every row, to the cent."""

import asyncio
import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from cloud import export
from cloud.__main__ import main
from cloud.batch import Arrived
from cloud.cli import csv_files
from cloud.config import InfluxSettings
from cloud.export import DAY_NS, pages
from cloud.influx import Influx, QueryError
from cloud.ingest import Ingest
from cloud.points import MEASUREMENTS
from cloud.sheets import SHEETS, Sheet, text
from deploy.demo.servers import Influx as InfluxServer
from shared import topics
from shared.messages import SlotStock, Stock
from tests.cloud.records import EPOCH, START_NS, arrived, sale
from tests.cloud.test_ingest import Parts

DAYS = 40
MACHINES = ("m1", "m2", "m3")
HOUR_NS = 3_600 * 10**9
BY_NAME = {sheet.name: sheet for sheet in SHEETS}


def event(machine: str, seq: int, kind: str, at_ns: int, **body: object) -> dict[str, Any]:
    header = {"v": 1, "machine": machine, "epoch": EPOCH, "seq": seq, "clock": "synced"}
    return {**header, "at_ns": at_ns, "kind": kind, **body}


def cash_of(machine: str, at_ns: int) -> list[dict[str, Any]]:
    """One of each movement, EUR; 12.34 stay in the machine."""
    money = {"currency": "EUR"}
    moves: list[tuple[str, dict[str, object]]] = [
        ("cash_in", {"value_minor": 2_000, "medium": "note", "type": 1, "route": "stacker", **money}),
        ("cash_in", {"value_minor": 200, "medium": "coin", "type": 2, "route": "tube", **money}),
        ("payout", {"wanted_minor": 50, "paid_minor": 50, "reason": "change", **money}),
        ("coins_loaded", {"value_minor": 1_100, "coins": 11, **money}),
        ("coins_taken", {"value_minor": 10, "coins": 1, **money}),
        ("tubes_corrected", {"difference_minor": -6, **money}),
        ("recycler_corrected", {"difference_minor": 500, **money}),
        (
            "collection",
            {
                "bag": "B 1",
                "cashbox_minor": 500,
                "stacker_minor": 2_000,
                "tubes_minor": 1,
                "recycler_minor": 2,
                **money,
            },
        ),
        ("owed", {"amount_minor": 70, "reason": "tubes_empty", "claim": "0001-123456", **money}),
        ("claim_paid", {"amount_minor": 70, "claim": "0001-123456", **money}),
        ("refund", {"amount_minor": 90, **money}),
        ("fault", {"device": "changer", "code": "coin_jam"}),
        ("lockout", {"event": "began", "scope": "slot", "name": "A1", "reason": "motor"}),
        ("vend_failed", {"slot": "A1", "product": "cola", "price_minor": 150, "tender": "cash",
                         "reason": "jammed", **money}),
        ("refill", {"slot": "A1", "product": "cola", "before": 2, "after": 9, "added": 7}),
        ("stock_corrected", {"slot": "A2", "product": "nuts", "before": 5, "after": 4}),
    ]  # fmt: skip
    return [event(machine, 10_000 + n, kind, at_ns + n, **body) for n, (kind, body) in enumerate(moves)]


def sales_of(machine: str) -> list[dict[str, Any]]:
    """Some every day, and of all machines in the same nanosecond; a currency with other decimals too."""
    currency = {"m1": "EUR", "m2": "JPY", "m3": "BHD"}[machine]
    return [
        sale(
            machine,
            seq,
            at_ns=START_NS + seq * 7 * HOUR_NS,
            price_minor=(price := 1 + seq * 37 % 1_999),
            paid_minor=price,
            currency=currency,
            tenders=({"tender": ("cash", "card")[seq % 2], "amount_minor": price},),
        )
        for seq in range(1, DAYS * 24 // 7)
    ]


def stock_of(machine: str) -> Arrived:
    slots = {
        slot: SlotStock(product="cola", count=n, capacity=9, par=8) for n, slot in enumerate(("A1", "A2"))
    }
    payload = Stock(at_ns=START_NS, slots=slots).model_dump_json().encode()
    return Arrived(topics.STOCK.of(machine), payload, 1, False, START_NS)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with InfluxServer(tmp_path_factory.mktemp("influxd")) as server:

        async def fill() -> None:
            async with Influx(InfluxSettings(url=server.url)) as influx:
                await influx.create_database()
                parts = Parts()
                messages = [
                    *(arrived(m, *sales_of(m)) for m in MACHINES),
                    *(arrived(m, *cash_of(m, START_NS), topic=topics.EVENT) for m in MACHINES),
                    *map(stock_of, MACHINES),
                ]
                await Ingest(parts, influx, parts).process(messages, [{}] * len(messages))
                assert parts.kept[0][0].dead == []

        asyncio.run(fill())
        yield server


@pytest.fixture
def config(tmp_path: Path, seeded: InfluxServer) -> Path:
    path = tmp_path / "cloud.toml"
    path.write_text(f'data_dir = "{tmp_path}"\n[influx]\nurl = "{seeded.url}"\n')
    return path


def call(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(config), "csv", *words])


def rows(
    config: Path, sheet: str, *words: str, first: str = "2026-09-01", last: str = "2026-12-31"
) -> list[dict[str, str]]:
    done = call(config, sheet, "--from", first, "--to", last, *words)
    assert done.exit_code == 0, done.stderr
    found = list(csv.DictReader(io.StringIO(done.stdout)))
    assert done.stderr == f"{len(found):,} rows\n"
    return found


@pytest.mark.parametrize("page", [3, 4, 50, 5_000])
def test_every_sale_once_to_the_cent_whatever_a_page_holds(
    config: Path, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Three machines sell in the same nanosecond: a page of three or four ends in the middle of it."""
    monkeypatch.setattr(csv_files, "pages", partial(pages, page=page))
    found = rows(config, "sales")
    for machine, digits in (("m1", 2), ("m2", 0), ("m3", 3)):
        sold = sales_of(machine)
        mine = [row for row in found if row["machine"] == machine]
        assert [int(row["seq"]) for row in mine] == [s["seq"] for s in sold]
        for tender in ("cash", "card"):
            minor = sum(s["paid_minor"] for s in sold if s["tenders"][0]["tender"] == tender)
            shown = sum(Decimal(row["paid"]) for row in mine if row["tender"] == tender)
            assert shown == Decimal(minor).scaleb(-digits)
    assert [row["time"] for row in found] == sorted(row["time"] for row in found)
    assert found[0] == {
        "time": "2026-09-21T21:13:20Z",
        "machine": "m1",
        "slot": "A1",
        "product": "cola",
        "tender": "card",
        "price": "0.38",
        "paid": "0.38",
        "currency": "EUR",
        "price_version": "0",
        "outcome": "delivered",
        "stock_left": "9",
        "link_down": "false",
        "duration_ms": "1800",
        "clock": "synced",
        "epoch": EPOCH,
        "seq": "1",
    }


def test_the_sum_of_all_cash_is_what_is_in_the_machine(config: Path) -> None:
    found = rows(config, "cash", "--machine", "m2")
    assert {row["machine"] for row in found} == {"m2"}
    assert sum(Decimal(row["amount"]) for row in found) == Decimal("12.34")
    assert [(r["what"], r["amount"], r["medium"], r["place"], r["detail"]) for r in found] == [
        ("cash_in", "20.00", "note", "stacker", ""),
        ("cash_in", "2.00", "coin", "tube", ""),
        ("payout", "-0.50", "", "", "change"),
        ("coins_loaded", "11.00", "coin", "tube", ""),
        ("coins_taken", "-0.10", "coin", "tube", ""),
        ("tubes_corrected", "-0.06", "coin", "tube", ""),
        ("recycler_corrected", "5.00", "note", "recycler", ""),
        ("collection", "-25.00", "", "", "B 1"),
    ]


def test_failures_refills_and_stock(config: Path) -> None:
    failures = rows(config, "failures", "--machine", "m1")
    assert [(r["what"], r["subject"], r["reason"], r["amount"], r["claim"]) for r in failures] == [
        ("owed", "", "tubes_empty", "0.70", "0001-123456"),
        ("claim_paid", "", "", "0.70", "0001-123456"),
        ("refund", "", "", "0.90", ""),
        ("fault", "changer", "coin_jam", "", ""),
        ("lockout", "A1", "motor", "", ""),
        ("vend_failed", "A1", "jammed", "1.50", ""),
    ]
    refills = rows(config, "refills", "--machine", "m1")
    assert [tuple(r.values())[1:8] for r in refills] == [
        ("m1", "refill", "A1", "cola", "2", "9", "7"),
        ("m1", "stock_corrected", "A2", "nuts", "5", "4", ""),
    ]
    stock = rows(config, "stock")
    assert [(r["machine"], r["slot"], r["count"]) for r in stock] == [
        (machine, slot, count) for machine in MACHINES for slot, count in (("A1", "0"), ("A2", "1"))
    ]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Vilnius", "America/Los_Angeles", "Australia/Lord_Howe"])
def test_days_are_those_of_the_time_zone_and_every_sale_is_in_one(config: Path, zone: str) -> None:
    """Over the end of summer time; the day given last is included, and the next one begins where it ends."""
    all_of = [s["at_ns"] for s in sales_of("m1")]
    local = [datetime.fromtimestamp(at_ns // 10**9, ZoneInfo(zone)) for at_ns in all_of]
    for first, last in (("2026-10-24", "2026-10-25"), ("2026-10-26", "2026-10-26")):
        found = rows(config, "sales", "--machine", "m1", "--timezone", zone, first=first, last=last)
        expected = [at for at in local if first <= at.date().isoformat() <= last]
        assert len(expected) > 2
        assert [datetime.fromisoformat(row["time"]) for row in found] == expected
        assert all(row["time"].endswith("Z") == (zone == "UTC") for row in found)


def test_a_file_appears_whole(config: Path, tmp_path: Path) -> None:
    period = ("--from", "2026-09-01", "--to", "2026-12-31")
    done = call(config, "sales", *period, "--output", str(tmp_path / "sales.csv"))
    assert (done.exit_code, done.stdout) == (0, "")
    assert (tmp_path / "sales.csv").read_bytes().decode() == call(
        config, "sales", *period
    ).stdout_bytes.decode()
    assert b"\r\n" in (tmp_path / "sales.csv").read_bytes()
    missing = tmp_path / "missing" / "sales.csv"
    done = call(config, "sales", *period, "--output", str(missing))
    assert done.exit_code == 1
    assert "cannot be written" in done.stderr


def test_a_database_that_fails_in_the_middle_leaves_no_file_and_says_so(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = Influx.query, iter(range(100))

    async def query(self: Influx, influxql: str) -> list[dict[str, Any]]:
        if next(asked) == 10:
            influxql = "SELECT nonsense nonsense"
        return await real(self, influxql)

    monkeypatch.setattr(Influx, "query", query)
    output = tmp_path / "sales.csv"
    output.write_text("of last month")
    done = call(config, "sales", "--from", "2026-09-01", "--to", "2026-12-31", "--output", str(output))
    assert done.exit_code == 1
    assert "InfluxDB refuses the query" in done.stderr
    assert output.read_text() == "of last month"
    assert [path.name for path in tmp_path.iterdir() if ".part" in path.name] == []


def test_a_database_that_is_not_there_or_has_no_such_database(config: Path) -> None:
    settings = config.read_text()
    config.write_text(f'{settings}database = "nothing"\n')
    done = call(config, "sales", "--from", "2026-09-01", "--to", "2026-09-01")
    assert (done.exit_code, "database not found: nothing" in done.stderr) == (1, True)
    config.write_text('data_dir = "x"\n[influx]\nurl = "http://127.0.0.1:9"\n')
    done = call(config, "sales", "--from", "2026-09-01", "--to", "2026-09-01")
    assert (done.exit_code, "does not answer" in done.stderr) == (1, True)


def test_answers_that_are_cut_off_are_no_answers(tmp_path: Path) -> None:
    async def run(url: str) -> None:
        async with Influx(InfluxSettings(url=url)) as influx:
            await influx.create_database()
            await influx.write([f"m f={n}i {n}" for n in range(5)])
            await influx.query('SELECT * FROM "m" LIMIT 2')
            await influx.query('SELECT * FROM "m"')

    with (
        InfluxServer(tmp_path / "influxd", "max-row-limit = 3") as server,
        pytest.raises(QueryError, match="max-row-limit = 0"),
    ):
        asyncio.run(run(server.url))


@pytest.mark.parametrize(
    "words",
    [
        "--from 2026-09-31 --to 2026-10-01",
        "--from yesterday --to 2026-10-01",
        "--from 2026-10-02 --to 2026-10-01",
        "--from 0001-01-01 --to 2026-10-01",
        "--from 2026-10-01 --to 9999-12-31",
        "--from 2026-10-01",
        "--from 2026-10-01 --to 2026-10-01 --timezone Mars/Olympus",
        "--from 2026-10-01 --to 2026-10-01 --timezone ../../etc/passwd",
        "--from 2026-10-01 --to 2026-10-01 --machine m1'OR'1",
    ],
)
def test_mistakes_are_usage(config: Path, words: str) -> None:
    done = call(config, "sales", *words.split())
    assert (done.exit_code, done.stdout) == (2, "")


def test_memory_holds_one_page_and_nothing_is_asked_twice_where_nothing_is() -> None:
    """A hundred empty years are some hundred questions, and a page is never larger than asked for."""
    asked: list[str] = []

    async def ask(statement: str) -> list[dict[str, Any]]:
        asked.append(statement)
        return []

    async def run() -> None:
        async for _, found in pages(ask, BY_NAME["sales"].fields, None, 0, 100 * 365 * DAY_NS):
            assert found == []

    asyncio.run(run())
    assert len(asked) < 600
    assert all(f"LIMIT {export.PAGE}" in statement for statement in asked)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["m1", "m2"])), unique=True, max_size=60),
    st.integers(1, 7),
)
def test_any_points_in_any_pages_come_once_and_in_order(times: list[tuple[int, str]], page: int) -> None:
    """A model of the database: sorted by time, machines of one nanosecond in any order, cut at the limit."""

    async def ask(statement: str) -> list[dict[str, Any]]:
        words = statement.split()
        start, end, limit = (int(words[words.index(w) + n]) for w, n in ((">=", 1), ("<", 1), ("LIMIT", 1)))
        mine = sorted(t for t in times if start <= t[0] < end)
        return [{"time": t, "machine": m, "seq": 1} for t, m in mine][:limit]

    async def run() -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        async for _, those in pages(ask, BY_NAME["sales"].fields, None, 0, 31, page):
            found += [(point["time"], point["machine"]) for _, point in those]
        return found

    assert asyncio.run(run()) == sorted(times)


@given(st.text())
def test_no_text_becomes_a_formula(value: str) -> None:
    cell = text(value)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert cell.removeprefix("'") == value.removeprefix("'")
    out = io.StringIO()
    csv.writer(out).writerow([cell])
    assert next(csv.reader(io.StringIO(out.getvalue(), newline=""))) == [cell]


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_every_column_and_field_of_the_table_exists(sheet: Sheet) -> None:
    """A misspelt field would be an empty column, and nobody would notice."""
    known = {"time", "machine", "epoch", "seq", "clock", "what", "amount"}
    for kind, of in sheet.kinds.items():
        if kind == "stock":
            continue
        row = MEASUREMENTS[kind]
        has = {*row.fields, *row.tags, *known, *(("tender",) if kind == "sale" else ())}
        assert {*of.fields.values(), *of.plus, *of.minus} <= has, kind
        assert {*of.fields, *of.words} <= {c.name for c in sheet.columns}, kind
    if len(sheet.kinds) == 1 and sheet.name != "stock":
        (kind,) = sheet.kinds
        assert set(sheet.fields[kind]) - {*MEASUREMENTS[kind].fields, *known, "tender"} == set()


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        (UTC, "2026-09-21T14:13:20Z"),
        (ZoneInfo("Europe/Vilnius"), "2026-09-21T17:13:20+03:00"),
        (ZoneInfo("Africa/Abidjan"), "2026-09-21T14:13:20+00:00"),
    ],
)
def test_utc_is_z_and_other_zones_have_their_offset(zone: tzinfo, shown: str) -> None:
    assert BY_NAME["stock"].cells("stock", {"time": START_NS, "machine": "m1"}, zone)[0] == shown
