"""`vend-tap show`, `diff`, `cut`, `map` and `check`: captures alone."""

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Final

import click

from shared.capture import Header, Message, chained, read, read_header, stock
from shared.capture.rotation import new
from shared.progress import bar
from shared.renaming import Renaming
from shared.tap import options, values, words
from shared.tap.contract import KINDS, Coverage
from shared.tap.difference import differences
from shared.tap.options import Chosen, choosing, said

_BATCH: Final = 1_000
_SHOWN: Final = 20


@click.command()
@options.FILES
@choosing
@options.JSON
def show(files: Sequence[Path], chosen: Chosen, *, as_json: bool) -> None:
    """Say what is in captures, decoded."""
    with said():
        words.show(chosen.of(files).of(chained(files)), options.echo, as_json=as_json)


@click.command()
@click.argument("before", type=options.FILE)
@click.argument("after", type=options.FILE)
@options.JSON
def diff(before: Path, after: Path, *, as_json: bool) -> None:
    """Compare two captures by what they say, topic by topic: not by bytes, times or size of batches.

    Exit status 1 where they differ.
    """
    with said():
        sources = {read_header(before).source, read_header(after).source}
        found = differences(read(before), read(after), with_properties=stock.SOURCE not in sources)
    for one in found:
        if as_json:
            click.echo(json.dumps(asdict(one)))
        else:
            colour = {"-": "red", "+": "green"}[one.side]
            line = f"{one.side} {one.topic} #{one.number} {json.dumps(one.said)}"
            options.echo(click.style(line, fg=colour))
    if found:
        sys.exit(1)


@click.command()
@options.FILES
@options.OUT
@choosing
def cut(files: Sequence[Path], out: Path, chosen: Chosen) -> None:
    """Write a part of captures to OUT. Times stay what they were."""
    with said():
        selection = chosen.of(files)
        with bar("cutting", sum(path.stat().st_size for path in files)) as tell:
            _write(out, read_header(files[0]), selection.of(chained(files, tell)))


@click.command(name="map")
@click.argument("file", type=options.FILE)
@options.OUT
@click.argument("names", nargs=-1, required=True, callback=values.pairs, metavar="OLD=NEW...")
def rename(file: Path, out: Path, names: dict[str, str]) -> None:
    """Give machines other names, in topics and inside payloads.

    Commands to them are not well signed any more: no machine will carry them out.
    """
    with said(), bar("renaming", file.stat().st_size) as tell:
        _write(out, read_header(file), map(Renaming(names).of, read(file, tell)))


def _write(out: Path, header: Header, messages: Iterable[Message]) -> None:
    """All of them or no file."""
    count = 0
    writer = new(out, header)
    try:
        with closing(writer):
            while batch := list(islice(messages, _BATCH)):
                writer.append(batch)
                count += len(batch)
    except BaseException:
        out.unlink()
        raise
    options.talk(f"{count:,} messages in {out}")


@click.command()
@options.FILES
@options.JSON
def check(files: Sequence[Path], *, as_json: bool) -> None:
    """Hold every message against the contract, and say what of the contract never appeared.

    Exit status 1 where a message breaks it.
    """
    with said():
        found = Coverage(all(read_header(f).about.get("retain_as_published", False) for f in files))
        with bar("checking", sum(path.stat().st_size for path in files)) as tell:
            for message in chained(files, tell):
                found.add(message)
    if as_json:
        told = {
            "messages": found.messages,
            "wrong": found.wrong,
            "seen": found.seen,
            "missing": found.missing,
        }
        click.echo(json.dumps({**told, "violations": [asdict(v) for v in found.violations]}))
    else:
        for violation in found.violations[:_SHOWN]:
            click.echo(f"message {violation.number:,} on {violation.topic}: {violation.why}")
        if len(found.violations) > _SHOWN:
            click.echo("and more: --json lists them")
        for kind, count in sorted(found.seen.items()):
            click.echo(f"  {kind:32} {count:>10,}")
        click.echo(f"never: {', '.join(found.missing) or 'nothing'}")
        click.echo(
            f"{found.messages:,} messages, {found.wrong:,} break the contract; "
            f"{len(KINDS) - len(found.missing)} of its {len(KINDS)} kinds appeared"
        )
    if found.wrong:
        sys.exit(1)
