"""`vend-cloud signer`: the one process that has the authority's key, for the join desk and for renewals.

It is a client of the broker under a name of its own: a machine's request comes straight from the machine's
branch, for which the broker stands, and nothing else of the cloud can ask for a certificate or forge one.
While it is down nobody joins and renewals wait; machines ask every hour, for months. Its own certificate it
makes itself.
"""

import asyncio
import logging
import os
import random
import signal
import sqlite3
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiomqtt import MqttError
from pydantic import ValidationError

from cloud.config import CloudSettings
from cloud.database import make
from cloud.identity import authority, broker, own
from cloud.identity.authority import Authority, Use
from cloud.identity.issue import Desk
from cloud.identity.join_desk import application
from cloud.identity.register import Register
from cloud.mqtt import Connection, Inbound, PublishRefusedError
from cloud.supervised import supervised
from shared import topics
from shared.messages import CertificateRequest
from shared.settings import MqttSettings, TlsSettings
from shared.supervisor import VARIABLE, Supervisor

_log = logging.getLogger(__name__)
_BATCH_MESSAGES: Final = 100
_BATCH_BYTES: Final = 1024 * 1024
_BACKOFF_FIRST_S: Final = 0.25
_BACKOFF_LIMIT_S: Final = 10.0
_DAY_S: Final = 86_400.0


async def run(settings: CloudSettings) -> None:
    """Until SIGTERM or SIGINT. Raises StoreError without an authority, OSError without the port."""
    path = settings.data_dir / "store.db"
    make(path)
    with closing(Register(path)) as register:
        desk = Desk(authority.load(settings.ca_dir), register, _life(settings))
        certificate = settings.ca_dir / "signer.pem"
        task = asyncio.create_task(_serve(settings, desk, certificate))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        async with supervised(Supervisor(os.environ.get(VARIABLE))):
            try:
                await task
            except asyncio.CancelledError:
                _log.info("stopping")


def _life(settings: CloudSettings) -> timedelta:
    return timedelta(days=settings.identity.valid_days)


async def _serve(settings: CloudSettings, desk: Desk, certificate: Path) -> None:
    url = settings.identity.join_url
    hosts = (str(urlsplit(url).hostname),) if url else ()
    own.keep(desk, certificate, topics.SIGNER_USER, Use.BOTH, hosts, time.time_ns())
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    mqtt = settings.mqtt
    if mqtt.tls is not None:
        mqtt = mqtt.model_copy(update={"tls": TlsSettings(ca=mqtt.tls.ca, certificate=certificate)})
    async with _join_desk(settings, desk, tls), asyncio.TaskGroup() as group:
        group.create_task(renewals(mqtt, desk))
        while True:
            await asyncio.sleep(_DAY_S)
            if own.keep(desk, certificate, topics.SIGNER_USER, Use.BOTH, hosts, time.time_ns()):
                tls.load_cert_chain(certificate)


@asynccontextmanager
async def _join_desk(settings: CloudSettings, desk: Desk, tls: ssl.SSLContext) -> AsyncIterator[None]:
    url = settings.identity.join_url
    if url is None:
        _log.info("no join desk: [identity] join_url is not set")
        yield
        return
    built = application(desk, time.time_ns, time.monotonic, lambda: _welcome(settings, desk.authority))
    runner = web.AppRunner(built, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.identity.join_listen, urlsplit(url).port, ssl_context=tls).start()
        _log.info("machines join at %s", url)
        yield
    finally:
        await runner.cleanup()


def _welcome(settings: CloudSettings, signs: Authority) -> None:
    """In a thread of its own, so with a connection of its own."""
    try:
        with closing(Register(settings.data_dir / "store.db")) as register:
            desk = Desk(signs, register, _life(settings))
            broker.write_rights(desk, settings.identity.broker_dir, time.time_ns())
        broker.tell(settings.identity.broker_reload)
    except (OSError, sqlite3.OperationalError, broker.BrokerTroubleError) as error:
        _log.error("the broker still denies a machine that joined again: %s; `vend-cloud ca rights`", error)


async def renewals(settings: MqttSettings, desk: Desk) -> None:
    """Until it is cancelled."""
    rng = random.Random()  # noqa: S311  # jitter, not secrets
    pause_s = _BACKOFF_FIRST_S
    while True:
        try:
            async with Connection(settings, topics.SIGNER_USER, time.time_ns) as connection:
                wanted = topics.CERTIFICATE_REQUEST
                await connection.subscribe(wanted.filter, wanted.qos)
                _log.info("connected to %s:%s", settings.host, settings.port)
                pause_s = _BACKOFF_FIRST_S
                while True:
                    for message in await connection.receive(_BATCH_MESSAGES, _BATCH_BYTES):
                        await _renew(connection, desk, message)
        except (MqttError, OSError, sqlite3.OperationalError) as trouble:
            _log.warning("%s; connecting again", trouble)
        await asyncio.sleep(pause_s * rng.uniform(0.5, 1.0))
        pause_s = min(_BACKOFF_LIMIT_S, pause_s * 2)


async def _renew(connection: Connection, desk: Desk, message: Inbound) -> None:
    """An answer that gets lost is no loss: the machine asks again, with the same key."""
    parsed = topics.parse(message.arrived.topic)
    try:
        wanted = CertificateRequest.model_validate_json(message.arrived.payload)
    except ValidationError:
        wanted = None
    if parsed is None or wanted is None:
        _log.warning("%s: not a request for a certificate", message.arrived.topic)
    else:
        machine, issued = parsed[0], topics.CERTIFICATE_ISSUED
        answer = desk.renew(machine, wanted, time.time_ns())
        _log.info("renewal of %s: %s", machine, answer.refused or "signed")
        try:
            await connection.publish(
                issued.of(machine),
                answer.model_dump_json().encode(),
                qos=issued.qos,
                retain=issued.retained,
                content_type=issued.codec.value,
            )
        except PublishRefusedError as error:
            _log.warning("answer to %s not delivered: %s; it will ask again", machine, error)
    connection.acknowledge(message)
