"""Debian's own client at the production broker, with a certificate of the cloud's (docs/clients.md)."""

import subprocess

from cloud.identity import broker
from deploy.contract.kinds import KINDS
from shared import topics
from tests.mosquitto.clients import Client
from tests.mosquitto.conftest import CLOUD, A
from tests.mosquitto.site import ProductionBroker, Site

BY_NAME = {kind.name: kind for kind in KINDS}
TIMEOUT = 27  # mosquitto_sub's status where nothing came


def read(production: ProductionBroker, site: Site, topic: topics.Topic, wait_s: int) -> tuple[int, bytes]:
    pem = str(site.pem(CLOUD))
    where = ("-h", production.host, "-p", str(production.port))
    files = ("--cafile", str(site.folder / broker.AUTHORITY), "--cert", pem, "--key", pem)
    command = ("mosquitto_sub", *where, *files, "-q", "1", "-C", "1", "-W", str(wait_s), "-t", topic.of(A))
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode, done.stdout.rstrip(b"\n")


def test_it_reads_what_goes_up_and_not_what_comes_down(production: ProductionBroker, site: Site) -> None:
    status, prices = BY_NAME["status"], BY_NAME["prices"]
    with Client(production.port, site.folder, A) as machine:
        machine.publish(status.topic.of(A), status.encode(), retain=True)
    with Client(production.port, site.folder, CLOUD) as cloud:
        cloud.publish(prices.topic.of(A), prices.encode(), retain=True)
    assert read(production, site, status.topic, 10) == (0, status.encode())
    assert read(production, site, prices.topic, 1) == (TIMEOUT, b"")
