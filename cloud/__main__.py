"""`vend-cloud`: the operator's command line. Data on stdout, talk on stderr; 0 ok, 1 trouble, 2 usage."""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from cloud import app
from cloud import prices as price_desk
from cloud.config import CloudSettings
from cloud.store import Store, StoreError
from shared import money
from shared.fields import explain
from shared.messages import Status
from shared.settings import SettingsError, load


@click.group()
@click.version_option(package_name="vendlink")
@click.option(
    "--config", type=click.Path(path_type=Path), default=Path("/etc/vendlink/cloud.toml"), show_default=True
)
@click.pass_context
def main(context: click.Context, config: Path) -> None:
    """The operator's side: sales in, receipts and prices out."""
    try:
        context.obj = load(CloudSettings, config)
    except SettingsError as error:
        click.echo(error, err=True)
        sys.exit(2)


@main.command()
@click.pass_obj
def run(settings: CloudSettings) -> None:
    """Take in sales, confirm them, publish prices, until told to stop."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    with _said():
        asyncio.run(app.run(settings))


@main.group()
def prices() -> None:
    """Prices wanted, applied and charged."""


@prices.command("set")
@click.option("--machine", "machines", multiple=True, help="A machine; may be given several times.")
@click.option("--all", "everywhere", is_flag=True, help="Every machine that has such slots.")
@click.option("--card", "by_card", is_flag=True, help="The price for cards, where it is another.")
@click.argument("changes", nargs=-1, required=True, metavar="SLOT=PRICE...")
@click.pass_obj
def set_prices(
    settings: CloudSettings,
    machines: Sequence[str],
    changes: Sequence[str],
    *,
    everywhere: bool,
    by_card: bool,
) -> None:
    """Want new prices: `prices set --all A1=1.60 B2=2.00`."""
    if bool(machines) == everywhere:
        raise click.UsageError("name machines with --machine, or all of them with --all")
    amounts = {}
    for text in changes:
        slot, found, amount = text.partition("=")
        if not found or slot in amounts:
            raise click.UsageError(f"{text!r}: write SLOT=PRICE, such as A1=1.60, each slot once")
        amounts[slot] = amount
    with _store(settings) as store:
        chosen = None if everywhere else machines
        lists = price_desk.change(store, chosen, amounts, time.time_ns(), "card" if by_card else "cash")
    for name, wanted in lists.items():
        click.echo(f"{name}: price list version {wanted.version} wanted")


@prices.command("show")
@click.option("--machine", help="Only this one.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def show_prices(settings: CloudSettings, machine: str | None, *, as_json: bool) -> None:
    """What is wanted, what each machine has in force, what was charged last."""
    with _store(settings) as store:
        rows = [row for row in price_desk.table(store) if machine in {None, row.machine}]
        if machine is not None and not rows:
            raise StoreError(f"{machine}: nothing is known of this machine's prices; is the name right?")
    if as_json:
        click.echo(json.dumps([row.as_json() for row in rows]))
        return

    def text(amount_minor: int | None, currency: str) -> str:
        return "-" if amount_minor is None else money.text(amount_minor, currency)

    _print(
        ("machine", "slot", "tender", "wanted", "applied", "charged", ""),
        [
            (
                row.machine,
                row.slot,
                row.tender,
                *(text(m, row.currency) for m in (row.wanted_minor, row.applied_minor, row.charged_minor)),
                row.trouble,
            )
            for row in rows
        ],
    )


@main.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def machines(settings: CloudSettings, *, as_json: bool) -> None:
    """Every machine that ever spoke: online, and what a customer can pay with there. Times are UTC."""
    with _store(settings) as store:
        rows = [
            {**row, **{k: json.loads(row[k]) if row[k] else None for k in ("status", "reported", "stock")}}
            for row in store.machines()
        ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    shown = []
    for row in rows:
        status = Status.model_validate_json(json.dumps(row["status"])) if row["status"] else None
        tenders = status.tenders if status else {}
        can = ", ".join(t if a.available else f"no {t} ({a.reason})" for t, a in tenders.items())
        online = "online" if status and status.online else "offline"
        since = _when(status.since_ns) if status else "-"
        shown.append((row["machine"], online, since, _when(row["seen_at_ns"]), can))
    _print(("machine", "link", "since", "last word", "tenders"), shown)


@main.command("dead-letters")
@click.option("--json", "as_json", is_flag=True)
@click.option("--limit", default=50, show_default=True)
@click.pass_obj
def dead_letters(settings: CloudSettings, limit: int, *, as_json: bool) -> None:
    """Messages and records that could not be stored, and why."""
    with _store(settings) as store:
        rows = store.dead_letters(limit)
    if as_json:
        shown: list[dict[str, Any]] = [
            {**row, "digest": row["digest"].hex(), "payload": row["payload"].hex()} for row in rows
        ]
        click.echo(json.dumps(shown))
        return
    _print(
        ("last", "times", "topic", "why", "in words"),
        [(_when(r["last_at_ns"]), str(r["count"]), r["topic"], r["code"], r["reason"]) for r in rows],
    )


@contextmanager
def _said() -> Iterator[None]:
    """Trouble that a person can do something about, in words instead of a trace."""
    try:
        yield
    except ValidationError as error:
        click.echo(explain(error), err=True)
        sys.exit(1)
    except (StoreError, ValueError) as error:
        click.echo(error, err=True)
        sys.exit(1)


@contextmanager
def _store(settings: CloudSettings) -> Iterator[Store]:
    path = settings.data_dir / "store.db"
    if not path.exists():
        click.echo(f"{path} is not there: start `vend-cloud run` first, or check data_dir", err=True)
        sys.exit(1)
    with _said(), closing(Store(path)) as store:
        yield store


def _when(at_ns: int) -> str:
    if not at_ns:
        return "-"
    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _print(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
