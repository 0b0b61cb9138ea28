"""One connection to the broker; the one file that reaches into aiomqtt's paho client.

Contract: a message is acknowledged by `acknowledge` and by nothing else, on the connection it came by:
aiomqtt 2.5 acknowledges when a message enters its queue (measured: 900 of 1,000 lost on a kill), and packet
ids start again on a new connection, where an old acknowledgement would delete a new message. A publish has
succeeded when the broker's reason code says so; aiomqtt tells nobody, so paho's callback is read.
Everything raises MqttError when the connection is lost; a Connection is used once.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar

import aiomqtt
import paho.mqtt.client as paho
from aiomqtt import MqttError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud.batch import Arrived
from shared.mqtt_properties import from_paho
from shared.network import send_at_once
from shared.settings import MqttSettings

RECEIVE_MAXIMUM: Final = 1_000
_INBOX_LIMIT_BYTES: Final = 256 * 1024 * 1024  # Mosquitto 2.0.11 lets more than Receive Maximum out
_PUBLISH_LIMIT_S: Final = 10.0
_FIRST_REFUSAL: Final = 0x80
_T = TypeVar("_T")


class PublishRefusedError(Exception):
    """The broker answered, and did not take the message; the text has its reason."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message, and what acknowledges it."""

    arrived: Arrived
    properties: dict[str, Any]
    mid: int


@dataclass(frozen=True, slots=True)
class Request:
    """What MQTT 5 says of a message that wants an answer; 3.1.1 has no place for it."""

    response_topic: str
    correlation: bytes
    expiry_s: int


class Connection:
    """Async context manager: clean session, manual acknowledgement. `wall_ns` stamps what arrives."""

    def __init__(self, settings: MqttSettings, identifier: str, wall_ns: Callable[[], int]) -> None:
        self._is_v5 = settings.protocol == "5"
        self._wall_ns = wall_ns
        self._client = _client(settings, identifier)
        self._paho = self._client._client  # noqa: SLF001  # no public way in aiomqtt 2.5
        self._paho.manual_ack_set(True)
        self._paho.on_message = self._on_message
        self._paho.on_publish = self._on_publish
        self._inbox: deque[Inbound] = deque()
        self._inbox_bytes = 0
        self._arrived = asyncio.Event()
        self._answers: dict[int, asyncio.Future[ReasonCode]] = {}
        self._overflow: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        try:
            await self._client.__aenter__()
        except MqttError:
            self._paho.disconnect()  # aiomqtt leaves the socket of a broker that never answered
            raise
        send_at_once(self._paho.socket())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._overflow.cancel()
        await self._client.__aexit__(None, None, None)

    async def subscribe(self, pattern: str, qos: int) -> None:
        for code in await self._client.subscribe(pattern, qos):
            if (code.value if isinstance(code, ReasonCode) else code) >= _FIRST_REFUSAL:
                raise MqttError(f"the broker refuses the subscription {pattern}: {code}")

    async def receive(self, most: int, most_bytes: int) -> list[Inbound]:
        """At least one message, and whatever else is there up to a count and a size of payloads."""
        if not self._inbox:
            self._arrived.clear()
            await self._while_connected(self._arrived.wait())
        taken: list[Inbound] = []
        size = 0
        while self._inbox and len(taken) < most and size < most_bytes:
            taken.append(self._inbox.popleft())
            size += len(taken[-1].arrived.payload)
        self._inbox_bytes -= size
        return taken

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages that nobody has received yet, and the bytes of their payloads."""
        return len(self._inbox), self._inbox_bytes

    def acknowledge(self, message: Inbound) -> None:
        """Tell the broker that this message is done with. Harmless when the connection is gone."""
        if message.arrived.qos:
            self._paho.ack(message.mid, message.arrived.qos)

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        content_type: str,
        request: Request | None = None,
    ) -> None:
        """Done when the broker has it. Raises PublishRefusedError when it says no; 3.1.1 never does."""
        properties = None
        if self._is_v5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ContentType = content_type
            if request is not None:
                properties.ResponseTopic = request.response_topic
                properties.CorrelationData = request.correlation
                properties.MessageExpiryInterval = request.expiry_s
        sent = self._paho.publish(topic, payload, qos, retain, properties)
        if sent.rc != paho.MQTT_ERR_SUCCESS:
            raise MqttError(f"cannot publish: {paho.error_string(sent.rc)}")
        answer = self._answers[sent.mid] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(_PUBLISH_LIMIT_S):
                code = await self._while_connected(_result(answer))
        except TimeoutError:
            raise MqttError(f"no answer to a publish in {_PUBLISH_LIMIT_S:.0f} s") from None
        finally:
            del self._answers[sent.mid]
        if code.value >= _FIRST_REFUSAL:
            raise PublishRefusedError(str(code))

    async def lost(self) -> None:
        """Waits until the connection is gone, and raises MqttError."""
        await self._while_connected(asyncio.Event().wait())

    async def _while_connected(self, wait: Coroutine[Any, Any, _T]) -> _T:
        task = asyncio.ensure_future(wait)
        gone = self._client._disconnected  # noqa: SLF001  # what its own message iterator waits for
        ends: tuple[asyncio.Future[Any], ...] = (task, gone, self._overflow)
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
        if task.done():
            return task.result()
        if gone.done():
            raise MqttError("the connection is lost") from gone.exception()
        raise MqttError(f"more than {_INBOX_LIMIT_BYTES} bytes are waiting; the machines send them again")

    def _on_message(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        if self._overflow.done():
            return
        properties = from_paho(message.properties)
        payload = bytes(message.payload)
        arrived = Arrived(message.topic, payload, message.qos, message.retain, self._wall_ns(), message.dup)
        self._inbox.append(Inbound(arrived, properties, message.mid))
        self._inbox_bytes += len(payload)
        self._arrived.set()
        if self._inbox_bytes > _INBOX_LIMIT_BYTES:
            self._overflow.set_result(None)

    def _on_publish(
        self, _client: paho.Client, _userdata: object, mid: int, code: ReasonCode, _props: Properties
    ) -> None:
        answer = self._answers.get(mid)
        if answer is not None and not answer.done():
            answer.set_result(code)


async def _result(answer: asyncio.Future[_T]) -> _T:
    return await answer


def _client(settings: MqttSettings, identifier: str) -> aiomqtt.Client:
    v5 = settings.protocol == "5"
    properties = None
    if v5:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
    return aiomqtt.Client(
        settings.host,
        settings.port,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V5 if v5 else aiomqtt.ProtocolVersion.V311,
        clean_session=None if v5 else True,
        clean_start=True if v5 else paho.MQTT_CLEAN_START_FIRST_ONLY,
        username=settings.username,
        password=settings.password.get_secret_value() if settings.password else None,
        keepalive=settings.keepalive_s,
        properties=properties,
        tls_context=_tls(settings),
        max_inflight_messages=200,
    )


def _tls(settings: MqttSettings) -> ssl.SSLContext | None:
    if settings.tls is None:
        return None
    context = ssl.create_default_context(cafile=settings.tls.ca)
    context.load_cert_chain(settings.tls.certificate, settings.tls.key_file)
    return context
