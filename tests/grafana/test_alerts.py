"""Every alert rule fires when it should and is quiet when it should, asked of a real InfluxDB."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from cloud.config import InfluxSettings
from cloud.gauges.fleet import Fleet
from cloud.gauges.process import cloud_line
from cloud.gauges.writer import ALWAYS, BrokerLink, Gauges
from cloud.influx import Influx as Client
from cloud.watch import Part, Watch
from deploy.grafana import alerting
from shared import topics
from shared.messages import Availability, Status
from tests.cloud.rebuild.day import System
from tests.cloud.records import EPOCH
from tests.grafana.asked import Influx
from tests.grafana.evaluate import Alert, firing, notifications
from tests.grafana.history import MINUTE_NS
from tests.grafana.said import word

GROUP: Final = alerting.rules_file()["groups"][0]
FILED: Final[dict[str, dict[str, Any]]] = {rule["uid"]: rule for rule in GROUP["rules"]}
(POLICY,) = alerting.policies_file()["policies"]


# By rule: the fields with which it fires, and those with which it is quiet. Of `machine_now` where not said.
_M: Final = "machine_now,machine=m1"
_C: Final = "cloud,process=desk"
CASES: Final[dict[str, tuple[str, str]]] = {
    "vend-cloud-silent": (
        f"{_C} ready=0i,broker_connected=1i,influx_ok=1i",
        f"{_C} ready=1i,broker_connected=1i,influx_ok=1i",
    ),
    "vend-broker-away": (f"{_C} broker_connected=0i", f"{_C} broker_connected=1i"),
    "vend-influx-away": (f"{_C} influx_ok=0i", f"{_C} influx_ok=1i"),
    "vend-cloud-lag": (f"{_C} lag_p99_ms=10001i", f"{_C} lag_p99_ms=9000i"),
    "vend-machine-silent": (f"{_M} silent_s=901i", f"{_M} silent_s=840i"),
    "vend-no-sale": (f"{_M} missed_sales=7.1", f"{_M} missed_sales=-1.0"),
    "vend-failed-vends": (f"{_M} failed_24h=3i,vends_24h=50i", f"{_M} failed_24h=3i,vends_24h=97i"),
    "vend-jam": (f"{_M} jams=1i", f"{_M} jams=0i"),
    "vend-price-disagreement": (f"{_M} disagreements=2i", f"{_M} disagreements=0i"),
    "vend-records-missing": (f"{_M} missing=1i", f"{_M} missing=0i"),
    "vend-card-network": (
        f'{_M} card=0i,card_why="card reader has no network"',
        f'{_M} card=0i,card_why="no card reader fitted"',
    ),
    "vend-card-broken": (
        f'{_M} card=0i,card_why="card reader is out of order"',
        f'{_M} card=0i,card_why="a technician is at the machine"',
    ),
    "vend-card-no-answer": (
        f'{_M} card=0i,card_why="card reader cannot be reached: its adapter does not answer"',
        f'{_M} card=1i,card_why=""',
    ),
    "vend-card-other": (
        f'{_M} card=0i,card_why="card reader counts in another currency"',
        f'{_M} card=0i,card_why="card reader has no network"',
    ),
    "vend-slot-empty": (f"{_M} slots_empty=1i", f"{_M} slots_empty=0i"),
    "vend-slot-low": (f"{_M} slots_low=2i,slots_empty=1i", f"{_M} slots_low=1i,slots_empty=1i"),
    "vend-change-low": (f"{_M} change_low=1i", f"{_M} change_low=0i"),
    "vend-temperature": (f"{_M} temperature_c=8.5", f"{_M} temperature_c=8.0"),
    "vend-lockout": (f"{_M} lockout=1i", f"{_M} lockout=0i"),
    "vend-door": (f"{_M} door_s=960i", f"{_M} door_s=900i"),
}
COUNTED: Final = {"vend-dead-letters"}  # from how a counter grows: a test of its own


def labels_of(uid: str, alerts: list[Alert]) -> list[Alert]:
    common = {"alertname", "severity", "who"}
    assert all(alert["alertname"] == FILED[uid]["title"] for alert in alerts)
    return [{name: value for name, value in alert.items() if name not in common} for alert in alerts]


def test_every_rule_has_a_case_that_fires_and_one_that_does_not() -> None:
    assert set(CASES) | COUNTED == set(FILED)


@pytest.mark.parametrize("uid", list(CASES))
def test_a_rule_fires_when_it_is_so_and_resolves_itself(uid: str, influx: Influx) -> None:
    now_ns = time.time_ns()
    rule, (bad, good) = FILED[uid], CASES[uid]
    tags = [{"machine": "m1"}] if bad.startswith(_M) else [{}]
    influx.write(f"{bad} {now_ns - MINUTE_NS}")
    assert labels_of(uid, firing(influx, rule, now_ns // 10**6)) == tags
    later_ns = now_ns + rule["data"][0]["relativeTimeRange"]["from"] * 10**9
    at_ns = now_ns if bad.startswith(_M) else later_ns  # a machine's gauge is rewritten in place
    influx.write(f"{good} {at_ns - MINUTE_NS}")
    assert firing(influx, rule, at_ns // 10**6) == []


def test_a_few_failed_vends_are_no_alert(influx: Influx) -> None:
    now_ns = time.time_ns()
    influx.write(f"{_M} failed_24h=2i,vends_24h=0i {now_ns - 10**9}")
    assert firing(influx, FILED["vend-failed-vends"], now_ns // 10**6) == []


def test_dead_letters_are_what_came_and_a_new_process_counts_from_nothing(influx: Influx) -> None:
    now_ns, rule = time.time_ns(), FILED["vend-dead-letters"]

    def count(minutes_ago: int, letters: int) -> None:
        influx.write(f"{_C} dead_letters={letters}i {now_ns - minutes_ago * MINUTE_NS}")

    count(50, 7)
    count(40, 7)
    count(30, 0)  # the process began anew
    assert firing(influx, rule, now_ns // 10**6) == []
    count(20, 2)
    assert len(firing(influx, rule, now_ns // 10**6)) == 1
    assert firing(influx, rule, now_ns // 10**6 + 3_600_000) == []


def test_a_cloud_that_says_nothing_is_an_alert_and_its_machines_are_none(influx: Influx) -> None:
    fired = [uid for uid, rule in FILED.items() if firing(influx, rule, time.time_ns() // 10**6)]
    assert fired == ["vend-cloud-silent"]


def test_a_database_that_does_not_answer_is_one_alert() -> None:
    assert [uid for uid, rule in FILED.items() if rule["execErrState"] != "KeepLast"] == ["vend-influx-away"]


@pytest.mark.parametrize("part", [Part.BROKER, Part.INFLUX, Part.DISK])
def test_a_part_that_is_away_is_one_alert_and_not_another_one_of_the_whole(
    part: Part, influx: Influx
) -> None:
    watch, now_ns = Watch(), time.time_ns()
    watch.connected(lambda: (0, 0))
    watch.trouble(part, "away")
    influx.write(cloud_line(watch, "desk", now_ns, now_ns - 10**9))
    fired = [uid for uid, rule in FILED.items() if firing(influx, rule, now_ns // 10**6)]
    own = {Part.BROKER: "vend-broker-away", Part.INFLUX: "vend-influx-away", Part.DISK: "vend-cloud-silent"}
    assert fired == [own[part]]


def test_one_process_of_two_that_is_cut_off_is_an_alert(influx: Influx) -> None:
    now_ns = time.time_ns()
    for name, connected in (("desk", 1), ("worker-1", 0)):
        fields = f"ready={connected}i,broker_connected={connected}i,influx_ok=1i"
        influx.write(f"cloud,process={name} {fields} {now_ns - 10**9}")
    fired = [uid for uid, rule in FILED.items() if firing(influx, rule, now_ns // 10**6)]
    assert fired == ["vend-broker-away"]


# ---- one cause, one alert ---------------------------------------------------------------------------------

FLEET: Final = tuple(f"m{n:02}" for n in range(40))


def said(now_ns: int, *, online: bool) -> list[Any]:
    status = Status(
        online=online,
        since_ns=now_ns,
        epoch=EPOCH,
        software="1",
        tenders={"cash": Availability(available=True)},
    )
    return [word(topics.STATUS, machine, status, now_ns) for machine in FLEET]


@pytest.fixture
def fleet(tmp_path: Path, influx: Influx) -> Iterator[tuple[System, Gauges]]:
    """Forty machines that are online since an hour."""
    system = System(tmp_path, influx.url, influx.database)
    system.live(said(time.time_ns() - 60 * MINUTE_NS, online=True), batch=100)
    with closing(Fleet(system.data / "store.db")) as known:
        yield system, Gauges(known)


def look(gauges: Gauges, system: System, now_ns: int, broker: BrokerLink = ALWAYS) -> None:
    async def run() -> None:
        async with Client(InfluxSettings(url=system.url, database=system.database)) as client:
            await gauges.once(client, now_ns, broker, everything=True)

    asyncio.run(run())


def fired_at(influx: Influx, now_ns: int) -> list[Alert]:
    return [alert for rule in FILED.values() for alert in firing(influx, rule, now_ns // 10**6)]


def test_forty_machines_behind_one_failed_broker_are_one_notification(
    fleet: tuple[System, Gauges], influx: Influx
) -> None:
    system, gauges = fleet
    now_ns = time.time_ns()
    look(gauges, system, now_ns - 50 * MINUTE_NS)
    away = BrokerLink(connected=False, for_s=45 * 60.0)
    look(gauges, system, now_ns, away)
    watch = Watch()
    watch.disconnected("refused")
    influx.write(cloud_line(watch, "desk", now_ns, now_ns - 10**9))
    messages = notifications(fired_at(influx, now_ns), POLICY)
    assert [[alert["alertname"] for alert in alerts] for alerts in messages.values()] == [
        ["The broker is away"]
    ]


def test_forty_machines_that_fall_silent_together_are_one_notification(
    fleet: tuple[System, Gauges], influx: Influx
) -> None:
    system, gauges = fleet
    now_ns = time.time_ns()
    look(gauges, system, now_ns - 40 * MINUTE_NS)
    system.live(said(now_ns - 30 * MINUTE_NS, online=False), "two", batch=100)
    look(gauges, system, now_ns)
    watch = Watch()
    watch.connected(lambda: (0, 0))
    influx.write(cloud_line(watch, "desk", now_ns, now_ns - 10**9))
    (alerts,) = notifications(fired_at(influx, now_ns), POLICY).values()
    assert {alert["alertname"] for alert in alerts} == {"Machine silent"}
    assert sorted(alert["machine"] for alert in alerts) == list(FLEET)
