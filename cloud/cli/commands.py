"""`vend-cloud command`, `commands` and `command-key`: one machine is told to do something, and answers."""

import getpass
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from typing import Any, Final, get_args

import click
from pydantic import ValidationError
from rich.console import Console

from cloud.cli.common import database, print_table, said, when
from cloud.commands import keys
from cloud.commands.issue import PATIENCE_NS, issue
from cloud.commands.table import CommandTable
from cloud.config import CloudSettings
from cloud.database import StoreError
from shared import commands as wire
from shared.fields import explain

_LOOK_S: Final = 0.1
_MACHINE: Final = "MACHINE"


@contextmanager
def _table(settings: CloudSettings) -> Iterator[CommandTable]:
    path = database(settings)
    with said(), closing(CommandTable(path)) as opened:
        yield opened


# --- what is commanded, from words --------------------------------------------------------------------------

Words = Sequence[str]


def _nothing(_words: Words) -> dict[str, Any]:
    return {}


def _slot(words: Words) -> dict[str, Any]:
    return {"slot": words[0]} if words else {}


def _claim(words: Words) -> dict[str, Any]:
    return {"claim": words[0]}


def _counts(words: Words) -> dict[str, Any]:
    counts = {}
    for text in words:
        slot, found, count = text.partition("=")
        if not found or slot in counts or not (count.isascii() and count.isdecimal()):
            raise click.UsageError(f"{text!r}: write SLOT=COUNT, such as A1=7, each slot once")
        counts[slot] = int(count)
    return {"counts": counts}


def _range(words: Words) -> dict[str, Any]:
    first, found, last = words[0].partition("..")
    if not found or not all(n.isascii() and n.isdecimal() for n in (first, last)):
        raise click.UsageError(f"{words[0]!r}: write FROM..TO, such as 120..180")
    return {"first": int(first), "last": int(last)}


# By name: how its words are written, how many there may be, and what they mean.
_WORDS: Final[dict[str, tuple[str, range, Callable[[Words], dict[str, Any]]]]] = {
    "support": ("", range(1), _nothing),
    "restart": ("", range(1), _nothing),
    "test-motor": ("SLOT", range(1, 2), _slot),
    "lock": ("[SLOT]", range(2), _slot),
    "unlock": ("[SLOT]", range(2), _slot),
    "stock": ("SLOT=COUNT...", range(1, 51), _counts),
    "resend": ("FROM..TO", range(1, 2), _range),
    "free-vend": ("SLOT", range(1, 2), _slot),
    "credit": ("CODE", range(1, 2), _claim),
    "pay-claim": ("CODE", range(1, 2), _claim),
}


def _action(name: str, words: Words, reason: str | None, epoch: str | None) -> wire.Action:
    """Raises click.UsageError."""
    how, count, read = _WORDS[name]
    if len(words) not in count:
        raise click.UsageError(f"write: command {_MACHINE} {name} {how}".rstrip())
    if reason is not None and name != "lock":
        raise click.UsageError("--reason belongs to lock")
    fields = {"name": name, **read(words)}
    if reason is not None:
        fields["reason"] = reason
    if name == "resend":
        fields["epoch"] = epoch
    try:
        return wire.parse_action(fields)
    except ValidationError as error:
        raise click.UsageError(explain(error)) from None


@click.command(
    epilog="Names and words: " + ", ".join(f"{n} {w[0]}".rstrip() for n, w in _WORDS.items()) + "."
)
@click.argument("machine")
@click.argument("name", type=click.Choice(list(_WORDS)))
@click.argument("words", nargs=-1)
@click.option("--reason", help="Why it is locked, for customers and for whoever asks.")
@click.option("--key", help="The key to sign with, where there are several.")
@click.option(
    "--deadline",
    "deadline_s",
    type=click.IntRange(1, 86_400),
    default=60,
    show_default=True,
    metavar="SECONDS",
)
@click.option("--wait/--no-wait", default=True, show_default=True, help="For the machine's answer.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def command(
    settings: CloudSettings,
    machine: str,
    name: str,
    words: Words,
    reason: str | None,
    key: str | None,
    deadline_s: int,
    *,
    wait: bool,
    as_json: bool,
) -> None:
    """Tell MACHINE to do NAME, once, before the deadline or not at all.

    Exit status 0 if it was done (or only sent, with --no-wait), 1 if not, 2 usage.
    """
    with _table(settings) as table:
        epoch = table.epoch_of(machine)
        if epoch is None:
            raise StoreError(f"{machine} never spoke here; is the name right?")
        action = _action(name, words, reason, epoch)
        signing = keys.load(settings.data_dir / "keys", key)
        header = issue(table, machine, action, signing, getpass.getuser(), time.time_ns(), deadline_s)
        row = _answer(table, header) if wait else table.find(header.id, time.time_ns())
        click.echo(json.dumps(row) if as_json else _sentence(row))
        if wait and row["state"] != "done":
            sys.exit(1)


def _answer(table: CommandTable, header: wire.Header) -> dict[str, Any]:
    """The command once it is answered, or when nobody answers any more."""
    console = Console(stderr=True)
    waiting = console.status(f"waiting for {header.machine}") if console.is_terminal else nullcontext()
    with waiting:
        while True:
            now_ns = time.time_ns()
            row = table.find(header.id, now_ns)
            if row["outcome"] is not None or now_ns > header.expires_ns + PATIENCE_NS:
                return row
            time.sleep(_LOOK_S)


_MEANING: Final = {
    "waiting": "not sent yet: `vend-cloud run` will send it once it is connected",
    "sent": "the machine has not answered yet",
    "not sent": "it was never sent, and never will be; is `vend-cloud run` connected to the broker?",
    "no answer": "the machine did not answer in time; when it does, `vend-cloud commands` shows it",
}


def _sentence(row: dict[str, Any]) -> str:
    lines = [f"{row['machine']}: {row['name']}: {row['state']}"]
    if row["outcome"] is None:
        lines[0] += f" ({_MEANING[row['state']]}), id {row['id']}"
    elif row["text"]:
        lines[0] += f": {row['text']}"
    for name, value in (row["result"] or {}).items():
        lines += [f"  {name}:", *value] if isinstance(value, list) else [f"  {name:20} {value}"]
    return "\n".join(lines)


@click.command()
@click.option("--machine", help="Only this one's.")
@click.option("--limit", default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def commands(settings: CloudSettings, machine: str | None, limit: int, *, as_json: bool) -> None:
    """What was commanded and what became of it, the newest first. Times are UTC."""
    with _table(settings) as table:
        rows, strays = table.list(machine, limit, time.time_ns()), table.strays()
    for name, count in strays.items():
        click.echo(f"{name}: {count} replies to nothing that was asked", err=True)
    if as_json:
        click.echo(json.dumps(rows))
        return
    print_table(
        ("issued", "machine", "command", "by", "state", "in words"),
        [
            (
                when(row["issued_ns"]),
                row["machine"],
                " ".join((row["name"], *(f"{k}={_plain(v)}" for k, v in row["args"].items()))),
                f"{row['who']} ({row['key']})",
                row["state"],
                row["text"] or _MEANING.get(row["state"], ""),
            )
            for row in rows
        ],
    )


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@click.group("command-key")
def command_key() -> None:
    """Keys that sign commands."""


@command_key.command("new")
@click.argument("name")
@click.option("--role", type=click.Choice(get_args(wire.Role)), required=True)
@click.pass_obj
def new_key(settings: CloudSettings, name: str, role: wire.Role) -> None:
    """Make the key NAME, and print what goes into the settings of each machine that is to obey it."""
    with said():
        lines = keys.make(settings.data_dir / "keys", name, role)
    click.echo(f"the secret half is {settings.data_dir}/keys/{name}.pem: keep it to yourself", err=True)
    click.echo(lines, nl=False)
