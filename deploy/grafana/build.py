"""Rows become Grafana's dashboard JSON, in the shape of `@grafana/schema` (tests/grafana/types checks it)."""

from typing import Any, Final

from deploy.grafana.rows import Column, Dashboard, Kind, Look, Panel, Step, Unit, Variable, Words

JsonObject = dict[str, Any]

SOURCE: Final = {"type": "influxdb", "uid": "vend-influx"}
TAG: Final = "vendlink"
_SCHEMA_VERSION: Final = 41
_WIDTH: Final = 24
_SIZES: Final = {
    Kind.NUMBER: (6, 4),
    Kind.SHARES: (12, 6),
    Kind.BARS: (12, 8),
    Kind.LINES: (12, 8),
    Kind.TABLE: (24, 10),
}
_TYPES: Final = {Kind.BARS: "timeseries"}  # a time series drawn as bars
_LINK: Final = "/d/vend-machine/one-machine?var-machine=${__value.raw}&${__url_time_range}"


def build(dashboard: Dashboard, look: Look) -> JsonObject:
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": [TAG],
        "schemaVersion": _SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "utc" if look.zone == "UTC" else look.zone,
        "time": {"from": dashboard.since, "to": "now"},
        "timepicker": {} if dashboard.has_period else {"hidden": True},
        "refresh": dashboard.refresh,
        "links": [_menu()],
        "templating": {"list": [_variable(variable) for variable in dashboard.variables]},
        "panels": _placed(dashboard.panels, look),
    }


def _menu() -> JsonObject:
    return {
        "type": "dashboards",
        "title": "Vendlink",
        "tags": [TAG],
        "asDropdown": True,
        "icon": "external link",
        "includeVars": False,
        "keepTime": False,
        "targetBlank": False,
        "tooltip": "",
    }


def _variable(variable: Variable) -> JsonObject:
    common: JsonObject = {
        "type": "query",
        "name": variable.name,
        "label": variable.label,
        "datasource": SOURCE,
        "query": variable.query,
        "refresh": 2,
        "sort": 1,
        "multi": False,
        "includeAll": False,
    }
    if not variable.all_value:
        return common
    chosen = {"text": "All", "value": "$__all"}
    return {
        **common,
        "multi": True,
        "includeAll": True,
        "allValue": variable.all_value,
        "current": {name: [word] for name, word in chosen.items()},
    }


def _placed(panels: tuple[Panel, ...], look: Look) -> list[JsonObject]:
    """From left to right, a new line where the next one does not fit; a phone puts one below the other."""
    placed: list[JsonObject] = []
    x = y = line = 0
    for number, panel in enumerate(panels, start=1):
        width, height = panel.width or _SIZES[panel.kind][0], panel.height or _SIZES[panel.kind][1]
        if x + width > _WIDTH:
            x, y, line = 0, y + line, 0
        placed.append(
            {"id": number, "gridPos": {"x": x, "y": y, "w": width, "h": height}, **_panel(panel, look)}
        )
        x, line = x + width, max(line, height)
    return placed


def _panel(panel: Panel, look: Look) -> JsonObject:
    steps = list(panel.steps)
    if panel.kind is Kind.TABLE:
        steps.append(_arranged(panel.columns))
    return {
        "type": _TYPES.get(panel.kind, panel.kind.value),
        "title": panel.title,
        "description": panel.question,
        "datasource": SOURCE,
        "targets": [_target(panel, n, query) for n, query in enumerate(panel.queries)],
        "fieldConfig": {
            "defaults": _defaults(panel, look),
            "overrides": [_override(column, look) for column in panel.columns],
        },
        "options": _options(panel),
        "transformations": steps,
    }


def _target(panel: Panel, number: int, query: str) -> JsonObject:
    return {
        "refId": "ABCDEFGHIJ"[number],
        "datasource": SOURCE,
        "rawQuery": True,
        "query": query,
        "resultFormat": "table" if panel.kind is Kind.TABLE else "time_series",
        "alias": "" if panel.kind is Kind.TABLE else panel.alias,
    }


def _arranged(columns: tuple[Column, ...]) -> Step:
    """The columns in the order of the row. Grafana adds a time to every query, and tags in any order."""
    names = [column.name for column in columns]
    return {
        "id": "organize",
        "options": {
            "excludeByName": {} if "Time" in names else {"Time": True},
            "indexByName": {name: place for place, name in enumerate(names)},
            "renameByName": {},
        },
    }


def _unit(unit: Unit, look: Look) -> JsonObject:
    if unit is Unit.MONEY:
        return {"unit": "locale", "decimals": look.digits}
    if unit is Unit.COUNT:
        return {"unit": "locale", "decimals": 0}
    return {"unit": unit.value}


def _mappings(words: Words) -> list[JsonObject]:
    if not words:
        return []
    options = {
        word.value: {"text": word.text, "color": word.color, "index": n} for n, word in enumerate(words)
    }
    return [{"type": "value", "options": options}]


def _defaults(panel: Panel, look: Look) -> JsonObject:
    plain = {"mode": "absolute", "steps": [{"color": "text", "value": None}]}
    common: JsonObject = {"mappings": _mappings(panel.words), "noValue": "-", "thresholds": plain}
    if panel.kind is Kind.TABLE:
        return {**common, "custom": {"align": "auto"}}
    if panel.kind is Kind.SHARES:
        return {**common, **_unit(panel.unit, look), "min": 0, "color": {"mode": "palette-classic"}}
    if panel.kind is Kind.NUMBER:
        return {**common, **_unit(panel.unit, look), "color": {"mode": "thresholds"}}
    style = "bars" if panel.kind is Kind.BARS else "line"
    return {
        **common,
        **_unit(panel.unit, look),
        "color": {"mode": "palette-classic"},
        "custom": {"drawStyle": style, "fillOpacity": 80 if style == "bars" else 10, "lineWidth": 1},
    }


def _override(column: Column, look: Look) -> JsonObject:
    properties = [{"id": name, "value": value} for name, value in _unit(column.unit, look).items()]
    if column.name == "Time":
        properties = [{"id": "unit", "value": "dateTimeAsLocal"}]
    if column.words:
        properties.append({"id": "mappings", "value": _mappings(column.words)})
        properties.append({"id": "custom.cellOptions", "value": {"type": "color-text"}})
    if column.link:
        properties.append({"id": "links", "value": [{"title": "This machine", "url": _LINK}]})
    return {"matcher": {"id": "byName", "options": column.name}, "properties": properties}


def _options(panel: Panel) -> JsonObject:
    reduced = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    if panel.kind is Kind.NUMBER:
        return {
            "reduceOptions": reduced,
            "orientation": "auto",
            "textMode": "auto",
            "wideLayout": True,
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "showPercentChange": False,
            "percentChangeColorMode": "standard",
        }
    if panel.kind is Kind.SHARES:
        return {
            "reduceOptions": reduced,
            "orientation": "horizontal",
            "displayMode": "basic",
            "valueMode": "text",
            "namePlacement": "auto",
            "sizing": "auto",
            "minVizWidth": 8,
            "minVizHeight": 16,
            "maxVizHeight": 300,
            "showUnfilled": True,
            "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom", "calcs": []},
        }
    if panel.kind is Kind.TABLE:
        sort = [{"displayName": panel.sort, "desc": not panel.rising}] if panel.sort else []
        return {"frameIndex": 0, "showHeader": True, "cellHeight": "sm", "sortBy": sort}
    return {
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
        "tooltip": {"mode": "multi", "sort": "none"},
    }
