"""Alert rules, contact points and policies as Grafana's provisioning files have them."""

from typing import Any, Final

from deploy.grafana.alerts import RULES
from deploy.grafana.alerts.rule import Rule
from deploy.grafana.build import SOURCE

JsonObject = dict[str, Any]

_EXPRESSION: Final = {"type": "__expr__", "uid": "__expr__"}
_RECEIVER: Final = "Operators"


def rules_file() -> JsonObject:
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": "vendlink",
                "folder": "Vendlink",
                "interval": "1m",
                "rules": [rule_of(rule) for rule in RULES],
            }
        ],
    }


def rule_of(rule: Rule) -> JsonObject:
    one = "?var-machine={{ .Labels.machine }}" if rule.dashboard == "vend-machine" else ""
    notes = {
        "summary": rule.so,
        "action": rule.action,
        "who": rule.who,
        "look": f"{{{{ externalURL }}}}d/{rule.dashboard}{one}",
        "resolves": "by itself",
    }
    return {
        "uid": rule.uid,
        "title": rule.title,
        "condition": "C",
        "for": rule.hold,
        "noDataState": "Alerting" if rule.silence_fires else "OK",
        "execErrState": "Alerting" if rule.error_fires else "KeepLast",
        "annotations": notes,
        "labels": {"severity": "critical" if rule.critical else "warning", "who": rule.who},
        "isPaused": False,
        "data": [_query(rule), _reduce(), _threshold(rule)],
    }


def _query(rule: Rule) -> JsonObject:
    return {
        "refId": "A",
        "datasourceUid": SOURCE["uid"],
        "relativeTimeRange": {"from": rule.window_s, "to": 0},
        "model": {
            "refId": "A",
            "datasource": SOURCE,
            "rawQuery": True,
            "query": rule.query,
            "resultFormat": "time_series",
            "alias": "",
            "intervalMs": 60_000,
            "maxDataPoints": 1_000,
        },
    }


def _expression(ref: str, model: JsonObject) -> JsonObject:
    return {
        "refId": ref,
        "datasourceUid": "__expr__",
        "relativeTimeRange": {"from": 0, "to": 0},
        "model": {"refId": ref, "datasource": _EXPRESSION, **model},
    }


def _reduce() -> JsonObject:
    """A series without a value has none, and does not fire."""
    settings = {"mode": "dropNN"}
    return _expression("B", {"type": "reduce", "expression": "A", "reducer": "last", "settings": settings})


def _threshold(rule: Rule) -> JsonObject:
    conditions = [{"evaluator": {"type": "gt", "params": [rule.above]}}]
    return _expression("C", {"type": "threshold", "expression": "B", "conditions": conditions})


def contact_points_file() -> JsonObject:
    return {
        "apiVersion": 1,
        "contactPoints": [
            {
                "orgId": 1,
                "name": _RECEIVER,
                "receivers": [
                    {
                        "uid": "vend-mail",
                        "type": "email",
                        "settings": {"addresses": "${VEND_GRAFANA_ALERT_MAIL}", "singleEmail": True},
                    },
                    {
                        "uid": "vend-webhook",
                        "type": "webhook",
                        "settings": {"url": "${VEND_GRAFANA_ALERT_WEBHOOK}", "httpMethod": "POST"},
                    },
                ],
            }
        ],
    }


def policies_file() -> JsonObject:
    """All machines of one rule are one notification: they are grouped by the rule alone."""
    return {
        "apiVersion": 1,
        "policies": [
            {
                "orgId": 1,
                "receiver": _RECEIVER,
                "group_by": ["alertname"],
                "group_wait": "1m",
                "group_interval": "5m",
                "repeat_interval": "24h",
                "routes": [
                    {
                        "receiver": _RECEIVER,
                        "object_matchers": [["severity", "=", "critical"]],
                        "group_by": ["alertname"],
                        "group_wait": "1m",
                        "group_interval": "5m",
                        "repeat_interval": "4h",
                    }
                ],
            }
        ],
    }
