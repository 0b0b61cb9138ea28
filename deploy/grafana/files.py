"""All provisioning files, as text by path. JSON is YAML, so the files need no printer of their own."""

import json
from typing import Any, Final

from deploy.grafana import alerting
from deploy.grafana.boards import dashboards
from deploy.grafana.build import SOURCE, build
from deploy.grafana.rows import Look

_HEAD: Final = "# Printed by python -m deploy.grafana: do not edit. JSON is YAML.\n"


def files(look: Look) -> dict[str, str]:
    yaml = {
        "datasources/vendlink.yaml": source_file(),
        "dashboards/vendlink.yaml": provider_file(),
        "alerting/rules.yaml": alerting.rules_file(),
        "alerting/contact-points.yaml": alerting.contact_points_file(),
        "alerting/policies.yaml": alerting.policies_file(),
    }
    boards = {f"boards/{board.uid}.json": build(board, look) for board in dashboards(look)}
    return {path: _HEAD + _json(content) for path, content in yaml.items()} | {
        path: _json(content) for path, content in boards.items()
    }


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def source_file() -> dict[str, Any]:
    """InfluxQL with Basic authentication: the one way that InfluxDB 1.x, 2.x and 3 share. In 2.x and 3 the
    user may be anything, and the secret is a token that may read.
    """
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Vendlink",
                **SOURCE,
                "access": "proxy",
                "isDefault": True,
                "editable": False,
                "url": "${VEND_GRAFANA_INFLUX_URL}",
                "basicAuth": True,
                "basicAuthUser": "${VEND_GRAFANA_INFLUX_USERNAME}",
                "jsonData": {
                    "dbName": "${VEND_GRAFANA_INFLUX_DATABASE}",
                    "httpMode": "POST",
                    "timeInterval": "15s",
                    "maxSeries": 10_000,
                },
                "secureJsonData": {"basicAuthPassword": "${VEND_GRAFANA_INFLUX_SECRET}"},
            }
        ],
    }


def provider_file() -> dict[str, Any]:
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "vendlink",
                "orgId": 1,
                "folder": "Vendlink",
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 60,
                "options": {"path": "/etc/grafana/provisioning/boards", "foldersFromFilesStructure": False},
            }
        ],
    }
