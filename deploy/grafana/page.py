"""Write the dashboards, alerts and settings as a page: python -m deploy.grafana.page > docs/grafana.md"""

import sys
from collections.abc import Iterator
from typing import Final

from deploy.grafana.alerts import RULES
from deploy.grafana.alerts.rule import M, V
from deploy.grafana.boards import dashboards
from deploy.grafana.rows import Look

_HEAD: Final = """\
# Grafana

Dashboards and alerts are tables in `deploy/grafana/`; the files that Grafana reads are printed from them into
`deploy/grafana/provisioning/`, and so is this page: do not edit either. A test holds all of them equal.

    python -m deploy.grafana --out deploy/grafana/provisioning [--zone Europe/Berlin] [--digits 2]
    python -m deploy.grafana.page > docs/grafana.md

The files in the repository are for UTC and a currency with cents. With another zone in the cloud's settings
(`[reports] time_zone`) print them anew with the same `--zone`, into a folder of your own. `--digits` is how
many decimals the currency has. Panels without a currency of their own (cash in a machine) show the digits
alone.

## Start it

Mount or copy `deploy/grafana/provisioning` to `/etc/grafana/provisioning`, set the variables and start
Grafana 11.6 or newer; `deploy/compose.yaml` does so. What is provisioned cannot be edited in Grafana:
change the table, print, restart (or reload provisioning).

| variable | what |
|---|---|
| `VEND_GRAFANA_INFLUX_URL` | InfluxDB as Grafana reaches it, as `http://influxdb:8086` |
| `VEND_GRAFANA_INFLUX_DATABASE` | the database; in InfluxDB 2.x the bucket |
| `VEND_GRAFANA_INFLUX_USERNAME` | a user who may read (2.x: of `influx v1 auth`); with a token any word |
| `VEND_GRAFANA_INFLUX_SECRET` | his password; in 2.x and 3 a token that may read |
| `VEND_GRAFANA_ALERT_MAIL` | who gets alerts, by `;`. Grafana's own `GF_SMTP_...` say how mail leaves |
| `VEND_GRAFANA_ALERT_WEBHOOK` | where alerts are posted as JSON |

All six have to be set: Grafana does not start with an empty address. A channel that is not wanted gets one
that leads nowhere, such as `nobody@localhost` or `http://localhost:9/`.

InfluxDB is asked in InfluxQL over `/query` with Basic authentication, which 1.x, 2.x and 3 share. In 1.x
`[http] max-row-limit` must be 0, or tables are cut off.

## Read it on a phone

Grafana puts panels below each other on a narrow screen. Each dashboard begins with its numbers; tables have
what matters most in the first columns. A machine's name leads to One machine.

Sums are of whole hours of the operator's zone: a period that begins in the middle of an hour begins with
the next one. `the period before` is as long as the one shown and ends where it begins. What is so "now" is
as the cloud knows it, whatever period is chosen.
"""
_ALERTS: Final = """\

## Alerts

Every alert names what to do (`action`), who does it (`who`, also a label) and where to look (`look`), and
resolves itself when it is not so any more. All machines of a rule are one notification. While the broker or
the cloud is away, gauges of machines stand still: of forty machines behind a broker that failed, one
notification comes, and it names the broker. While InfluxDB does not answer, rules keep their last state and
one says so. A card reader has a rule a reason. The limits are in `deploy/grafana/alerts/`.

| alert | what is so | fires above | for | who | severity |
|---|---|---|---|---|---|
"""
_TRIED: Final = """\

## What was tried, and what was not

Tried, with every test run: each query of each panel, variable and alert is taken from the files, variables
and times are put in as Grafana's source does it, and it is asked of a real InfluxDB 1.6 that the project's
own ingest, rollups, gauges and books have filled with known data; what Grafana makes of the answer (frames,
transformations, the last value, the threshold, groups of notifications) is modelled and compared with the
known values. Every rule has a case that fires and one that does not. The JSON of the dashboards and the
options of panels are checked against the types of `@grafana/schema` 13, all files against strict models of
the documented fields.

Not tried: a running Grafana. There was none where this was made. So nobody has seen the panels drawn, the
provisioning files loaded or a mail sent. Look at these first: Vends by hour of the week (four
transformations), What happened (`merge`), the link from a machine's name, and the `look` of an alert.

Not tried either: the queries against InfluxDB 2.x and 3. They are in the part of InfluxQL that all three are
documented to have; the arithmetic of times in `the period before` is the least usual of it.
"""


def _boards() -> Iterator[str]:
    for board in dashboards(Look()):
        yield f"\n## {board.title}\n\n{board.about}\n"
        yield "| panel | question |"
        yield "|---|---|"
        for panel in board.panels:
            yield f"| {panel.title.replace(' ($currency)', '')} | {panel.question} |"


def _rules() -> Iterator[str]:
    for rule in RULES:
        so = rule.so.replace(M, "a machine").replace(V, "N")
        so = so[0].upper() + so[1:]
        severity = "critical" if rule.critical else "warning"
        yield f"| {rule.title} | {so} | {rule.above} | {rule.hold} | {rule.who} | {severity} |"


def text() -> str:
    return _HEAD + "\n".join((*_boards(), _ALERTS)) + "\n".join(_rules()) + "\n" + _TRIED


if __name__ == "__main__":
    sys.stdout.write(text())
