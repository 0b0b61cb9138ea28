"""What Grafana makes of InfluxDB's answer before it is drawn: frames, then the panel's transformations.

Modelled after `influxql/buffered/response_parser.go` and `grafana-data/src/transformations`; whatever is not
modelled fails.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

Table = dict[str, list[Any]]  # columns by name, in their order
Series = list[dict[str, Any]]  # of InfluxDB's answer


def table_of(series: Series) -> Table | None:
    """All series become one table: the time, the tags, the columns of the first."""
    if not series:
        return None
    names = series[0]["columns"]
    assert names[0] == "time"
    table: Table = {"Time": [], **{tag: [] for tag in series[0].get("tags", {})}}
    table |= {name: [] for name in names[1:]}
    for one in series:
        assert one["columns"] == names
        for values in one["values"]:
            row = dict(zip(("Time", *names[1:]), values, strict=True)) | one.get("tags", {})
            for name, column in table.items():
                column.append(row[name])
    return table


def lines_of(series: Series, alias: str) -> dict[str, list[tuple[int, Any]]]:
    """A frame a column and series, by the name that the alias gives it."""
    found: dict[str, list[tuple[int, Any]]] = {}
    for one in series:
        for place, column in enumerate(one["columns"][1:], start=1):
            name = alias.replace("$col", column)
            for tag, value in one.get("tags", {}).items():
                name = name.replace(f"$tag_{tag}", value)
            assert "$" not in name, name
            assert name not in found, f"two frames are called {name}"
            found[name] = [(values[0], values[place]) for values in one["values"]]
    return found


def length(table: Table) -> int:
    return len(next(iter(table.values())))


def rows_of(table: Table) -> list[dict[str, Any]]:
    return [{name: column[n] for name, column in table.items()} for n in range(length(table))]


def _of_rows(names: Sequence[str], rows: Sequence[dict[str, Any]]) -> Table:
    return {name: [row[name] for row in rows] for name in names}


# ---- transformations --------------------------------------------------------------------------------------


def _group(tables: list[Table], options: dict[str, Any]) -> list[Table]:
    (table,) = tables
    fields = options["fields"]
    by = [name for name in table if name in fields and fields[name]["operation"] == "groupby"]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows_of(table):
        groups.setdefault(tuple(row[name] for name in by), []).append(row)
    grouped: Table = {name: [key[n] for key in groups] for n, name in enumerate(by)}
    for name in table:
        if name in fields and fields[name]["operation"] == "aggregate":
            for reducer in fields[name]["aggregations"]:
                assert reducer == "sum"
                grouped[f"{name} ({reducer})"] = [sum(row[name] for row in rows) for rows in groups.values()]
    assert set(fields) <= set(table), "a field that the query does not give"
    return [grouped]


def _sort(tables: list[Table], options: dict[str, Any]) -> list[Table]:
    (table,) = tables
    (sort,) = options["sort"]
    rows = sorted(rows_of(table), key=lambda row: row[sort["field"]], reverse=sort["desc"])
    return [_of_rows(list(table), rows)]


def _matrix(tables: list[Table], options: dict[str, Any]) -> list[Table]:
    """Columns and rows in the order in which their values come; what is not there is null."""
    (table,) = tables
    column, row, value = (options[name] for name in ("columnField", "rowField", "valueField"))
    assert options["emptyValue"] == "null"
    cells = {(r[column], r[row]): r[value] for r in rows_of(table)}
    rows = list(dict.fromkeys(table[row]))
    made: Table = {f"{row}\\{column}": rows}
    for name in dict.fromkeys(table[column]):
        made[str(name)] = [cells.get((name, one)) for one in rows]
    return [made]


def _organize(tables: list[Table], options: dict[str, Any]) -> list[Table]:
    (table,) = tables
    order = options["indexByName"]
    names = [name for name in table if not options["excludeByName"].get(name)]
    names.sort(key=lambda name: order.get(name, len(order)))
    return [{options["renameByName"].get(name, name): table[name] for name in names}]


def _merge(tables: list[Table], _options: dict[str, Any]) -> list[Table]:
    """Rows that agree in all the columns that every table has become one, where none is overwritten."""
    names = list(dict.fromkeys(name for table in tables for name in table))
    shared = [name for name in names if all(name in table for table in tables)]
    merged: list[dict[str, Any]] = []
    for table in tables:
        for row in rows_of(table):
            fit = (
                one
                for one in merged
                if all(one[name] == row[name] for name in shared)
                and not any(one.get(name) is not None for name in row if name not in shared)
            )
            home = next(fit, None)
            if home is None:
                merged.append(dict.fromkeys(names) | row)
            else:
                home.update(row)
    return [_of_rows(names, merged)]


STEPS: Final[dict[str, Callable[[list[Table], dict[str, Any]], list[Table]]]] = {
    "groupBy": _group,
    "sortBy": _sort,
    "groupingToMatrix": _matrix,
    "organize": _organize,
    "merge": _merge,
}


def shown(panel: dict[str, Any], answers: Sequence[Series]) -> Any:  # noqa: ANN401  # rows, lines or numbers
    """What a person sees: rows of a table, points of a line, or the number that is drawn large."""
    if panel["type"] == "table":
        tables = [table for series in answers if (table := table_of(series)) is not None]
        if not tables:
            return []
        for step in panel["transformations"]:
            tables = STEPS[step["id"]](tables, step["options"])
        (table,) = tables
        sort = panel["options"]["sortBy"]
        rows = rows_of(table)
        for one in sort:
            rows.sort(key=lambda row: row[one["displayName"]], reverse=one["desc"])
        return rows
    lines: dict[str, list[tuple[int, Any]]] = {}
    for target, series in zip(panel["targets"], answers, strict=True):
        found = lines_of(series, target["alias"])
        assert not lines.keys() & found.keys()
        lines |= found
    if panel["type"] == "timeseries":
        return lines
    assert panel["options"]["reduceOptions"]["calcs"] == ["lastNotNull"]
    return {
        name: next((value for _, value in reversed(points) if value is not None), None)
        for name, points in lines.items()
    }
