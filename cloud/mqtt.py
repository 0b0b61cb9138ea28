"""aiomqtt with acknowledgement after the write; the one file that reaches into its paho client.

aiomqtt 2.5 acknowledges a message when it enters its queue (measured: 900 of 1,000 lost on a kill), so
acknowledging is taken over. Each connection is a new client, and a message is acknowledged only on the
connection it came by: packet ids start again on a new one, and an old acknowledgement would delete a new,
unprocessed message. The queue is unbounded because a bounded one drops what it acknowledges; Receive
Maximum bounds it at the broker.
"""

import ssl
from dataclasses import dataclass
from typing import Final

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud.batch import Arrived
from shared.settings import MqttSettings

RECEIVE_MAXIMUM: Final = 1_000


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message, and what acknowledges it."""

    arrived: Arrived
    properties: dict[str, str]
    mid: int


def make_client(settings: MqttSettings, identifier: str) -> aiomqtt.Client:
    """A client for one connection: clean session, manual acknowledgement."""
    v5 = settings.protocol == "5"
    properties = None
    if v5:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
    client = aiomqtt.Client(
        settings.host,
        settings.port,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V5 if v5 else aiomqtt.ProtocolVersion.V311,
        clean_session=None if v5 else True,
        clean_start=True if v5 else 3,
        username=settings.username,
        password=settings.password.get_secret_value() if settings.password else None,
        keepalive=settings.keepalive_s,
        properties=properties,
        tls_context=_tls(settings),
        max_inflight_messages=200,
    )
    client.pending_calls_threshold = 10_000  # a burst of receipts is no sign of trouble
    client._client.manual_ack_set(True)  # noqa: SLF001  # no public way in aiomqtt 2.5
    return client


def acknowledge(client: aiomqtt.Client, message: Inbound) -> None:
    """Tell the broker that this message is done with. Harmless when the connection is gone."""
    client._client.ack(message.mid, message.arrived.qos)  # noqa: SLF001


def _tls(settings: MqttSettings) -> ssl.SSLContext | None:
    if settings.tls is None:
        return None
    context = ssl.create_default_context(cafile=settings.tls.ca)
    context.load_cert_chain(settings.tls.certificate, settings.tls.key)
    return context


def content_type(topic_codec: str, settings: MqttSettings) -> Properties | None:
    if settings.protocol != "5":
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ContentType = topic_codec
    return properties
