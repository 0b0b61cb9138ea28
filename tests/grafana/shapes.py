"""Shapes of the files, field by field: dashboards as `@grafana/schema` 13 has them, provisioning files as the
documentation and the types that read them (`pkg/services/provisioning`). Nothing else is allowed.
"""

# ruff: noqa: N815  # the names are Grafana's

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Text = Annotated[str, Field(min_length=1)]
Duration = Annotated[str, Field(pattern=r"^[0-9]+[smhd]$")]
Uid = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,40}$")]
Variable = Annotated[str, Field(pattern=r"^\$\{VEND_GRAFANA_[A-Z_]+\}$")]  # of the environment


class SourceRef(Shape):
    type: Literal["influxdb"]
    uid: Literal["vend-influx"]


# ---- dashboards -------------------------------------------------------------------------------------------


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


# ---- provisioning -----------------------------------------------------------------------------------------


class InfluxJson(Shape):
    dbName: Variable
    httpMode: Literal["GET", "POST"]
    timeInterval: Duration
    maxSeries: Annotated[int, Field(ge=1)]


class InfluxSecret(Shape):
    basicAuthPassword: Variable


class Source(Shape):
    name: Text
    type: Literal["influxdb"]
    uid: Uid
    access: Literal["proxy"]
    isDefault: bool
    editable: Literal[False]
    url: Variable
    basicAuth: Literal[True]
    basicAuthUser: Variable
    jsonData: InfluxJson
    secureJsonData: InfluxSecret


class SourceFile(Shape):
    apiVersion: Literal[1]
    datasources: list[Source]


class ProviderOptions(Shape):
    path: Text
    foldersFromFilesStructure: bool


class Provider(Shape):
    name: Text
    orgId: Literal[1]
    folder: Text
    type: Literal["file"]
    disableDeletion: bool
    allowUiUpdates: Literal[False]
    updateIntervalSeconds: Annotated[int, Field(ge=1)]
    options: ProviderOptions


class ProviderFile(Shape):
    apiVersion: Literal[1]
    providers: list[Provider]


class Window(Shape):
    from_: Annotated[int, Field(alias="from", ge=0)]
    to: Literal[0]


class QueryModel(Shape):
    refId: Text
    datasource: SourceRef
    rawQuery: Literal[True]
    query: Text
    resultFormat: Literal["time_series"]
    alias: str
    intervalMs: int
    maxDataPoints: int


class ExpressionRef(Shape):
    type: Literal["__expr__"]
    uid: Literal["__expr__"]


class ReduceSettings(Shape):
    mode: Literal["dropNN", "replaceNN", ""]


class ReduceModel(Shape):
    refId: Text
    datasource: ExpressionRef
    type: Literal["reduce"]
    expression: Text
    reducer: Literal["last", "max", "min", "sum", "mean", "count"]
    settings: ReduceSettings


class Evaluator(Shape):
    type: Literal["gt", "lt"]
    params: Annotated[list[float], Field(min_length=1, max_length=1)]


class Condition(Shape):
    evaluator: Evaluator


class ThresholdModel(Shape):
    refId: Text
    datasource: ExpressionRef
    type: Literal["threshold"]
    expression: Text
    conditions: Annotated[list[Condition], Field(min_length=1, max_length=1)]


class AlertQuery(Shape):
    refId: Text
    datasourceUid: Literal["vend-influx", "__expr__"]
    relativeTimeRange: Window
    model: QueryModel | ReduceModel | ThresholdModel


class AlertRule(Shape):
    uid: Uid
    title: Annotated[str, Field(min_length=1, max_length=190)]
    condition: Text
    data: list[AlertQuery]
    noDataState: Literal["NoData", "Alerting", "OK", "KeepLast"]
    execErrState: Literal["Error", "Alerting", "OK", "KeepLast"]
    for_: Annotated[Duration, Field(alias="for")]
    annotations: dict[str, Text]
    labels: dict[str, Text]
    isPaused: Literal[False]


class RuleGroup(Shape):
    orgId: Literal[1]
    name: Text
    folder: Text
    interval: Duration
    rules: list[AlertRule]


class RulesFile(Shape):
    apiVersion: Literal[1]
    groups: list[RuleGroup]


class MailSettings(Shape):
    addresses: Variable
    singleEmail: bool


class WebhookSettings(Shape):
    url: Variable
    httpMethod: Literal["POST", "PUT"]


class Mail(Shape):
    uid: Uid
    type: Literal["email"]
    settings: MailSettings


class Webhook(Shape):
    uid: Uid
    type: Literal["webhook"]
    settings: WebhookSettings


class ContactPoint(Shape):
    orgId: Literal[1]
    name: Text
    receivers: list[Annotated[Mail | Webhook, Field(discriminator="type")]]


class ContactPointsFile(Shape):
    apiVersion: Literal[1]
    contactPoints: list[ContactPoint]


class Route(Shape):
    receiver: Text
    object_matchers: list[tuple[str, Literal["=", "!=", "=~", "!~"], str]]
    group_by: list[str]
    group_wait: Duration
    group_interval: Duration
    repeat_interval: Duration


class Policy(Shape):
    orgId: Literal[1]
    receiver: Text
    group_by: list[str]
    group_wait: Duration
    group_interval: Duration
    repeat_interval: Duration
    routes: list[Route]


class PoliciesFile(Shape):
    apiVersion: Literal[1]
    policies: list[Policy]
