"""`vend-cloud ca`, `provision`, `invite`, `revoke`, `identities`, `signer`: who may speak at the broker."""

import asyncio
import json
import logging
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import click

from cloud.cli.common import print_table, said, when
from cloud.config import CloudSettings
from cloud.database import StoreError, make
from cloud.identity import authority, broker, own
from cloud.identity import issue as issuing
from cloud.identity import signer as signing
from cloud.identity.authority import Use
from cloud.identity.issue import Desk
from cloud.identity.overview import overview
from cloud.identity.register import Register
from shared.files import write_whole
from shared.topics import CLOUD_USERS

_OBEYS_LIMIT_S: Final = 20.0
_LOOK_S: Final = 0.3
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def _duration(_context: click.Context, _option: click.Parameter, text: str) -> timedelta:
    match = re.fullmatch(r"([1-9][0-9]{0,3})([mhd])", text)
    if match is None:
        raise click.BadParameter(f"{text!r}: write a number and m, h or d, such as 24h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


@contextmanager
def _register(settings: CloudSettings) -> Iterator[Register]:
    path = settings.data_dir / "store.db"
    with said(), _files():
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        make(path)
        with closing(Register(path)) as opened:
            yield opened


@contextmanager
def _desk(settings: CloudSettings) -> Iterator[Desk]:
    with _register(settings) as register:
        life = timedelta(days=settings.identity.valid_days)
        yield Desk(authority.load(settings.ca_dir), register, life)


@contextmanager
def _files() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        words = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise StoreError(f"{words}; check the path or address, and whose command this is") from None


@contextmanager
def _told(again: str) -> Iterator[None]:
    try:
        yield
    except broker.BrokerTroubleError as error:
        raise StoreError(f"{error}; mend it and say `vend-cloud {again}` again") from None


@click.group()
def ca() -> None:
    """The operator's own certificate authority."""


@ca.command("init")
@click.pass_obj
def init(settings: CloudSettings) -> None:
    """Make the authority, once."""
    with said(), _files():
        made = authority.make(settings.ca_dir, time.time_ns())
        click.echo(authority.fingerprint(made.pem))
        click.echo(
            f"made in {settings.ca_dir}; keep a copy of that folder where nobody else can read it", err=True
        )


@ca.command("broker")
@click.option("--name", "names", multiple=True, required=True, help="A name or address of the broker.")
@click.pass_obj
def for_broker(settings: CloudSettings, names: Sequence[str]) -> None:
    """Certificate, key, rights and revocation list, where the broker's configuration looks for them."""
    folder = settings.identity.broker_dir
    with _desk(settings) as desk:
        now_ns = time.time_ns()
        issued, key = own.make(desk, names[0], Use.SERVER, tuple(names), now_ns)
        write_whole(folder / broker.KEY, key, 0o640)  # the folder's group may be the broker's
        write_whole(folder / broker.CERTIFICATE, issued.pem.encode(), 0o644)
        broker.write_rights(desk, folder, now_ns)
        click.echo(folder)
        click.echo(
            f"good until {when(issued.not_after_ns)}; restart the broker, which must be able to read it",
            err=True,
        )


@ca.command("rights")
@click.pass_obj
def rights(settings: CloudSettings) -> None:
    """Write the broker's rights and revocation list anew: after an upgrade, or if it could not be told."""
    with _desk(settings) as desk, _told("ca rights"):
        broker.write_rights(desk, settings.identity.broker_dir, time.time_ns())
        broker.tell(settings.identity.broker_reload)
        click.echo(settings.identity.broker_dir)


@ca.command("cloud")
@click.option(
    "--process",
    type=click.IntRange(1, len(CLOUD_USERS)),
    default=1,
    show_default=True,
    help="Which of several cloud processes: each needs a certificate of its own.",
)
@click.pass_obj
def for_cloud(settings: CloudSettings, process: int) -> None:
    """The cloud program's own certificate, where [mqtt.tls] looks for it."""
    tls = settings.mqtt.tls
    with _desk(settings) as desk:
        if tls is None or tls.key is not None:
            raise StoreError(
                "set [mqtt.tls] ca and certificate first, without key: it goes into the same file"
            )
        issued, key = own.make(desk, CLOUD_USERS[process - 1], Use.CLIENT, (), time.time_ns())
        write_whole(tls.certificate, issued.pem.encode() + key, 0o600)
        if tls.ca != settings.identity.broker_dir / broker.AUTHORITY:
            write_whole(tls.ca, desk.authority.pem, 0o644)
        click.echo(tls.certificate)
        click.echo(f"good until {when(issued.not_after_ns)}", err=True)


@click.command()
@click.argument("machine")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Default: a new folder MACHINE here.")
@click.option("--request", type=click.Path(path_type=Path), help="A request (PEM) made at the machine.")
@click.pass_obj
def provision(settings: CloudSettings, machine: str, folder: Path | None, request: Path | None) -> None:
    """Key and certificate of a machine, in a folder to carry there; or sign its own request."""
    with _desk(settings) as desk:
        issuing.machine_name(machine)
        wanted = request.read_bytes() if request else None
        folder = folder or Path(machine)
        folder.mkdir(mode=0o700, exist_ok=True, parents=True)
        was_denied = machine in desk.register.denied()
        issued, key = desk.provision(machine, time.time_ns(), wanted)
        write_whole(folder / "machine.pem", issued.pem.encode() + key, 0o600)
        write_whole(folder / "ca.pem", desk.authority.pem, 0o644)
        click.echo(folder)
        words = (
            "move the folder to the machine and keep no copy" if key else "put the key into machine.pem too"
        )
        click.echo(f"good until {when(issued.not_after_ns)}; {words}", err=True)
        if was_denied:
            with _told("ca rights"):
                broker.write_rights(desk, settings.identity.broker_dir, time.time_ns())
                broker.tell(settings.identity.broker_reload)


@click.command()
@click.argument("machine")
@click.option("--valid", callback=_duration, default="24h", show_default=True, help="Such as 30m, 24h, 7d.")
@click.pass_obj
def invite(settings: CloudSettings, machine: str, valid: timedelta) -> None:
    """One line to type at the machine, good once. An earlier invitation is void."""
    url = settings.identity.join_url
    with _register(settings) as register:
        if url is None:
            raise StoreError("set [identity] join_url, and let `vend-cloud signer` run")
        pem = authority.public_pem(settings.ca_dir)
        code = issuing.invite(register, machine, pem, time.time_ns(), valid)
    click.echo(f"vend-edge join {url} {code.text()}")


@click.command()
@click.argument("machine")
@click.option("--reason", default="", help="For the books: stolen, sold, ...")
@click.pass_obj
def revoke(settings: CloudSettings, machine: str, reason: str) -> None:
    """Nothing with a certificate of this name gets in any more, and what is in is silenced and cut off.

    Say it again if the broker could not be told.
    """
    with _desk(settings) as desk:
        if not desk.register.of(machine):
            raise StoreError(f"{machine}: no certificate was ever made for it; is the name right?")
        now_ns = time.time_ns()
        count = desk.register.revoke(machine, reason, now_ns)
        click.echo(f"{machine}: {count} certificates revoked; the cloud takes nothing from it", err=True)
        broker.write_rights(desk, settings.identity.broker_dir, now_ns)
        with _told(f"revoke {machine}"):
            _enforce(settings, desk, machine)
        click.echo(f"{machine} revoked")


def _enforce(settings: CloudSettings, desk: Desk, machine: str) -> None:
    broker.tell(settings.identity.broker_reload)
    if settings.mqtt.tls is None:
        raise broker.BrokerTroubleError("[mqtt.tls] is not set: a plain broker knows no certificates")
    deadline_s = time.monotonic() + _OBEYS_LIMIT_S
    while not broker.denies(desk, machine, settings.mqtt, time.time_ns()):
        if time.monotonic() > deadline_s:
            raise broker.BrokerTroubleError("the broker still lets it publish")
        time.sleep(_LOOK_S)
    click.echo("the broker denies it everything, and its connection is cut off", err=True)


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def identities(settings: CloudSettings, *, as_json: bool) -> None:
    """Everybody that has a certificate, until when, and who is invited. Times are UTC."""
    with _register(settings) as register:
        rows = overview(register, time.time_ns())
    if as_json:
        click.echo(json.dumps([row.as_json() for row in rows]))
        return
    print_table(
        ("name", "state", "until", "how", "by", "reason"),
        [(row.name, row.state, when(row.until_ns), row.how, row.who, row.reason) for row in rows],
    )


@click.command()
@click.pass_obj
def signer(settings: CloudSettings) -> None:
    """Let machines join and renew, until told to stop. Needs the authority's key; `run` does not."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    with said(), _files():
        asyncio.run(signing.run(settings))


COMMANDS: Final = (ca, provision, invite, revoke, identities, signer)
