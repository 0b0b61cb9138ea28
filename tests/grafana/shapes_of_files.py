"""Shapes of provisioning files, as the documentation has them and the types that read them
(`pkg/services/provisioning` of Grafana).
"""

# ruff: noqa: N815  # the names are Grafana's

from typing import Annotated, Literal

from pydantic import Field

from tests.grafana.shapes import Duration, Shape, SourceRef, Text, Uid, Variable


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
