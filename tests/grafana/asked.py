"""Queries of dashboards and alerts, asked of a real InfluxDB as Grafana does."""

import json
import re
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any, Final
from urllib.error import HTTPError

from deploy.grafana.interpolate import Chosen, Shown, backend, front_end
from deploy.grafana.rows import Dashboard, Variable
from tests.grafana.frames import Series
from tests.helpers import eventually

_REGEX_END: Final = re.compile(r"\$/")


@dataclass(frozen=True, slots=True)
class Influx:
    url: str
    database: str

    def ask(self, influxql: str) -> Series:
        """As the data source asks: POST, times in ms. Nothing of Grafana's may be left in the query."""
        assert "$" not in _REGEX_END.sub("", influxql), influxql
        address = urllib.parse.urlencode({"db": self.database, "epoch": "ms"})
        body = urllib.parse.urlencode({"q": influxql}).encode()
        with urllib.request.urlopen(f"{self.url}/query?{address}", body) as answer:
            (result,) = json.load(answer)["results"]
        assert "error" not in result, f"{result['error']}: {influxql}"
        series: Series = result.get("series", [])
        return series

    def write(self, *lines: str) -> None:
        address = f"{self.url}/write?db={self.database}&precision=ns"
        try:
            urllib.request.urlopen(address, "\n".join(lines).encode()).close()
        except HTTPError as error:
            raise AssertionError(f"{error.code} {error.read()!r}") from None

    def make(self) -> None:
        eventually(self._made)

    def _made(self) -> bool:
        body = urllib.parse.urlencode({"q": f'CREATE DATABASE "{self.database}"'}).encode()
        with urllib.request.urlopen(f"{self.url}/query", body) as answer:
            return "error" not in json.load(answer)["results"][0]


def answers(
    influx: Influx, panel: dict[str, Any], board: Dashboard, span: tuple[int, int], chosen: dict[str, Chosen]
) -> list[Series]:
    shown = Shown(*span, chosen)
    return [
        influx.ask(backend(front_end(target["query"], board.variables, shown), *span))
        for target in panel["targets"]
    ]


def choices(influx: Influx, variable: Variable) -> list[str]:
    """What the drop-down offers."""
    return sorted(values[1] for series in influx.ask(variable.query) for values in series["values"])
