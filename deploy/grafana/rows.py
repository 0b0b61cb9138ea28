"""What a dashboard is made of: one row a panel, with the question that it answers.

Queries are InfluxQL with Grafana's own placeholders: `$timeFilter`, `$__interval`, `$machine`, `$currency`,
`${__from}`. Columns are named in the query as people read them. Money is divided in the query.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

Step = dict[str, Any]  # one of Grafana's transformations


@dataclass(frozen=True, slots=True)
class Look:
    """What differs between operators: the zone of their days, and how many digits their money has."""

    zone: str = "UTC"
    digits: int = 2

    @property
    def minor(self) -> int:
        """Minor units in one of the currency."""
        return int(10**self.digits)

    @property
    def tz(self) -> str:
        return f"tz('{self.zone}')"


class Kind(Enum):
    NUMBER = "stat"
    SHARES = "bargauge"
    BARS = "bars"
    LINES = "timeseries"
    TABLE = "table"


class Unit(Enum):
    MONEY = "money"  # written with as many decimals as the currency has
    COUNT = "count"
    PLAIN = "none"  # as it is: texts, numbers of their own
    PERCENT = "percent"
    CELSIUS = "celsius"
    MILLISECONDS = "ms"
    HOURS = "h"
    DAYS = "d"
    AGO = "dateTimeFromNow"  # of milliseconds since 1970
    RATE = "cps"


@dataclass(frozen=True, slots=True)
class Word:
    """A value that is shown as a word, in a colour of Grafana's."""

    value: str
    text: str
    color: str


Words = tuple[Word, ...]
ONLINE: Final[Words] = (Word("1", "online", "green"), Word("0", "silent", "red"))
TAKES: Final[Words] = (Word("1", "yes", "green"), Word("0", "no", "red"))
TROUBLE: Final[Words] = (Word("0", "no", "green"), Word("1", "yes", "red"))
LATE: Final[Words] = (Word("true", "arrived late", "orange"), Word("false", "", "text"))
NOT_KNOWN: Final[Words] = (Word("-1", "not known", "text"),)
OPEN: Final[Words] = (Word("true", "opened", "orange"), Word("false", "closed", "green"))


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, by the name that the query gives it. `link`: a click leads to the machine."""

    name: str
    unit: Unit = Unit.PLAIN
    words: Words = ()
    link: bool = False


MACHINE: Final = Column("machine", link=True)
TIME: Final = Column("Time")


@dataclass(frozen=True, slots=True)
class Panel:
    """`queries`: the targets A, B, ... `columns`: all that a table shows, in their order."""

    title: str
    question: str
    kind: Kind
    queries: tuple[str, ...]
    unit: Unit = Unit.COUNT
    columns: tuple[Column, ...] = ()
    steps: tuple[Step, ...] = ()
    sort: str = ""
    rising: bool = False
    words: Words = ()
    alias: str = "$col"
    width: int = 0  # of 24, where the kind's own does not fit; a phone has all in one column
    height: int = 0


@dataclass(frozen=True, slots=True)
class Variable:
    """`all_value`: what the queries get for All; without one there is no All."""

    name: str
    label: str
    query: str
    all_value: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    uid: str
    title: str
    about: str
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...] = ()
    since: str = "now-24h"
    refresh: str = "1m"
    has_period: bool = True  # else it shows what is so now, whatever period is chosen


def group_step(**fields: tuple[str, ...]) -> Step:
    """Group the rows: a column with no reducers is grouped by, the others are reduced."""
    options = {
        name: {"operation": "aggregate" if reducers else "groupby", "aggregations": list(reducers)}
        for name, reducers in fields.items()
    }
    return {"id": "groupBy", "options": {"fields": options}}


def sort_step(field: str, *, falling: bool = False) -> Step:
    return {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": field, "desc": falling}]}}


def matrix_step(column: str, row: str, value: str) -> Step:
    return {
        "id": "groupingToMatrix",
        "options": {"columnField": column, "rowField": row, "valueField": value, "emptyValue": "null"},
    }


def rename_step(**names: str) -> Step:
    """New names, in this order."""
    order = {name: place for place, name in enumerate(names)}
    return {"id": "organize", "options": {"excludeByName": {}, "indexByName": order, "renameByName": names}}


MERGE_STEP: Final[Step] = {"id": "merge", "options": {}}
