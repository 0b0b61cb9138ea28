"""The table of measurements, held to what is really written."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC
from pathlib import Path

from cloud.bags import Bag, Counted
from cloud.books import Books
from cloud.figures import bag_line, books_line
from cloud.gauges.broker import TOPICS, BrokerFigures
from cloud.gauges.process import broker_line, cloud_line
from cloud.gauges.rows import machine_row, slot_rows, tube_rows
from cloud.gauges.usual import Recent, Usual
from cloud.gauges.writer import ALWAYS
from cloud.measurements import ALL, Form
from cloud.proof import Proof
from cloud.report import Report
from cloud.rollups.hours import hour_of
from cloud.rollups.sums import Sums
from cloud.watch import Watch
from shared.messages import Health
from tests.cloud.gauges.rig import MINUTE_NS, NOW_NS, Site, said, status, stock
from tests.cloud.records import arrived, sale

TABLE = {row.name: row for row in ALL}
FORMS = {
    Form.REAL: r"-?[0-9]+(\.[0-9]+)?",
    Form.TEXT: r'".*"',
    Form.BOOLEAN: "[Tt]rue|[Ff]alse",
    Form.FLAG: "[01]i",
}
INTEGER = "-?[0-9]+i"
HEALTH = Health.model_validate_json(
    '{"at_ns": 5, "temperatures": {"top": 4.5}, "lockouts": ["milk"], "door_open": true, "change_low": true,'
    ' "tubes": [{"coin_minor": 50, "count": 3, "capacity": 70, "full": false}],'
    ' "cashbox_minor": 1200, "stacker_minor": 5000, "stacker_notes": 7, "recycler_minor": 0,'
    ' "tubes_minor": 150, "clock": "synced", "clock_offset_ms": -12,'
    ' "link": {"reconnects_24h": 2, "up_since_ns": 4, "round_trip_ms": 80}, "disk_free_mb": 900}'
)


def everything(folder: Path) -> Iterator[str]:
    """A point of each measurement, of a machine that knows all of itself."""
    usual = Usual(dict.fromkeys(range(168), 2.0), {"A1": 7}, 7.0, {50: 9})
    with closing(Site(folder)) as site, closing(Books(site.path)) as books:
        site.take(
            *(status("m1", NOW_NS), stock("m1", NOW_NS, A1=3), said(HEALTH, "m1", NOW_NS)),
            arrived("m1", sale("m1", 1, at_ns=NOW_NS - MINUTE_NS), at_ns=NOW_NS),
        )
        yield from (line for line in site.lines if not line.startswith("sale"))
        (known,) = site.fleet.read()
        assert known.stock is not None
        link = site.gauges._link(known, site.gauges._look(NOW_NS, ALWAYS, NOW_NS))
        times = {"now_ns": NOW_NS, "as_of_ns": NOW_NS, "offset_s": 0}
        rows = [machine_row(known, link, usual, Recent(1, 2, 3), **times)]
        rows += [*slot_rows("m1", known.stock, usual, NOW_NS), *tube_rows("m1", HEALTH, usual, NOW_NS)]
        yield from (row.text() for row in rows)
        (account,) = books.accounts("m1")
        yield books_line("m1", [Report(account, Proof(None, ()))], NOW_NS)
    yield bag_line(Bag("m1", "b", 5, 1, 2, 3, 4, "EUR", (Counted(9, "me", 6),))) or ""
    watch, broker = Watch(), BrokerFigures()
    watch.live_lags_s.append(0.1)
    watch.writes_s.append(0.01)
    yield cloud_line(watch, "desk", NOW_NS, NOW_NS)
    sums = Sums()
    sums.add("vend_failed", {"machine": "m1", "currency": "EUR", "product": "cola"})
    yield from sums.lines(hour_of(NOW_NS, UTC), {})
    assert all(broker.hear(topic, b"12.50") for topic in TOPICS)
    yield broker_line(broker, NOW_NS) or ""


def test_what_is_written_is_what_the_table_says(tmp_path: Path) -> None:
    seen = set()
    for line in everything(tmp_path):
        series, rest = line.split(" ", 1)
        name, *tags = series.split(",")
        fields = dict(part.split("=", 1) for part in re.split(r",(?=[a-z0-9_]+=)", rest.rpartition(" ")[0]))
        row = TABLE[name]
        assert sorted(tag.partition("=")[0] for tag in tags) == sorted(row.tags), name
        assert fields.keys() == {field.name for field in row.fields}, name
        for field in row.fields:
            value = fields[field.name]
            assert re.fullmatch(FORMS.get(field.form, INTEGER), value), (name, field.name, value)
        seen.add(name)
    assert seen == TABLE.keys()


def test_no_field_is_a_tag_too() -> None:
    for row in ALL:
        assert not {field.name for field in row.fields} & {*row.tags, "time"}, row.name
