"""An alert rule as Grafana evaluates it: query, reduce, threshold; then notifications by the policies.

Modelled after `pkg/expr` and the Alertmanager's grouping; whatever is not modelled fails.
"""

from typing import Any

from deploy.grafana.interpolate import backend
from tests.grafana.asked import Influx

Alert = dict[str, str]  # its labels
JsonObject = dict[str, Any]


def firing(influx: Influx, rule: JsonObject, now_ms: int) -> list[Alert]:
    """Labels of what fires, without waiting for the rule's `for`. Nothing found is no data."""
    query, reduce, threshold = rule["data"]
    values = _last_values(influx, query, now_ms)
    common = {"alertname": rule["title"], **rule["labels"]}
    if not values:
        return [common] if rule["noDataState"] == "Alerting" else []
    assert reduce["model"] == reduce["model"] | {
        "type": "reduce",
        "expression": query["refId"],
        "reducer": "last",
        "settings": {"mode": "dropNN"},
    }
    (condition,) = threshold["model"]["conditions"]
    assert threshold["model"]["type"] == "threshold"
    assert threshold["model"]["expression"] == reduce["refId"]
    assert rule["condition"] == threshold["refId"]
    assert condition["evaluator"]["type"] == "gt"
    (limit,) = condition["evaluator"]["params"]
    return [common | labels for labels, value in values if value is not None and value > limit]


def _last_values(influx: Influx, query: JsonObject, now_ms: int) -> list[tuple[Alert, float | None]]:
    """One number a series. More than one column would be two alerts with the same labels."""
    window = query["relativeTimeRange"]
    text = backend(query["model"]["query"], now_ms - window["from"] * 1000, now_ms - window["to"] * 1000)
    found = []
    for series in influx.ask(text):
        assert len(series["columns"]) == 2, series["columns"]
        values = [value for _, value in series["values"] if value is not None]
        assert all(isinstance(value, int | float) for value in values)
        found.append((series.get("tags", {}), values[-1] if values else None))
    return found


def notifications(alerts: list[Alert], policy: JsonObject) -> dict[tuple[str, ...], list[Alert]]:
    """Alerts by the message that they are in: the first route that fits, then its groups."""
    messages: dict[tuple[str, ...], list[Alert]] = {}
    for alert in alerts:
        routes = enumerate(policy["routes"])
        fits = (f"route {n}" for n, route in routes if _fits(alert, route["object_matchers"]))
        place = next(fits, "root")
        by = policy["routes"][int(place[6:])]["group_by"] if place != "root" else policy["group_by"]
        messages.setdefault((place, *(alert.get(label, "") for label in by)), []).append(alert)
    return messages


def _fits(alert: Alert, matchers: list[list[str]]) -> bool:
    assert all(sign == "=" for _, sign, _ in matchers)
    return all(alert.get(label) == value for label, _, value in matchers)
