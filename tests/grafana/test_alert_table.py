"""The table of alert rules: each says what to do and reads what is written; each reason has one rule."""

import re
import time
from typing import Any, Final

import pytest

from deploy.grafana import alerting
from deploy.grafana.alerts.rule import ROLES
from deploy.grafana.boards import dashboards
from deploy.grafana.rows import Look
from edge.sale.tenders import REASONS, words
from tests.grafana.asked import Influx
from tests.grafana.evaluate import firing

FILED: Final[dict[str, dict[str, Any]]] = {
    rule["uid"]: rule for rule in alerting.rules_file()["groups"][0]["rules"]
}
DASHBOARDS: Final = {board.uid for board in dashboards(Look())}


@pytest.mark.parametrize("uid", list(FILED))
def test_every_rule_says_what_is_so_what_to_do_and_who_does_it(uid: str) -> None:
    notes = FILED[uid]["annotations"]
    assert set(notes) == {"summary", "action", "who", "look", "resolves"}
    assert all(len(notes[name]) > 20 for name in ("summary", "action"))
    assert notes["who"] in ROLES
    assert notes["resolves"] == "by itself"
    placed = re.findall(r"\{\{(.*?)\}\}", "".join(notes.values()))
    assert set(placed) <= {" .Labels.machine ", ' printf "%.0f" .Values.B.Value ', " externalURL "}
    assert "$" not in "".join(notes.values()), "Grafana takes it for a variable of the environment"
    assert notes["look"].split("?")[0][len("{{ externalURL }}d/") :] in DASHBOARDS
    assert (".Labels.machine" in notes["summary"]) == ('"machine"' in FILED[uid]["data"][0]["model"]["query"])


KNOWN: Final = {
    "network": "no network",
    **dict.fromkeys(("failure", "maker_failure", "jammed"), "out of order"),
    **dict.fromkeys(
        ("silent", "port_missing", "port_lost", "adapter_silent", "adapter_refused"), "no answer"
    ),
}


def test_every_reason_of_a_card_reader_has_its_rule_and_no_other(influx: Influx) -> None:
    now_ns = time.time_ns()
    codes = [*REASONS, "something_new"]
    for code in codes:
        machine, why = code.replace("_", "-"), words("card reader", code)
        influx.write(f'machine_now,machine={machine} card=0i,card_why="{why}" {now_ns - 10**9}')
    fired = [
        (alert["machine"].replace("-", "_"), alert["alertname"].partition(": ")[2])
        for rule in FILED.values()
        for alert in firing(influx, rule, now_ns // 10**6)
        if alert["alertname"].startswith("Card")
    ]
    assert sorted(fired) == sorted((code, KNOWN.get(code, "another reason")) for code in codes)
