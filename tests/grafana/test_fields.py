"""Every measurement, tag and field that a query names is one that the cloud says it writes."""

import re
from typing import Final

import pytest

from cloud import measurements
from cloud.rollups.sums import ROLLUPS
from deploy.grafana.alerts import RULES
from deploy.grafana.boards import dashboards
from deploy.grafana.rows import Look

WRITTEN: Final[dict[str, set[str]]] = (
    {one.name: {*one.tags, *(field.name for field in one.fields)} for one in measurements.ALL}
    | {name: {*tags, *fields} for name, tags, fields in measurements.record_kinds()}
    | {name: {*tags, *fields, "weekday", "hour"} for name, (tags, fields) in ROLLUPS.items()}
)
QUERIES: Final = {
    **{
        f"{board.title}, {panel.title}, {number}": query
        for board in dashboards(Look())
        for panel in board.panels
        for number, query in enumerate(panel.queries)
    },
    **{
        f"{board.title}, variable {variable.name}": variable.query
        for board in dashboards(Look())
        for variable in board.variables
    },
    **{rule.uid: rule.query for rule in RULES},
}


_INNER: Final = re.compile(r"FROM \((SELECT .*)\)")


def read_in(query: str) -> set[str]:
    """All names but those that the query gives itself."""
    return set(re.findall(r'"([^"]+)"', re.sub(r'(AS|FROM) "[^"]+"', "", query)))


@pytest.mark.parametrize("where", list(QUERIES))
def test_a_query_names_what_is_written(where: str) -> None:
    query = QUERIES[where]
    (measured,) = re.findall(r'FROM "(\w+)"', query)
    inner = _INNER.search(query)
    if inner is None:
        assert read_in(query) <= WRITTEN[measured]
    else:
        assert read_in(inner[1]) <= WRITTEN[measured]
        given = set(re.findall(r'AS "([^"]+)"', inner[1])) | {"machine", "slot", "coin"}  # tags stay
        assert read_in(query.replace(inner[1], "")) <= given
