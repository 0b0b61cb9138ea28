"""Gauges of a fleet: what is written, when, and what an outage of the broker makes of it."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.batch import Arrived
from cloud.gauges import writer
from cloud.gauges.writer import SETTLED_S, BrokerLink, write_gauges
from cloud.influx import QueryError
from cloud.watch import Watch
from shared import topics
from shared.messages import Health, PriceList, Reported
from tests.cloud.gauges.rig import (
    DAY_NS,
    HOUR_NS,
    MINUTE_NS,
    NOW_NS,
    SECOND_NS,
    Memory,
    Site,
    said,
    status,
    stock,
)
from tests.cloud.records import arrived, sale

FLEET = [f"m{number:02}" for number in range(50)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with closing(Site(tmp_path)) as made:
        yield made


def sold(machine: str, seq: int, ago_ns: int, **more: object) -> dict[str, object]:
    return sale(machine, seq, at_ns=NOW_NS - ago_ns, **more)


def test_only_what_changed_is_written_and_everything_once_a_period(site: Site) -> None:
    site.take(status("m1", NOW_NS), stock("m1", NOW_NS, A1=8, A2=2), status("m2", NOW_NS))
    assert site.look() == 4
    assert site.look(NOW_NS + 15 * SECOND_NS) == 0
    site.take(stock("m1", NOW_NS, A1=7, A2=2))
    assert site.look(NOW_NS + 30 * SECOND_NS) == 2, "the machine and the one slot"
    assert site.look(NOW_NS + HOUR_NS) == 2, "both machines in the next hour"
    assert site.database.count() == {"machine_now": 4, "slot_now": 2}
    assert site.look(NOW_NS + 12 * HOUR_NS) == 4, "and the slots in the next day"


def test_a_machine_that_was_never_heard_of_has_no_point(site: Site) -> None:
    site.store.db.execute("INSERT INTO machine (machine) VALUES ('m9')")
    assert site.look() == 0


def test_what_is_not_known_has_no_field_or_is_minus_one(site: Site) -> None:
    site.take(status("m1", NOW_NS), stock("m1", NOW_NS, A1=5))
    site.look()
    found = site.database.machine("m1")
    assert found["missed_sales"] == -1.0
    assert found["runout_h"] == -1.0
    assert not found.keys() & {
        *("last_sale_ms", "quiet_s", "temperature_c", "change_minor", "change_low", "money_in_minor"),
        *("door_open", "door_s", "lockout", "faults", "clock"),
    }


def test_the_fields_of_a_machine_that_says_all(site: Site) -> None:
    site.take(
        status("m1", NOW_NS - MINUTE_NS, last_seq=5, owed_from=4, owed=2, parked=1),
        stock("m1", NOW_NS, A1=8, A2=2, A3=0, A4=3),
        arrived("m1", sold("m1", 1, HOUR_NS), sold("m1", 3, 7 * MINUTE_NS + 5 * SECOND_NS), at_ns=NOW_NS),
        arrived("m1", sold("m1", 4, 0, tenders=({"tender": "test", "amount_minor": 0},)), at_ns=NOW_NS),
        said(
            Health.model_validate_json(
                '{"at_ns": 5, "temperatures": {"top": 4, "milk": 6.5}, "lockouts": ["milk"],'
                '"change_low": true,'
                '"door_open": false, "cashbox_minor": 1000, "stacker_minor": 2000, "recycler_minor": 400,'
                '"tubes_minor": 150, "clock": "synced",'
                '"tubes": [{"coin_minor": 50, "count": 3, "full": false}],'
                '"faults": [{"device": "coin", "code": "coin_jam", "since_ns": 4}]}'
            ),
            "m1",
            NOW_NS,
        ),
    )
    site.look()
    assert site.database.machine("m1") == {
        "online": 1,
        "since_ms": (NOW_NS - DAY_NS) // 10**6,
        "seen_ms": NOW_NS // 10**6,
        "silent_s": 0,
        "cash": 1,
        "cash_why": "",
        "card": 0,
        "card_why": "reader offline",
        "wallet": 0,
        "wallet_why": "not fitted",
        "last_sale_ms": (NOW_NS - 7 * MINUTE_NS - 5 * SECOND_NS) // 10**6,
        "quiet_s": 420,
        "missed_sales": -1.0,
        "vends_24h": 0,
        "failed_24h": 0,
        "jams": 1,
        "faults": 1,
        "stock_percent": 40,
        "slots": 4,
        "slots_low": 2,
        "slots_empty": 1,
        "runout_h": -1.0,
        "change_minor": 550,
        "change_low": 1,
        "money_in_minor": 3550,
        "temperature_c": 6.5,
        "lockout": 1,
        "door_open": 0,
        "door_s": 0,
        "clock": "synced",
        "owed": 2,
        "parked": 1,
        "waiting": 1,
        "missing": 1,
        "disagreements": 0,
        "software": "1.2.3",
    }
    tubes = {series for series, _ in site.database.points if series.startswith("tube_now")}
    assert tubes == {"tube_now,coin=50,machine=m1"}


def test_a_door_is_open_since_it_was_said_first(site: Site) -> None:
    for minutes in (20, 5):
        site.take(
            said(Health(at_ns=NOW_NS - minutes * MINUTE_NS, door_open=True), "m1", NOW_NS),
        )
    site.restart()
    site.look()
    assert site.database.machine("m1")["door_s"] == 1_200
    site.take(said(Health(at_ns=NOW_NS, door_open=False), "m1", NOW_NS))
    site.look()
    assert (site.database.machine("m1")["door_s"], site.database.machine("m1")["door_open"]) == (0, 0)
    site.take(said(Health(at_ns=NOW_NS - MINUTE_NS, door_open=True), "m1", NOW_NS))
    site.look()
    assert site.database.machine("m1")["door_s"] == 60


def test_a_last_will_is_silence_since_the_last_word_and_the_machine_misses_no_sales_of_then(
    site: Site,
) -> None:
    site.take(status("m1", NOW_NS), arrived("m1", sold("m1", 1, MINUTE_NS), at_ns=NOW_NS))
    site.take(status("m1", NOW_NS + MINUTE_NS, online=False))
    site.take(status("m1", NOW_NS + 30 * MINUTE_NS, online=False, retain=True))
    site.look(NOW_NS + 2 * HOUR_NS)
    found = site.database.machine("m1")
    assert (found["online"], found["silent_s"]) == (0, 119 * 60)
    assert found["since_ms"] == (NOW_NS + MINUTE_NS) // 10**6
    assert found["quiet_s"] == 120, "what it sold since then nobody knows"


def test_who_says_his_health_and_stops_is_silent_and_who_never_did_is_not(site: Site) -> None:
    site.take(status("m1", NOW_NS), said(Health(at_ns=NOW_NS), "m1", NOW_NS), status("m2", NOW_NS))
    site.look(NOW_NS + 44 * MINUTE_NS)
    assert site.database.machine("m1")["online"] == 1
    site.look(NOW_NS + 46 * MINUTE_NS)
    assert site.database.machine("m1")["online"] == 0
    assert site.database.machine("m1")["silent_s"] == 46 * 60
    assert site.database.machine("m2")["online"] == 1


def test_a_cloud_that_was_away_itself_does_not_blame_the_machines(site: Site) -> None:
    site.take(status("m1", NOW_NS), said(Health(at_ns=NOW_NS), "m1", NOW_NS))
    site.look(NOW_NS + 5 * HOUR_NS, BrokerLink(connected=True, for_s=40 * 60.0))
    assert site.database.machine("m1")["online"] == 1
    site.look(NOW_NS + 5 * HOUR_NS, BrokerLink(connected=True, for_s=46 * 60.0))
    assert site.database.machine("m1")["online"] == 0


def trouble(database: Memory) -> int:
    """Machines that an operator would be told of: silent, or without a sale for an hour more than before."""
    return sum(not found["online"] or found["quiet_s"] > 600 for found in map(database.machine, FLEET))


def test_fifty_machines_behind_a_broker_that_is_away_are_no_trouble_of_theirs(site: Site) -> None:
    for number, machine in enumerate(FLEET):
        site.take(
            status(machine, NOW_NS),
            said(Health(at_ns=NOW_NS), machine, NOW_NS),
            arrived(machine, sold(machine, 1, MINUTE_NS), at_ns=NOW_NS + number),
        )
    site.look(NOW_NS)
    assert trouble(site.database) == 0
    for minutes in (1, 59, 60, 180):
        site.look(NOW_NS + minutes * MINUTE_NS, BrokerLink(connected=False, for_s=minutes * 60.0))
        assert trouble(site.database) == 0, minutes
        if minutes == 60:
            site.restart()
    later_ns = NOW_NS + 180 * MINUTE_NS
    assert site.database.count()["machine_now"] == 3 * len(FLEET), "in each of these hours"

    # The broker comes back with what it remembers: the last will of everybody.
    for machine in FLEET:
        site.take(status(machine, later_ns, online=False, retain=True))
    site.look(later_ns, BrokerLink(connected=True, for_s=5.0))
    assert trouble(site.database) == 0
    back_ns = later_ns + round((SETTLED_S + 1) * SECOND_NS)
    for machine in FLEET[1:]:
        site.take(
            status(machine, back_ns), arrived(machine, sold(machine, 2, NOW_NS - back_ns), at_ns=back_ns)
        )
    site.look(back_ns, BrokerLink(connected=True, for_s=SETTLED_S + 1))
    assert trouble(site.database) == 1, "the one that did not come back"
    assert site.database.machine(FLEET[0])["online"] == 0


def test_counts_follow_what_they_are_made_from(site: Site) -> None:
    def counts() -> tuple[int, int, int]:
        site.look()
        found = site.database.machine("m1")
        return found["waiting"], found["missing"], found["disagreements"]

    site.take(status("m1", NOW_NS, last_seq=5, owed_from=5), arrived("m1", sold("m1", 1, 0), at_ns=NOW_NS))
    assert counts() == (1, 3, 0)
    site.take(arrived("m1", sold("m1", 3, 0), sold("m1", 5, 0), at_ns=NOW_NS + 1))
    assert counts() == (0, 2, 0)
    prices = PriceList(version=0, currency="EUR", prices={"A1": 140, "A2": 150})
    site.take(
        Arrived(
            topics.REPORTED.of("m1"),
            Reported(at_ns=1, prices=prices).model_dump_json().encode(),
            *(1, False, NOW_NS),
        )
    )
    assert counts() == (0, 2, 1), "A1 was sold for 150"
    site.take(arrived("m1", sold("m1", 6, -1, price_minor=140), sold("m1", 2, 1), at_ns=NOW_NS + 2))
    assert counts() == (0, 1, 0)


def test_a_large_fleet_is_asked_for_and_written_in_parts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ASKED_AT_ONCE", 7)
    monkeypatch.setattr(writer, "LINES_AT_ONCE", 30)
    for machine in FLEET:
        site.take(status(machine, NOW_NS), stock(machine, NOW_NS, A1=8, A2=2))
    written = [site.look(NOW_NS + n) for n in range(10)]
    assert max(written) == 30
    assert site.database.count() == {"machine_now": 50, "slot_now": 100}
    assert site.database.asked == 2 + 8 * 3, "once for all, and once for each of them, in parts"
    assert written[-1] == 0
    site.look(NOW_NS + MINUTE_NS)
    assert site.database.asked == 2 + 8 * 3 + 2
    site.look(NOW_NS + HOUR_NS)
    assert site.database.asked == 2 + 8 * 3 + 4 + 3


def test_trouble_with_the_database_ends_nothing_and_without_the_desk_nothing_is_done(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PERIOD_S", 0.0)
    monkeypatch.setattr(writer, "LOOK_S", 0.0)
    site.take(status("m1", NOW_NS))
    desk = iter([False, True, True, True])
    troubles = iter([QueryError("away"), QueryError("away")])

    class Shaky(Memory):
        async def query(self, _influxql: str) -> list[dict[str, Any]]:
            if (trouble := next(troubles, None)) is not None:
                raise trouble
            return []

    database = Shaky()
    with suppress(StopIteration, RuntimeError):
        asyncio.run(write_gauges(site.gauges, database, lambda: next(desk), Watch(), lambda: NOW_NS))
    assert database.count() == {"machine_now": 1}
    assert next(troubles, None) is None


def test_a_machine_whose_certificate_is_revoked_has_no_gauges(site: Site) -> None:
    site.take(status("m1", NOW_NS), status("m2", NOW_NS))
    site.gauges._gone = lambda: {"m1"}
    assert site.look() == 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("stock"), st.sampled_from("abc"), st.integers(0, 8)),
        st.tuples(st.just("status"), st.sampled_from("abc"), st.integers(0, 1)),
        st.tuples(st.just("wait"), st.just("a"), st.integers(1, 40)),
        st.tuples(st.just("restart"), st.just("a"), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=12)
@given(steps=STEPS)
def test_rewriting_changes_nothing_and_the_points_are_those_of_a_new_start(
    steps: list[tuple[str, str, int]],
) -> None:
    """What a run that wrote only changes has written for this period is what a fresh one writes of it all."""
    with TemporaryDirectory() as folder, closing(Site(Path(folder))) as site:
        now_ns = NOW_NS
        for kind, machine, number in steps:
            match kind:
                case "stock":
                    site.take(stock(machine, now_ns, A1=number, A2=3))
                case "status":
                    site.take(status(machine, now_ns, online=bool(number)))
                case "wait":
                    now_ns += number * MINUTE_NS
                case "restart":
                    site.restart()
            site.look(now_ns)
        site.look(now_ns)
        before = dict(site.database.points)
        assert site.look(now_ns) == 0, "nothing has changed"
        site.restart()
        site.look(now_ns)
        assert site.database.points == before
