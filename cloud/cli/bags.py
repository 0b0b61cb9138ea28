"""`vend-cloud count` and `vend-cloud collections`: what should be in a bag, and what was."""

import getpass
import json
import time
from contextlib import closing
from typing import Final

import click

from cloud.bags import Bag, Counted, Counts, collected
from cloud.cli.books import ask
from cloud.cli.common import print_table, store, when
from cloud.config import CloudSettings
from cloud.database import StoreError
from shared import money

_DAY_NS: Final = 86_400 * 10**9
_LOOK_BACK_DAYS: Final = 400  # bags that may still be counted


@click.command("count")
@click.option("--machine", help="Where two machines have a bag of this name.")
@click.option("--who", default=getpass.getuser, help="Who counted.  [default: the user]")
@click.argument("bag")
@click.argument("amount")
@click.pass_obj
def count_bag(settings: CloudSettings, machine: str | None, who: str, bag: str, amount: str) -> None:
    """What was counted in BAG, such as `count B-17 143.50`. Counted again, the newest counts."""
    with store(settings), closing(Counts(settings.data_dir / "store.db")) as counts:
        now_ns = time.time_ns()
        since_ns = now_ns - _LOOK_BACK_DAYS * _DAY_NS
        bags = ask(settings.influx, lambda query: collected(query, counts, since_ns))
        found = [b for b in bags if b.bag == bag and machine in {None, b.machine}]
        if not found:
            raise StoreError(
                f"no machine has told of a bag {bag!r} yet; see `vend-cloud collections`. "
                "A machine without a network tells of it later"
            )
        if len(found) > 1:
            raise StoreError(f"{' and '.join(b.machine for b in found)} have a bag {bag!r}; add --machine")
        (one,) = found
        amount_minor = money.parse(amount, one.currency)
        if amount_minor < 0:
            raise StoreError(f"{amount}: a bag holds no less than nothing")
        counts.add(one, Counted(amount_minor, who, now_ns))
    click.echo(f"{one.machine} {bag}: {_verdict(one, amount_minor - one.expected_minor)}")


@click.command()
@click.option("--days", default=31, show_default=True, type=click.IntRange(1, _LOOK_BACK_DAYS))
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def collections(settings: CloudSettings, days: int, *, as_json: bool) -> None:
    """Bags: expected, counted, over or short; the float that stayed in the machine apart. Times are UTC."""
    with store(settings), closing(Counts(settings.data_dir / "store.db")) as counts:
        since_ns = time.time_ns() - days * _DAY_NS
        bags = ask(settings.influx, lambda query: collected(query, counts, since_ns))
    if as_json:
        click.echo(json.dumps([bag.as_json() for bag in bags]))
        return
    print_table(
        ("collected", "machine", "bag", "cash box", "notes", "expected", "counted", "", "tubes", "recycler"),
        [
            (
                when(bag.collected_ns),
                bag.machine,
                bag.bag,
                *(money.text(m, bag.currency) for m in (bag.cashbox_minor, bag.stacker_minor)),
                money.text(bag.expected_minor, bag.currency),
                money.text(bag.counts[-1].amount_minor, bag.currency) if bag.counts else "-",
                "not counted" if bag.difference_minor is None else _verdict(bag, bag.difference_minor),
                *(money.text(m, bag.currency) for m in (bag.tubes_minor, bag.recycler_minor)),
            )
            for bag in bags
        ],
    )


def _verdict(bag: Bag, difference_minor: int) -> str:
    if not difference_minor:
        return "exact"
    amount = money.text(abs(difference_minor), bag.currency)
    return f"{amount} {'over' if difference_minor > 0 else 'short'}"
