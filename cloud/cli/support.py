"""`vend-cloud support`: what one machine said in the last minutes, as a file for whoever helps."""

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import click

from cloud.cli.common import database, said
from cloud.config import CloudSettings
from cloud.database import StoreError
from cloud.support import collected, size_bytes
from shared.capture import Header, Message
from shared.capture.rotation import new
from shared.progress import bar

_MINUTE_NS: Final = 60 * 10**9
_PART: Final = 500


def _write(out: Path, header: Header, messages: Sequence[Message]) -> None:
    """All of it or no file."""
    writer = new(out, header)
    try:
        with closing(writer):
            for first in range(0, len(messages), _PART):
                writer.append(messages[first : first + _PART])
    except BaseException:
        out.unlink()
        raise


@click.command()
@click.option("--machine", required=True, metavar="M")
@click.option("--minutes", type=click.IntRange(1, 44_640), default=10, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE")
@click.pass_obj
def support(settings: CloudSettings, machine: str, minutes: int, out: Path) -> None:
    """Write a bug report of one machine: what it said, what is wanted of it, what was there before.

    Secrets are taken out. FILE is a capture (.mqtt.jsonl or .mqtt.jsonl.gz): `vend-tap show` reads it, and a
    maintainer replays it.
    """
    database(settings)
    now_ns = time.time_ns()
    since_ns = now_ns - minutes * _MINUTE_NS
    with said():
        with bar("archive", size_bytes(settings, since_ns)) as tell:
            header, messages = collected(settings, machine, since_ns, now_ns, tell)
        try:
            _write(out, header, messages)
        except OSError as error:
            raise StoreError(f"{out} cannot be written ({error.strerror}); name another file") from None
    if all(message.at_ns < since_ns for message in messages if message.dir == "in"):
        click.echo(f"{machine} said nothing in these {minutes} minutes; ask for more --minutes", err=True)
    click.echo(f"{len(messages):,} messages in {out}, which can be sent to whoever helps", err=True)
