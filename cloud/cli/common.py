"""What the commands share: the store, tables, times, and trouble said in words.

Data on stdout, talk on stderr; 0 ok, 1 trouble, 2 usage.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from cloud.config import CloudSettings
from cloud.database import StoreError
from cloud.influx import QueryError
from cloud.store import Store
from shared.fields import explain


@contextmanager
def said() -> Iterator[None]:
    """Trouble that a person can do something about, in words instead of a trace."""
    try:
        yield
    except ValidationError as error:
        click.echo(explain(error), err=True)
        sys.exit(1)
    except (StoreError, QueryError, ValueError) as error:
        click.echo(error, err=True)
        sys.exit(1)


def database(settings: CloudSettings) -> Path:
    """The daemon's database; ends the program where there is none."""
    path = settings.data_dir / "store.db"
    if not path.exists():
        click.echo(f"{path} is not there: start `vend-cloud run` first, or check data_dir", err=True)
        sys.exit(1)
    return path


@contextmanager
def store(settings: CloudSettings) -> Iterator[Store]:
    path = database(settings)
    with said(), closing(Store(path)) as opened:
        yield opened


def when(at_ns: int) -> str:
    if not at_ns:
        return "-"
    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
