"""Every query of every panel, put in as Grafana does and asked of a real InfluxDB, shows what is so."""

import json
import time
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.demo import servers
from deploy.grafana import files
from deploy.grafana.boards import dashboards
from deploy.grafana.build import build
from deploy.grafana.interpolate import ALL, Chosen, Shown, front_end, questions
from deploy.grafana.rows import Dashboard, Look
from tests.grafana import world
from tests.grafana.asked import Influx, answers, choices
from tests.grafana.conftest import World
from tests.grafana.expected import EXPECTED
from tests.grafana.frames import shown
from tests.grafana.history import at_ms
from tests.grafana.seen import FORTNIGHT

BOARDS: Final = {board.title: board for board in dashboards(Look())}


def panels_of(board: Dashboard) -> list[dict[str, Any]]:
    """From the file that Grafana reads."""
    text = files.files(Look())[f"boards/{board.uid}.json"]
    panels: list[dict[str, Any]] = json.loads(text)["panels"]
    return panels


def seen(influx: Influx, board: Dashboard, title: str, span: tuple[int, int], **chosen: Chosen) -> Any:  # noqa: ANN401
    (panel,) = (one for one in panels_of(board) if one["title"] == title)
    return shown(panel, answers(influx, panel, board, span, {"currency": "EUR", **chosen}))


@pytest.mark.parametrize("title", list(BOARDS))
def test_every_panel_has_an_expectation_and_shows_it(title: str, seeded: World) -> None:
    board = BOARDS[title]
    assert [panel.title for panel in board.panels] == list(EXPECTED[title])
    machine = "vm-1" if title == "One machine" else ALL
    for name, expected in EXPECTED[title].items():
        span = expected.span(seeded.now_ms)
        value = expected.value(seeded.now_ms) if callable(expected.value) else expected.value
        found = seen(seeded.influx, board, name, span, machine=machine)
        assert found == value, name
        if isinstance(found, list):
            assert [list(row) for row in found] == [list(row) for row in value], f"columns of {name}"


@pytest.mark.parametrize("title", list(BOARDS))
def test_every_variable_offers_what_there_is(title: str, seeded: World) -> None:
    offered = {variable.name: choices(seeded.influx, variable) for variable in BOARDS[title].variables}
    assert offered.items() <= {"currency": ["EUR", "SEK"], "machine": list(world.MACHINES)}.items()


@pytest.mark.parametrize(
    ("machines", "sold"), [(ALL, 16.4), (["vm-2"], 5.9), (["vm-1", "vm-2"], 16.4), (["vm-3"], None)]
)
def test_the_report_is_of_the_machines_that_are_chosen(machines: Chosen, sold: float, seeded: World) -> None:
    span = FORTNIGHT(seeded.now_ms)
    found = seen(seeded.influx, BOARDS["Sales report"], "Sold ($currency)", span, machine=machines)
    assert found.get("this period") == sold


def test_another_currency_is_another_report(seeded: World) -> None:
    span = FORTNIGHT(seeded.now_ms)
    report = BOARDS["Sales report"]
    found = seen(seeded.influx, report, "Sold ($currency)", span, machine=ALL, currency="SEK")
    assert found == {"this period": 25.0}


def test_inventory_is_of_the_machines_that_are_chosen(seeded: World) -> None:
    span = FORTNIGHT(seeded.now_ms)
    found = seen(seeded.influx, BOARDS["Inventory and route"], "To bring", span, machine=["vm-2", "vm-3"])
    assert found["products"] == 2


def test_days_and_hours_are_those_of_the_operators_zone(server: servers.Influx, tmp_path: Path) -> None:
    """Half an hour beside UTC's. Sold at 23:30 on a Sunday of UTC is Monday 05:00 there."""
    world.build(tmp_path, server.url, "kolkata", time.time_ns(), "Asia/Kolkata")
    look = Look("Asia/Kolkata")
    (report,) = (board for board in dashboards(look) if board.title == "Sales report")
    panels = {panel["title"]: panel for panel in build(report, look)["panels"]}
    span = (at_ms("2026-09-26 18:30"), at_ms("2026-09-28 18:29"))
    influx = Influx(server.url, "kolkata")

    def show(title: str) -> Any:  # noqa: ANN401
        chosen: dict[str, Chosen] = {"currency": "EUR", "machine": ALL}
        return shown(panels[title], answers(influx, panels[title], report, span, chosen))

    assert show("Sold by day ($currency)") == {
        "sold": [(at_ms("2026-09-26 18:30"), 0), (at_ms("2026-09-27 18:30"), 3)]
    }
    assert show("Vends by hour of the week") == [{"hour": 5, "Mon": 1}]


def test_money_of_a_currency_without_minor_units_is_not_divided() -> None:
    look = Look(digits=0)
    for question in questions(Shown(0, 1, {"currency": "JPY", "machine": "m1"}), look):
        assert "/ 100" not in question.influxql
    assert '"decimals": 0' in files.files(look)["boards/vend-today.json"]


def test_questions_are_all_queries_of_all_panels(seeded: World) -> None:
    span = FORTNIGHT(seeded.now_ms)
    asked = list(questions(Shown(*span, {"currency": "EUR", "machine": "vm-1"})))
    targets = [
        target for board in BOARDS.values() for panel in panels_of(board) for target in panel["targets"]
    ]
    assert len(asked) == len(targets) > 70
    for question in asked:
        seeded.influx.ask(question.influxql)


def test_values_are_put_in_as_grafanas_front_end_does() -> None:
    """Several values are a group of a regex, escaped; a custom All is raw; what is no variable stays."""
    report, one = BOARDS["Sales report"].variables, BOARDS["One machine"].variables
    query = '"machine" =~ /^$machine$/ AND "currency" = \'${currency}\' AND $timeFilter'

    def put(machine: Chosen, *, of: Any = report) -> str:  # noqa: ANN401
        return front_end(query, of, Shown(1, 2, {"machine": machine, "currency": "EUR"}))

    rest = "$/ AND \"currency\" = 'EUR' AND $timeFilter"
    assert put(ALL) == f'"machine" =~ /^_all{rest}'
    assert put(["a-1", "b.2"]) == f'"machine" =~ /^(a-1|b\\.2){rest}'
    assert put(["a-1"]) == put("a-1") == f'"machine" =~ /^(a-1){rest}'
    assert put("b.2", of=one) == f'"machine" =~ /^b\\.2{rest}'
    assert (
        front_end("'$machine' ${__to}ms", one, Shown(1, 2, {"machine": "b.2", "currency": "EUR"}))
        == "'b.2' 2ms"
    )
