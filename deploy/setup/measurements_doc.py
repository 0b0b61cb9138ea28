"""Write the measurements as a page: python -m deploy.setup.measurements_doc > docs/measurements.md"""

import sys
from collections.abc import Iterator
from typing import Final

from cloud.measurements import ALL, Measurement, record_kinds

_HEAD: Final = """\
# Measurements in InfluxDB

Printed from `cloud/measurements.py` by `python -m deploy.setup.measurements_doc`: do not edit.

A field's type never changes. What is not known is left out and never 0. A point that is written again has the
same measurement, tags and time, so it takes the place of the one before; a field that was known before and is
not any more stays until the next period.
"""
_RECORDS: Final = """\

## Records

One point a record, at the record's own time, written by `cloud/points.py`. Amounts end in `_minor`.

| measurement | tags | fields |
|---|---|---|
"""


def _one(row: Measurement) -> Iterator[str]:
    yield f"\n## {row.name}\n\n{row.what} Time: {row.time}. Written: {row.when}. By: `{row.by}`."
    yield f"Tags: {', '.join(f'`{tag}`' for tag in row.tags) or 'none'}.\n"
    yield "| field | form | what |"
    yield "|---|---|---|"
    for field in row.fields:
        yield f"| `{field.name}` | {field.form.value} | {field.what} |"


def _records() -> Iterator[str]:
    for name, tags, fields in record_kinds():
        yield f"| `{name}` | {', '.join(tags)} | {', '.join(fields)} |"


def text() -> str:
    rows = "\n".join(line for row in ALL for line in _one(row))
    return f"{_HEAD}{rows}\n{_RECORDS}" + "\n".join(_records()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
