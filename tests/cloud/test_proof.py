"""Totals against a real InfluxDB, records with one number, bags: what the database is asked."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from cloud import proof
from cloud.bags import Bag, Counted, Counts, collected
from cloud.batch import digest
from cloud.books import Account
from cloud.config import InfluxSettings
from cloud.database import make
from cloud.figures import bag_line, books_line
from cloud.influx import Influx
from cloud.report import Report
from shared import topics
from shared.records import Audit
from tests.cloud.records import EPOCH, START_NS, arrived, sale

_T = TypeVar("_T")
DAY_NS = START_NS - START_NS % proof.DAY_NS


def event(machine: str, seq: int, kind: str, **fields: object) -> dict[str, Any]:
    header = {k: v for k, v in sale(machine, seq).items() if k in {"v", "machine", "epoch", "at_ns", "clock"}}
    return {**header, "seq": seq, "kind": kind, "currency": "EUR", **fields}


def audit(machine: str, seq: int, **totals: object) -> dict[str, Any]:
    money = {
        name: 0
        for name, field in Audit.model_fields.items()
        if field.is_required() and name not in {"kind", "currency"}
    }
    return event(machine, seq, "audit", **{**money, **totals})


def stored(
    influx: InfluxSettings,
    machine: str,
    records: list[dict[str, Any]],
    ask: Callable[[Influx], Awaitable[_T]],
) -> _T:
    """Write these records, then ask."""
    sales = [record for record in records if record["kind"] == "sale"]
    events = [record for record in records if record["kind"] != "sale"]
    batch = digest([arrived(machine, *sales), arrived(machine, *events, topic=topics.EVENT)])
    assert not batch.dead, batch.dead

    async def run() -> _T:
        async with Influx(influx) as client:
            await client.create_database()
            assert await client.write([line.text for line in batch.lines]) == {}
            return await ask(client)

    return asyncio.run(run())


def history(machine: str) -> list[dict[str, Any]]:
    """Two sales in cash and one by card between three audits."""
    card = ({"tender": "card", "amount_minor": 150},)
    after = {"sales": 2, "sold_minor": 300, "cash_in_minor": 200, "slots": {"A1": (2, 300)}}
    card_sold = {"sales": 3, "sold_minor": 450, "card_sales": 1, "card_sold_minor": 150}
    return [
        audit(machine, 1),
        event(machine, 2, "cash_in", value_minor=200, medium="coin", type=5, route="cashbox"),
        sale(machine, 3),
        sale(machine, 4),
        audit(machine, 5, **after),
        sale(machine, 6, tenders=card),
        audit(machine, 7, **{**after, **card_sold, "slots": {"A1": (3, 450)}}),
    ]


def test_totals_that_agree_are_proven_and_one_that_does_not_is_named(
    influx: InfluxSettings, machine: str
) -> None:
    async def ask(client: Influx) -> tuple[proof.Proof, ...]:
        good = await proof.history(client.query, machine, EPOCH, 7)
        early = await proof.history(client.query, machine, EPOCH, 6)
        day = await proof.of_day(client.query, machine, EPOCH, 7, DAY_NS)
        more = digest([arrived(machine, sale(machine, 6, at_ns=START_NS + 6_500_000))])
        await client.write([more.lines[0].text])
        bad = await proof.history(client.query, machine, EPOCH, 7)
        return good, early, day, bad

    good, early, day, bad = stored(influx, machine, history(machine), ask)
    assert [p.to.seq for p in (good, early, day, bad) if p.to] == [7, 5, 7, 5]
    assert not good.differences
    assert not early.differences
    assert not day.differences
    wrong = {d.name: (d.after.seq, d.to.seq, d.counted, d.stored) for d in bad.differences}
    assert wrong == {"sales": (5, 7, 1, 2), "sold_minor": (5, 7, 150, 300)}


def test_a_days_sales_by_tender(influx: InfluxSettings, machine: str) -> None:
    found = stored(influx, machine, history(machine), lambda c: proof.tenders(c.query, machine, DAY_NS))
    assert found == {"cash": (2, 300), "card": (1, 150)}


def test_the_same_again_is_known_and_another_with_its_number_is_told_apart(
    influx: InfluxSettings, machine: str
) -> None:
    twins = [sale(machine, 4, at_ns=START_NS + 4_100_000), sale(machine, 99)]
    lines = digest([arrived(machine, *(r for r in history(machine) if r["kind"] == "sale"), *twins)]).lines
    taken = stored(influx, machine, history(machine), lambda client: client.taken(lines))
    # 99 is in no book of the database: it was lost there, and is written.
    assert [(line.key, line.at_ns) for line in taken] == [((machine, EPOCH, 4), START_NS + 4_100_000)]


def test_a_bag_is_expected_counted_and_counted_again(
    tmp_path: Path, influx: InfluxSettings, machine: str
) -> None:
    cash = {"stacker_minor": 500, "tubes_minor": 700, "recycler_minor": 0}
    told = [
        event(machine, 1, "collection", bag="B-17", cashbox_minor=1_000, **cash),
        event(machine, 2, "collection", bag="B-17", cashbox_minor=20, **{**cash, "stacker_minor": 0}),
    ]
    make(tmp_path / "store.db")
    with closing(Counts(tmp_path / "store.db")) as counts:

        async def ask(client: Influx) -> Bag:
            bags = await collected(client.query, counts, START_NS)
            return next(bag for bag in bags if bag.machine == machine)

        bag = stored(influx, machine, told, ask)
        assert (bag.expected_minor, bag.difference_minor, bag.tubes_minor) == (1_520, None, 700)
        assert bag_line(bag) is None
        for amount_minor, who in ((1_510, "ann"), (1_525, "bob")):
            counts.add(bag, Counted(amount_minor, who, 5))
        bag = stored(influx, machine, told, ask)
        assert [c.who for c in bag.counts] == ["ann", "bob"]
        assert bag.difference_minor == 5
        assert "difference_minor=5i" in (bag_line(bag) or "")


def test_the_figures_of_a_machine_are_one_point() -> None:
    account = Account("m1", EPOCH, True, 1, 2, 10, 8, 10, ((9, 9),), ((3, 4),), ((5, 5),), ("bad_body",))
    found = Report(account, proof.Proof(proof.Point(8, 1, {}, {}), ()))
    line = books_line("m1", [found], 300)
    assert line.startswith("books,machine=m1 ")
    assert line.endswith(" 300")
    for part in ("proven=8i", "waiting=1i", "missing=2i", "refused=1i", "stored=10i", "balanced=true"):
        assert part in line
    assert found.trouble()[0].startswith("records missing: 2 (#3 to #4): `vend-cloud rebuild --from-machines")
