"""Every identity, topic and way to publish or read at the real broker, generated from the table of topics.

A broker grants subscriptions it will never serve, so rights are judged by what is delivered.
"""

import itertools
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cloud.gauges.broker import TOPICS as OF_THE_BROKER
from deploy.demo.servers import Broker
from shared.topics import (
    CERTIFICATE_ISSUED,
    CERTIFICATE_REQUEST,
    CLOUD_USERS,
    CONFIG,
    PRICES,
    RECEIPT,
    SALE,
    TOPICS,
    Direction,
    Topic,
)
from tests.helpers import eventually
from tests.mosquitto.clients import Client
from tests.mosquitto.conftest import CLOUD, SIGNER, A, B
from tests.mosquitto.site import Site

EVERYBODY = (A, B, CLOUD, SIGNER)
CELLS = tuple(itertools.product((A, B), TOPICS))
SUCCESS, DENIED = 0x00, 0x87
OUTSIDE = (
    *("x", "$SYS/broker/uptime", "$CONTROL/dynamic-security/v1", "vend/v1/m-a", "vend/v1/m-a/sale/x"),
    *OF_THE_BROKER,
)
LAST = b"last"

Filters = Callable[[str], tuple[str, ...]]
READING: dict[str, Filters] = {
    "exact": lambda _who: tuple(topic.of(machine) for machine, topic in CELLS),
    "wildcard": lambda _who: ("#", "$SYS/#", "$CONTROL/#", "vend/v1/+/+", "vend/v1/+/+/+", "+/+/m-a/#"),
    "share": lambda who: (f"$share/{who}/#", *(f"$share/{who}/{topic.filter}" for topic in TOPICS)),
}


def writer(machine: str, topic: object) -> str:
    assert isinstance(topic, type(SALE))
    return machine if topic.direction is Direction.UP else topic.user


def reader(machine: str, topic: object) -> str:
    assert isinstance(topic, type(SALE))
    return topic.user if topic.direction is Direction.UP else machine


def readable(who: str, payload: Callable[[str], bytes]) -> set[tuple[str, bytes]]:
    """What `who` is to get when everybody publishes everywhere. `payload`: by publisher."""
    return {(t.of(m), payload(writer(m, t))) for m, t in CELLS if reader(m, t) == who}


def publish(client: Client, topic: str, payload: bytes = b"x", *, retain: bool = False) -> int:
    """Over TLS 2.0.11 closes the connection after it denied something. The answer itself is lost with it when
    something of ours, an acknowledgement perhaps, was not read before: TCP then resets. What is delivered is
    looked at beside.
    """
    answer = client.publish(topic, payload, retain=retain)
    if answer not in (DENIED, None):
        return answer
    client.reconnect()
    return DENIED


@contextmanager
def connected(production: Broker, folder: Path, filters: Filters) -> Iterator[dict[str, Client]]:
    with ExitStack() as stack:
        yield {
            who: stack.enter_context(Client(production.port, folder, who, filters=filters(who)))
            for who in EVERYBODY
        }


def settle(clients: dict[str, Client]) -> None:
    """A subscriber gets messages in the order the broker took them: after these, nothing is under way."""
    ways = ((A, SALE.of(A), CLOUD), (A, CERTIFICATE_REQUEST.of(A), SIGNER), (CLOUD, RECEIPT.of(A), A))
    for sender, name, receiver in (*ways, (CLOUD, RECEIPT.of(B), B)):
        clients[sender].publish(name, LAST)
        clients[receiver].wait_for(name, LAST)


def got(client: Client) -> set[tuple[str, bytes]]:
    """Of what the others say; the broker's own figures have a test of their own."""
    return {(name, payload) for name, payload in client.received if payload != LAST and name[0] != "$"}


@pytest.mark.parametrize(("reading", "retain"), [("exact", False), ("wildcard", True), ("share", False)])
def test_everybody_publishes_and_asks_for_everything_and_gets_what_is_theirs(
    production: Broker, certificates: Path, reading: str, *, retain: bool
) -> None:
    with connected(production, certificates, READING[reading]) as clients:
        for who, (machine, topic) in itertools.product(EVERYBODY, CELLS):
            may = who == writer(machine, topic)
            if may or reading != "share":  # who reads has no say in who may write
                answer = publish(clients[who], topic.of(machine), who.encode(), retain=retain)
                assert answer == (SUCCESS if may else DENIED), (who, topic.of(machine))
        settle(clients)
        for who, client in clients.items():
            assert got(client) == readable(who, str.encode), who
    if retain:
        with connected(production, certificates, READING["wildcard"]) as clients:
            settle(clients)
            assert {who: got(c) for who, c in clients.items()} == {
                who: readable(who, str.encode) for who in EVERYBODY
            }


def test_the_cloud_alone_reads_the_figures_of_the_broker_and_only_those(
    production: Broker, certificates: Path
) -> None:
    asked = ("$SYS/#", "$SYS/broker/+/#", "$SYS/broker/uptime", *OF_THE_BROKER)
    with connected(production, certificates, lambda who: (*asked, *READING["exact"](who))) as clients:
        eventually(lambda: {name for name, _ in clients[CLOUD].received} >= set(OF_THE_BROKER))
        settle(clients)
        for who, client in clients.items():
            told = {name for name, _ in client.received if name[0] == "$"}
            assert told == (set(OF_THE_BROKER) if who == CLOUD else set()), who


def test_nobody_publishes_outside(production: Broker, certificates: Path) -> None:
    for who in EVERYBODY:
        with Client(production.port, certificates, who) as client:
            assert [publish(client, name) for name in OUTSIDE] == [DENIED] * len(OUTSIDE), who


def test_a_last_will_has_the_rights_of_who_leaves_it(production: Broker, certificates: Path) -> None:
    """Everybody dies once for each topic; who reads it hears it from the right one alone."""
    heard: dict[str, set[tuple[str, bytes]]] = {who: set() for who in EVERYBODY}
    for who in EVERYBODY:
        others = [other for other in EVERYBODY if other != who]
        with ExitStack() as stack:
            clients = {
                name: stack.enter_context(Client(production.port, certificates, name, filters=("#",)))
                for name in others
            }
            before = {name: len(client.received) for name, client in clients.items()}
            for machine, topic in CELLS:
                payload = f"will of {who}".encode()
                with Client(production.port, certificates, who, will=(topic.of(machine), payload)) as dying:
                    dying.vanish()
            for name, topic_name in ((CLOUD, SALE.of(A)), (SIGNER, CERTIFICATE_REQUEST.of(A))):
                if A in clients and name in clients:
                    clients[A].publish(topic_name, LAST)
                    clients[name].wait_for(topic_name, LAST)
            for name, topic in ((CLOUD, RECEIPT), (SIGNER, CERTIFICATE_ISSUED)):
                for machine in {A, B} & clients.keys():
                    if name in clients:
                        clients[name].publish(topic.of(machine), LAST)
                        clients[machine].wait_for(topic.of(machine), LAST)
            for name, client in clients.items():
                heard[name] |= {m for m in client.received[before[name] :] if m[1].startswith(b"will")}
    for who in EVERYBODY:
        assert heard[who] == readable(who, lambda writer: f"will of {writer}".encode()), who


@pytest.mark.parametrize("topic", [PRICES, CONFIG], ids=lambda topic: topic.name)
def test_what_is_wanted_can_be_neither_forged_nor_cleared(
    production: Broker, certificates: Path, topic: Topic
) -> None:
    """T5: by no device, neither its own nor another's, with an older version or with nothing in it."""
    with Client(production.port, certificates, CLOUD) as cloud:
        cloud.publish(topic.of(A), b'{"version": 7}', retain=True)
    for who in (A, B, SIGNER):
        with Client(production.port, certificates, who) as thief:
            for forged in (b'{"version": 6}', b'{"version": 8}', b""):
                assert publish(thief, topic.of(A), forged, retain=True) == DENIED
    with Client(production.port, certificates, A, filters=(topic.of(A),)) as machine:
        machine.wait_for(topic.of(A), b'{"version": 7}')
        assert len(machine.received) == 1


def test_several_cloud_processes_share_the_records_and_nobody_takes_a_share(
    production: Broker, certificates: Path, site: Site
) -> None:
    """T4: a machine may join any group whose name it knows, and the broker drops what it then denies it."""
    second = CLOUD_USERS[1]
    site.give(second)
    group = f"$share/{secrets.token_hex(16)}/{SALE.filter}"
    guesses = tuple(f"$share/{name}/{SALE.filter}" for name in (*CLOUD_USERS, B))
    sales = [f"shared {number:02}".encode() for number in range(20)]
    with ExitStack() as stack:
        cloud = [
            stack.enter_context(Client(production.port, certificates, who, filters=(group,)))
            for who in (CLOUD, second)
        ]
        stack.enter_context(Client(production.port, certificates, B, filters=guesses))
        machine = stack.enter_context(Client(production.port, certificates, A))
        for payload in sales:
            assert machine.publish(SALE.of(A), payload) == SUCCESS

        def shares() -> list[list[bytes]]:  # wills of other tests may still be on their way
            return [[m[1] for m in client.received if m[1] in sales] for client in cloud]

        eventually(lambda: sorted(payload for share in shares() for payload in share) == sales)
        assert all(shares()), "both have one"
