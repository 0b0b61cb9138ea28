"""The shape of a dashboard, field by field, as `@grafana/schema` 13 has it; options of panels included."""

# ruff: noqa: N815  # the names are Grafana's

from typing import Annotated, Any, Literal

from pydantic import Field

from tests.grafana.shapes import Shape, SourceRef, Text, Uid


class GridPos(Shape):
    x: Annotated[int, Field(ge=0, le=23)]
    y: Annotated[int, Field(ge=0)]
    w: Annotated[int, Field(ge=1, le=24)]
    h: Annotated[int, Field(ge=1)]


class Target(Shape):
    refId: Annotated[str, Field(pattern="^[A-J]$")]
    datasource: SourceRef
    rawQuery: Literal[True]
    query: Text
    resultFormat: Literal["table", "time_series"]
    alias: str


class MappingResult(Shape):
    text: str
    color: str
    index: int


class ValueMap(Shape):
    type: Literal["value"]
    options: dict[str, MappingResult]


class Threshold(Shape):
    color: str
    value: float | None


class Thresholds(Shape):
    mode: Literal["absolute", "percentage"]
    steps: list[Threshold]


class Color(Shape):
    mode: Literal["palette-classic", "thresholds"]


class Custom(Shape):
    align: Literal["auto"] | None = None
    drawStyle: Literal["bars", "line"] | None = None
    fillOpacity: Annotated[int, Field(ge=0, le=100)] | None = None
    lineWidth: int | None = None


class FieldDefaults(Shape):
    mappings: list[ValueMap]
    noValue: str
    thresholds: Thresholds
    unit: str | None = None
    decimals: Annotated[int, Field(ge=0, le=3)] | None = None
    min: float | None = None
    color: Color | None = None
    custom: Custom | None = None


class Matcher(Shape):
    id: Literal["byName"]
    options: Text


class Property(Shape):
    id: Literal["unit", "decimals", "mappings", "custom.cellOptions", "links"]
    value: Any


class Override(Shape):
    matcher: Matcher
    properties: list[Property]


class FieldConfig(Shape):
    defaults: FieldDefaults
    overrides: list[Override]


class Legend(Shape):
    showLegend: bool
    displayMode: Literal["list", "table"]
    placement: Literal["bottom", "right"]
    calcs: list[str]


class Reduce(Shape):
    calcs: list[str]
    fields: str
    values: bool


class StatOptions(Shape):
    reduceOptions: Reduce
    orientation: Literal["auto", "horizontal", "vertical"]
    textMode: Literal["auto", "value", "value_and_name", "name", "none"]
    wideLayout: bool
    colorMode: Literal["none", "value", "background"]
    graphMode: Literal["none", "line", "area"]
    justifyMode: Literal["auto", "center"]
    showPercentChange: bool
    percentChangeColorMode: Literal["standard", "inverted", "same_as_value"]


class BarGaugeOptions(Shape):
    reduceOptions: Reduce
    orientation: Literal["auto", "horizontal", "vertical"]
    displayMode: Literal["basic", "lcd", "gradient"]
    valueMode: Literal["color", "text", "hidden"]
    namePlacement: Literal["auto", "top", "left", "hidden"]
    sizing: Literal["auto", "manual"]
    minVizWidth: int
    minVizHeight: int
    maxVizHeight: int
    showUnfilled: bool
    legend: Legend


class SortBy(Shape):
    displayName: Text
    desc: bool


class TableOptions(Shape):
    frameIndex: int
    showHeader: bool
    cellHeight: Literal["sm", "md", "lg"]
    sortBy: list[SortBy]


class Tooltip(Shape):
    mode: Literal["single", "multi", "none"]
    sort: Literal["none", "asc", "desc"]


class LineOptions(Shape):
    legend: Legend
    tooltip: Tooltip


class Transformation(Shape):
    id: Literal["groupBy", "sortBy", "groupingToMatrix", "organize", "merge"]
    options: dict[str, Any]


class PanelBase(Shape):
    id: Annotated[int, Field(ge=1)]
    gridPos: GridPos
    title: Text
    description: Text
    datasource: SourceRef
    targets: Annotated[list[Target], Field(min_length=1)]
    fieldConfig: FieldConfig
    transformations: list[Transformation]


class Stat(PanelBase):
    type: Literal["stat"]
    options: StatOptions


class BarGauge(PanelBase):
    type: Literal["bargauge"]
    options: BarGaugeOptions


class Table(PanelBase):
    type: Literal["table"]
    options: TableOptions


class TimeSeries(PanelBase):
    type: Literal["timeseries"]
    options: LineOptions


Panel = Annotated[Stat | BarGauge | Table | TimeSeries, Field(discriminator="type")]


class Option(Shape):
    text: list[str]
    value: list[str]


class QueryVariable(Shape):
    type: Literal["query"]
    name: Annotated[str, Field(pattern="^[a-z]+$")]
    label: Text
    datasource: SourceRef
    query: Text
    refresh: Literal[1, 2]
    sort: Annotated[int, Field(ge=0, le=8)]
    multi: bool
    includeAll: bool
    allValue: Text | None = None
    current: Option | None = None


class Templating(Shape):
    list: list[QueryVariable]


class Time(Shape):
    from_: Annotated[str, Field(alias="from", pattern=r"^now(-[0-9]+[hd]|/d)$")]
    to: Literal["now"]


class TimePicker(Shape):
    hidden: bool | None = None


class Link(Shape):
    type: Literal["dashboards"]
    title: Text
    tags: list[str]
    asDropdown: bool
    icon: str
    includeVars: bool
    keepTime: bool
    targetBlank: bool
    tooltip: str


class Dashboard(Shape):
    uid: Uid
    title: Text
    description: Text
    tags: list[str]
    schemaVersion: Annotated[int, Field(ge=39)]
    editable: Literal[False]
    graphTooltip: Literal[0, 1, 2]
    timezone: str
    time: Time
    timepicker: TimePicker
    refresh: Annotated[str, Field(pattern=r"^([0-9]+[sm])?$")]
    links: list[Link]
    templating: Templating
    panels: Annotated[list[Panel], Field(min_length=1)]
