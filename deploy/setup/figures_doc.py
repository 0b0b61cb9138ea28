"""Write metrics and spreadsheets as a page: python -m deploy.setup.figures_doc > docs/figures.md"""

import sys
from collections.abc import Iterator
from typing import Final

from cloud.metrics import METRICS
from cloud.sheets import SHEETS

_HEAD: Final = """\
# Figures of the cloud

The tables are printed from `cloud/metrics.py` and `cloud/sheets.py` by `python -m deploy.setup.figures_doc`:
do not edit.

## Health

With `[health] listen = "127.0.0.1:9108"` in the settings, `vend-cloud run` answers over HTTP:

- `/live`: 200 while the process turns.
- `/ready`: 200 while it does its work, else 503 and why not, in words and by part: `broker` not connected,
  `influx` away or refusing, `disk` full, `batch` under way for more than a minute. InfluxDB and the disk are
  known from what was written last.
- `/metrics`: the figures below, for Prometheus.

Log lines on stderr are JSON objects, or words on a terminal (`log` in the settings). Fields stand beside the
sentence: `machine`, `epoch`, `topic`, `code`, `count`.

## Several processes

Start `vend-cloud run` as often as you like on one data_dir. Records are shared out among all; one process has
the desk (prices, and what machines say of themselves), and another one takes it when that one ends.
`vend-cloud run --worker` never takes it: for other computers, with a data_dir of their own. Every process
needs its own address: `VEND_CLOUD_HEALTH__LISTEN=127.0.0.1:9109`. Prices waiting and machines online are read
from the data_dir, so all processes on it show the same two figures.

## Metrics

"""
_SHEETS_HEAD: Final = """\

## Spreadsheets

    vend-cloud csv sales --from 2026-09-01 --to 2026-09-30
                         [--machine ID] [--timezone Europe/Vilnius] [--output FILE]

Both days are included; days and times are UTC unless a time zone is named. UTF-8, commas, a decimal point.
Amounts are in major units (1.50), and a column says of which currency: sum one currency at a time. A text
that begins like a formula has a `'` before it.
"""


def _metrics() -> Iterator[str]:
    yield "| metric | kind | what | label |"
    yield "|---|---|---|---|"
    for row in METRICS:
        label = f"`{row.label}`: {', '.join(row.values)}" if row.label else ""
        yield f"| `{row.full_name}` | {row.kind} | {row.what} | {label} |"


def _sheets() -> Iterator[str]:
    for sheet in SHEETS:
        yield f"\n### {sheet.name}\n\n{sheet.what} From: {', '.join(f'`{kind}`' for kind in sheet.kinds)}.\n"
        yield "| column | what | form |"
        yield "|---|---|---|"
        for column in sheet.columns:
            yield f"| {column.name} | {column.what} | {column.form.value} |"


def text() -> str:
    return _HEAD + "\n".join((*_metrics(), _SHEETS_HEAD, *_sheets())) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
