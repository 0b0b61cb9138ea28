"""`vend-tap record`, `tail` and `replay`: the commands with a broker at the other end."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from shared import redaction
from shared.capture import Header, Message, chained
from shared.capture.rotation import Limits, RotatingWriter
from shared.decoded import view
from shared.progress import bar
from shared.renaming import Renaming
from shared.selection import Selection
from shared.settings import MqttSettings
from shared.tap import options, values, words
from shared.tap.link import Link
from shared.tap.options import Chosen, choosing, connecting, said, talk, until_told
from shared.tap.player import play
from shared.tap.recorder import Recorder

_FILTERS: Final = click.option(
    *("-t", "--topic", "filters"),
    multiple=True,
    default=("vend/v1/#",),
    show_default=True,
    metavar="FILTER",
    help="An MQTT filter; several must not overlap.",
)
_COUNT: Final = click.option("--count", type=click.IntRange(1), metavar="N", help="End after N messages.")


@click.command()
@options.OUT
@_FILTERS
@_COUNT
@click.option(
    *("--for", "for_ns"), callback=values.duration_ns, metavar="TIME", help="End after 90s, 5m, 1h ..."
)
@click.option(
    "--rotate-size", callback=values.size_bytes, metavar="SIZE", help="Begin the next file after 64M ..."
)
@click.option(
    "--rotate-every", callback=values.duration_ns, metavar="TIME", help="Begin the next file after 1h ..."
)
@click.option(
    "--view", "with_view", is_flag=True, help="Beside each payload what it says, for people and jq."
)
@click.option("--with-secrets", is_flag=True, help="Every byte as it is: keep such a file to yourself.")
@connecting
def record(
    out: Path,
    broker: MqttSettings,
    filters: Sequence[str],
    count: int | None,
    for_ns: int | None,
    rotate_size: int | None,
    rotate_every: int | None,
    *,
    with_view: bool,
    with_secrets: bool,
) -> None:
    """Write what a broker carries to OUT, compressed where its name ends in .gz, until Ctrl-C.

    A message is on the disk before the broker is told that it came. Proofs of claim codes, signatures of
    commands, certificates and bus recordings are taken out; the header says so.
    """
    where = f"{broker.host}:{broker.port}"
    about = {
        "broker": where,
        "filters": list(filters),
        "retain_as_published": broker.protocol == "5",
        "redacted": [] if with_secrets else list(redaction.RULES),
    }
    header = Header(time.time_ns(), "vend-tap", about)
    with said(), until_told() as told:
        writer = RotatingWriter(out, header, Limits(rotate_size, rotate_every), _view if with_view else None)

        def keep(messages: Sequence[Message]) -> None:
            writer.append(messages if with_secrets else [redaction.redacted(m) for m in messages])

        end_s = None if for_ns is None else time.monotonic() + for_ns / values.NS
        try:
            with Recorder(broker, filters, keep, talk, count) as recorder:
                talk(f"recording {' '.join(filters)} from {where}; Ctrl-C ends")
                recorder.run(lambda: told() or (end_s is not None and time.monotonic() >= end_s))
        finally:
            writer.close()
        talk(f"{recorder.heard:,} messages in {', '.join(map(str, writer.files))}")


def _view(message: Message) -> object:
    return view(message.topic, message.payload)


@click.command()
@_FILTERS
@click.option("--machine", "machines", multiple=True, metavar="M", help="Only this machine.")
@_COUNT
@options.JSON
@connecting
def tail(
    broker: MqttSettings,
    filters: Sequence[str],
    machines: Sequence[str],
    count: int | None,
    *,
    as_json: bool,
) -> None:
    """Show what a broker carries, decoded, as it comes, until Ctrl-C."""
    chosen = Selection(machines=tuple(machines))

    def keep(messages: Sequence[Message]) -> None:
        words.show(chosen.of(messages), options.echo, as_json=as_json)

    with said(), until_told() as told, Recorder(broker, filters, keep, talk, count) as recorder:
        recorder.run(told)


@click.command()
@options.FILES
@choosing
@click.option(
    "--speed", default="1", show_default=True, callback=values.speed, metavar="X", help="0.1, 10 ... or max."
)
@click.option(
    *("--map", "names"),
    multiple=True,
    callback=values.pairs,
    metavar="OLD=NEW",
    help="A machine under another name; several times.",
)
@click.option("--loop", is_flag=True, help="Again from the start, until Ctrl-C.")
@options.JSON
@connecting
def replay(
    files: Sequence[Path],
    chosen: Chosen,
    broker: MqttSettings,
    speed: float,
    names: dict[str, str],
    *,
    loop: bool,
    as_json: bool,
) -> None:
    """Publish captures again, in order, with QoS, retained flag and properties as they were.

    Exit status 0 only if the broker confirmed every message that has a QoS above 0.
    """
    count = 0
    begin_s = time.monotonic()
    with said(), until_told() as told:
        selection, renaming = chosen.of(files), Renaming(names)
        with Link(broker, talk) as link:
            while True:
                with bar("replaying", sum(path.stat().st_size for path in files)) as tell:
                    messages = map(renaming.of, selection.of(chained(files, tell)))
                    count += play(link, messages, speed or None, told)
                if not loop or told():
                    break
    _tell(link, count, time.monotonic() - begin_s, as_json=as_json)


def _tell(link: Link, count: int, seconds: float, *, as_json: bool) -> None:
    left = len(link.unconfirmed)
    if as_json:
        told = {"messages": count, "seconds": seconds, "unheard": link.unheard, "unconfirmed": left}
        click.echo(json.dumps({**told, "refused": link.refused}))
    else:
        click.echo(f"{count:,} messages in {seconds:.1f} s; {link.unheard:,} of them had no subscriber")
    for what, times in link.refused.most_common(10):
        talk(f"refused {times:,} times: {what}")
    if left:
        talk(f"{left:,} were not confirmed yet")
    if link.refused or left:
        sys.exit(1)
