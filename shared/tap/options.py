"""Options that several commands have: which broker, which messages; and trouble said in words."""

import os
import signal
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Final

import click
from pydantic import ValidationError

from shared.capture import CaptureError, read_header
from shared.fields import explain
from shared.renaming import RenamingError
from shared.selection import Selection
from shared.settings import MqttSettings
from shared.tap import values
from shared.tap.link import LinkError

_PASSWORD: Final = "VEND_TAP_PASSWORD"  # noqa: S105  # the name of a variable
_Command = Callable[..., None]
_PATH: Final = click.Path(path_type=Path)
FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)
FILES: Final = click.argument("files", nargs=-1, required=True, type=FILE)
OUT: Final = click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
JSON: Final = click.option("--json", "as_json", is_flag=True, help="JSON lines.")


def talk(text: str) -> None:
    click.echo(text, err=True)


@contextmanager
def said() -> Iterator[None]:
    """Trouble that a person can do something about, in words instead of a trace; exit status 1."""
    try:
        yield
    except (CaptureError, LinkError, RenamingError) as error:
        talk(str(error))
        sys.exit(1)
    except BrokenPipeError:  # `| head` has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        talk(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        sys.exit(1)


@contextmanager
def until_told() -> Iterator[Callable[[], bool]]:
    """True once Ctrl-C was pressed or the program was asked to end; so that it ends in good order."""
    told: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda given, _frame: told.append(given)) for number in numbers]
    try:
        yield lambda: bool(told)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def echo(line: str) -> None:
    """Coloured on a terminal, and never where NO_COLOR is set (https://no-color.org)."""
    click.echo(line, color=False if os.environ.get("NO_COLOR") else None)


# --- which messages -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chosen:
    """What --topic, --machine, --from and --until say."""

    filters: tuple[str, ...]
    machines: tuple[str, ...]
    since: int | datetime | None
    until: int | datetime | None

    def of(self, files: Sequence[Path]) -> Selection:
        """Times count from the start of the first of these files. Raises CaptureError and OSError."""
        started_ns = read_header(files[0]).started_at_ns

        def since_start(at: int | datetime | None) -> int | None:
            return round(at.timestamp() * values.NS) - started_ns if isinstance(at, datetime) else at

        return Selection(self.filters, self.machines, since_start(self.since), since_start(self.until))


def choosing(command: _Command) -> _Command:
    """Gives the command `chosen`."""

    @click.option("-t", "--topic", "filters", multiple=True, metavar="FILTER", help="Only this MQTT filter.")
    @click.option("--machine", "machines", multiple=True, metavar="M", help="Only this machine.")
    @click.option(
        *("--from", "since"),
        callback=values.moment,
        metavar="TIME",
        help="From 90s, 1h30m after the start, or a date such as 2026-01-31T12:00:00Z.",
    )
    @click.option("--until", callback=values.moment, metavar="TIME", help="Up to here, this left out.")
    @wraps(command)
    def wrapped(
        filters: tuple[str, ...],
        machines: tuple[str, ...],
        since: int | datetime | None,
        until: int | datetime | None,
        **rest: object,
    ) -> None:
        command(chosen=Chosen(filters, machines, since, until), **rest)

    return wrapped


# --- which broker -------------------------------------------------------------------------------------------


def connecting(command: _Command) -> _Command:
    """Gives the command `broker`: a program's own settings, or options, which win."""

    @click.option("--config", type=_PATH, help="A TOML file whose [mqtt] table says all that follows.")
    @click.option("--host", help="[default: 127.0.0.1]")
    @click.option("--port", type=int, help="[default: 1883]")
    @click.option("--protocol", type=click.Choice(["5", "3.1.1"]), help="[default: 5]")
    @click.option("--username", help=f"Its password is read from {_PASSWORD}.")
    @click.option("--ca", type=_PATH, help="The authority of the broker's certificate, PEM.")
    @click.option("--cert", type=_PATH, help="Our certificate, PEM.")
    @click.option("--key", type=_PATH, help="Its key, where that is in another file.")
    @wraps(command)
    def wrapped(
        config: Path | None, ca: Path | None, cert: Path | None, key: Path | None, **rest: object
    ) -> None:
        given = {name: rest.pop(name) for name in ("host", "port", "protocol", "username")}
        given["password"] = os.environ.get(_PASSWORD)
        tls = {"ca": ca, "certificate": cert, "key": key}
        command(broker=_broker(config, given, tls), **rest)

    return wrapped


def _broker(config: Path | None, given: dict[str, object], tls: dict[str, Path | None]) -> MqttSettings:
    found: dict[str, object] = {}
    try:
        if config is not None:
            found = tomllib.loads(config.read_text()).get("mqtt", {})
        found |= {name: value for name, value in given.items() if value is not None}
        files = {name: path for name, path in tls.items() if path is not None}
        if files:
            before = found.get("tls")
            found["tls"] = {**(before if isinstance(before, dict) else {}), **files}
        return MqttSettings.model_validate(found)
    except ValidationError as error:
        raise click.UsageError(f"the broker's settings: {explain(error)}") from None
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{config}: {error}") from None
