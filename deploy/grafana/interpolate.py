"""Queries as InfluxDB gets them: variables as Grafana's front end puts them in, times as its backend does.

Read in Grafana's source, not in a running one: `templateSrv.replace` with the data source's
`interpolateQueryExpr`, then `pkg/tsdb/influxdb/models/query.go`. `questions` is for benchmarks and tests.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.grafana.boards import dashboards
from deploy.grafana.rows import Look, Variable

ALL: Final = "$__all"  # the choice `All`
Chosen = str | Sequence[str]

_PLACE: Final = re.compile(r"\$(\w+)|\$\{(\w+)\}")
_SPECIAL: Final = re.compile(r"[\\^$*+?.()|\[\]{}/]")
_IN_REGEX: Final = re.compile(r"[=!]~\s*/((?:[^/\\]|\\.)+)/")


@dataclass(frozen=True, slots=True)
class Shown:
    """What is chosen in the dashboard. `interval` is Grafana's choice, by the width of the panel."""

    from_ms: int
    to_ms: int
    chosen: Mapping[str, Chosen]
    interval: str = "1m"


@dataclass(frozen=True, slots=True)
class Question:
    dashboard: str
    panel: str
    ref: str
    influxql: str


def _escaped(value: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", value)


def _value(variable: Variable, chosen: Chosen, query: str) -> str:
    """All is put in raw. Several values become one group of a regex, also where it is only one."""
    if variable.all_value:
        if chosen == ALL:
            return variable.all_value
        values = [chosen] if isinstance(chosen, str) else chosen
        return f"({'|'.join(map(_escaped, values))})"
    assert isinstance(chosen, str)
    used = (f"${variable.name}", f"${{{variable.name}}}")
    inside = any(place in regex for regex in _IN_REGEX.findall(query) for place in used)
    return _escaped(chosen) if inside else chosen


def front_end(query: str, variables: Sequence[Variable], shown: Shown) -> str:
    """Names that are no variable stay as they are: the backend's own."""
    values = {variable.name: _value(variable, shown.chosen[variable.name], query) for variable in variables}
    values |= {"__from": str(shown.from_ms), "__to": str(shown.to_ms)}
    return _PLACE.sub(lambda found: values.get(found[1] or found[2], found[0]), query)


def backend(query: str, from_ms: int, to_ms: int, interval: str = "1m") -> str:
    times = f"time >= {from_ms}ms and time <= {to_ms}ms"
    return query.replace("$timeFilter", times).replace("$__interval", interval)


def questions(shown: Shown, look: Look | None = None) -> Iterator[Question]:
    """Every query of every panel, as InfluxDB gets it."""
    for board in dashboards(look or Look()):
        for panel in board.panels:
            for ref, query in zip("ABCDEFGHIJ", panel.queries, strict=False):
                text = backend(
                    front_end(query, board.variables, shown), shown.from_ms, shown.to_ms, shown.interval
                )
                yield Question(board.title, panel.title, ref, text)
