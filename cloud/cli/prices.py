"""`vend-cloud prices`: wanted, applied and charged."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click

from cloud import prices as price_desk
from cloud.cli.common import print_table, store
from cloud.cli.plan import carry_out, force_option, who_option
from cloud.config import CloudSettings
from cloud.database import StoreError
from cloud.wanted import edits
from shared import money


@click.group()
def prices() -> None:
    """Prices wanted, applied and charged."""


@prices.command("set")
@click.option("--machine", "machines", multiple=True, help="A machine; may be given several times.")
@click.option("--all", "everywhere", is_flag=True, help="Every machine that has such slots.")
@click.option("--card", "by_card", is_flag=True, help="The price for cards, where it is another.")
@force_option
@who_option
@click.argument("changes", nargs=-1, required=True, metavar="SLOT=PRICE...")
@click.pass_obj
def set_prices(
    settings: CloudSettings,
    machines: Sequence[str],
    changes: Sequence[str],
    *,
    everywhere: bool,
    by_card: bool,
    who: str | None,
    force: bool,
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
    with store(settings) as opened:
        chosen = None if everywhere else machines
        draft = edits.change(opened.db, chosen, amounts, "card" if by_card else "cash")
        if not draft.changes:
            click.echo("no difference")
            return
        where = ("--all",) if everywhere else tuple(f"--machine {machine}" for machine in machines)
        what = " ".join(("prices set", *where, *(["--card"] if by_card else []), *changes))
        _, messages = carry_out(opened.db, draft, who, what, force=force)
    for message in messages:
        click.echo(f"{message.machine}: price list version {message.version} wanted")


@prices.command("show")
@click.option("--machine", help="Only this one.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def show_prices(settings: CloudSettings, machine: str | None, *, as_json: bool) -> None:
    """What is wanted, what each machine has in force, what was charged last."""
    with store(settings) as opened:
        rows = list(price_desk.table(opened.db, machine))
        if machine is not None and not rows:
            raise StoreError(f"{machine}: nothing is known of this machine's prices; is the name right?")
    if as_json:
        click.echo(json.dumps([row.as_json() for row in rows]))
        return

    def text(amount_minor: int | None, currency: str) -> str:
        return "-" if amount_minor is None else money.text(amount_minor, currency)

    print_table(
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


@click.command()
@click.option("--machine", help="Only this one.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def disagreements(settings: CloudSettings, machine: str | None, *, as_json: bool) -> None:
    """Where wanted, applied and charged are not the same. Exit status 1 if there is any.

    A price that a schedule explains is none, nor one charged before the last list.
    """
    with store(settings) as opened:
        found = list(price_desk.disagreements(opened.db, machine))
    if as_json:
        click.echo(json.dumps([asdict(row) for row in found]))
    elif found:
        columns = ("machine", "slot", "what", "wanted", "applied", "charged", "why")
        print_table(columns, [tuple(asdict(row).values()) for row in found])
    if found:
        sys.exit(1)
