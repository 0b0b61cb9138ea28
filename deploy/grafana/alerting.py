"""Alert rules, contact points and policies as Grafana's provisioning files have them."""

from typing import Any, Final

from deploy.grafana.alerts import RULES, Rule
from deploy.grafana.build import SOURCE

JsonObject = dict[str, Any]

_EXPRESSION: Final = {"type": "__expr__", "uid": "__expr__"}
_RECEIVER: Final = "Operators"
_BROKER_S: Final = 30 * 60  # so long after the broker came back, machines may still send what they owe
_BROKER: Final = 'SELECT min("broker_connected") FROM "cloud" WHERE $timeFilter'


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
    condition = f"$B > {rule.above}"
    data = [_query("A", rule.query, rule.window_s), _reduce("B", "A")]
    if rule.needs_broker:
        condition += " && $E == 1"
        data += [_query("D", _BROKER, _BROKER_S), _reduce("E", "D")]
    data.append(_expression("C", {"type": "math", "expression": condition}))
    return {
        "uid": rule.uid,
        "title": rule.title,
        "condition": "C",
        "for": rule.hold,
        "noDataState": "Alerting" if rule.silence_fires else "OK",
        "execErrState": "Alerting" if rule.error_fires else "KeepLast",
        "annotations": {"summary": rule.so, "action": rule.action, "who": rule.who, "resolves": "by itself"},
        "labels": {"severity": "critical" if rule.critical else "warning", "who": rule.who},
        "isPaused": False,
        "data": data,
    }


def _query(ref: str, influxql: str, window_s: int) -> JsonObject:
    model = {
        "refId": ref,
        "datasource": SOURCE,
        "rawQuery": True,
        "query": influxql,
        "resultFormat": "time_series",
        "alias": "",
        "intervalMs": 60_000,
        "maxDataPoints": 1_000,
    }
    return {
        "refId": ref,
        "datasourceUid": SOURCE["uid"],
        "relativeTimeRange": {"from": window_s, "to": 0},
        "model": model,
    }


def _expression(ref: str, model: JsonObject) -> JsonObject:
    return {
        "refId": ref,
        "datasourceUid": "__expr__",
        "relativeTimeRange": {"from": 0, "to": 0},
        "model": {"refId": ref, "datasource": _EXPRESSION, **model},
    }


def _reduce(ref: str, of: str) -> JsonObject:
    return _expression(
        ref, {"type": "reduce", "expression": of, "reducer": "last", "settings": {"mode": "dropNN"}}
    )


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
