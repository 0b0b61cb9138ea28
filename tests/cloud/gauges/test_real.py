"""With the real database and broker: values that are known beforehand, queried as a dashboard does."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cloud.batch import Arrived
from cloud.config import InfluxSettings
from cloud.influx import Influx
from deploy.demo.fleet import Cloud, query
from deploy.demo.servers import Broker
from deploy.demo.servers import Influx as InfluxServer
from shared import topics
from shared.messages import Health
from tests.cloud.far_end import Machine
from tests.cloud.gauges.rig import (
    DAY_NS,
    HOUR_NS,
    MINUTE_NS,
    NOW_NS,
    WEEK_NS,
    Site,
    said,
    status,
    stock,
)
from tests.cloud.records import EPOCH, arrived, sale
from tests.cloud.test_app import is_listening
from tests.helpers import eventually

ROOT = Path(__file__).parents[3]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with closing(Site(tmp_path)) as made:
        yield made


def failed(machine: str, seq: int, at_ns: int, **more: object) -> dict[str, object]:
    header = {"v": 1, "machine": machine, "epoch": EPOCH, "seq": seq, "at_ns": at_ns, "clock": "synced"}
    body = {"slot": "A1", "product": "cola", "price_minor": 150, "currency": "EUR", "tender": "cash"}
    return {**header, "kind": "vend_failed", **body, "reason": "no_drop", **more}


def healthy(machine: str, at_ns: int, coins: int) -> Arrived:
    return said(
        Health.model_validate_json(
            f'{{"at_ns": {at_ns}, "tubes_minor": {coins * 50},'
            f' "tubes": [{{"coin_minor": 50, "count": {coins}, "capacity": 70, "full": false}}]}}'
        ),
        machine,
        at_ns,
    )


def hour_lines(machine: str) -> list[str]:
    """Four weeks of the rollup: 10 sales in each Monday's noon hour, 6 in the one before."""
    return [
        f"sales_hour,machine={machine},currency=EUR sales={sales}i,weekday=1i,hour={hour}i "
        f"{NOW_NS - week * WEEK_NS - (12 - hour) * HOUR_NS}"
        for week in range(1, 5)
        for hour, sales in ((12, 10), (11, 6))
    ]


def rows_of(settings: InfluxSettings, measurement: str, machine: str, group: str) -> list[dict[str, Any]]:
    rows = query(
        settings.url,
        settings.database,
        f'SELECT last(*) FROM "{measurement}" WHERE "machine" = \'{machine}\' GROUP BY {group}',
    )
    return [{name.removeprefix("last_"): value for name, value in row.items()} for row in rows]


def test_known_sales_give_known_gauges(site: Site, influx: InfluxSettings, machine: str) -> None:
    at = NOW_NS - 30 * MINUTE_NS  # the last sale, in the hour where 6 are usual
    sales = [sale(machine, seq, at_ns=at - (seq - 1) * HOUR_NS) for seq in range(1, 11)]
    sales += [sale(machine, 20 + n, slot="B2", at_ns=at - DAY_NS - n * DAY_NS) for n in range(5)]
    sales += [sale(machine, 30, at_ns=at - 1, tenders=({"tender": "test", "amount_minor": 0},))]
    sales += [sale(machine, 31, slot="C3", at_ns=at - 2)]
    failures = [
        failed(machine, 40, at - 5),
        failed(machine, 41, at - 6, tender="test"),
        failed(machine, 42, at - 7, slot="C3", reason="jammed"),  # sold from since then
        failed(machine, 43, at - 8, slot="D4", reason="motor_stuck"),
        failed(machine, 44, at - 2 * DAY_NS, slot="E5", reason="jammed"),
    ]
    site.take(
        status(machine, NOW_NS),
        stock(machine, NOW_NS, A1=5, B2=2, C3=8, D4=0),
        arrived(machine, *sales, at_ns=NOW_NS),
        arrived(machine, *failures, topic=topics.EVENT, at_ns=NOW_NS),
    )
    for hours, coins in ((60, 40), (50, 35), (40, 50), (30, 20), (20, 25)):
        site.take(healthy(machine, NOW_NS - hours * HOUR_NS, coins))

    async def run() -> int:
        async with Influx(influx) as client:
            await client.create_database()
            assert await client.write([*site.lines, *hour_lines(machine)]) == {}
            for _ in range(3):
                written = await site.gauges.once(client, NOW_NS, everything=True)
            return written

    assert asyncio.run(run()) == 0, "the third time nothing is new"
    (found,) = rows_of(influx, "machine_now", machine, '"machine"')
    assert found["missed_sales"] == 3.0, "half of the hour from 11"
    assert (found["vends_24h"], found["failed_24h"], found["jams"]) == (11, 3, 1)
    assert (found["quiet_s"], found["last_sale_ms"]) == (1_800, at // 10**6)
    assert found["change_minor"] == 1_250
    slots = {row["slot"]: row for row in rows_of(influx, "slot_now", machine, '"machine", "slot"')}
    days = (NOW_NS - (at - 5 * DAY_NS)) / DAY_NS
    assert {name: (row["sold_7d"], row["runout_days"]) for name, row in slots.items()} == {
        "A1": (10, round(5 * days / 10, 1)),
        "B2": (5, round(2 * days / 5, 1)),
        "C3": (1, round(8 * days, 1)),
        "D4": (0, -1.0),
    }
    assert [slots[name]["bring"] for name in sorted(slots)] == [3, 6, 0, 8]
    assert found["runout_h"] == pytest.approx(round(2 * days / 5, 1) * 24)
    (tube,) = rows_of(influx, "tube_now", machine, '"machine", "coin"')
    assert (tube["count"], tube["capacity"], tube["used_7d"], tube["bring"]) == (25, 70, 35, 10)


def test_a_day_of_the_cloud_between_broker_and_database(
    tmp_path: Path, own_influx: InfluxServer, machine: str
) -> None:
    """Killed and started again it goes on; what it tells of itself and of the broker is there."""

    def ask(influxql: str) -> list[dict[str, Any]]:
        return query(own_influx.url, own_influx.database, influxql)

    def last(measurement: str, field: str) -> object:
        rows = ask(f'SELECT last("{field}") AS "value" FROM "{measurement}"')
        return rows[0]["value"] if rows else None

    settings = (ROOT / "mosquitto/demo.conf").read_text() + "\nsys_interval 1\n"
    with (
        Broker(tmp_path / "mosquitto", settings) as broker,
        Cloud(tmp_path / "cloud", broker.port, own_influx.url, own_influx.database) as cloud,
        Machine(machine, broker.port) as far,
    ):
        eventually(lambda: is_listening(cloud))
        far.send_raw(status(machine, 0).payload, topics.STATUS)
        far.send_raw(Health(at_ns=NOW_NS, disk_free_mb=7).model_dump_json().encode(), topics.HEALTH)
        far.send(sale(machine, 1))
        eventually(lambda: far.stored() == {1})
        assert (last("status", "card_why"), last("health", "disk_free_mb")) == ("reader offline", 7)
        cloud.kill()
        cloud.start()
        eventually(lambda: last("machine_now", "online") == 1)
        eventually(lambda: last("broker", "clients"))
        eventually(lambda: last("broker", "queued_messages") is not None)
        assert (last("cloud", "ready"), last("cloud", "broker_connected")) == (1, 1)
        names = ask('SHOW TAG VALUES FROM "cloud" WITH KEY = "process"')
        assert [row["value"] for row in names] == ["desk"]
        assert cloud.json("dead-letters") == [], "what the broker says of itself is no record"
