"""The link to the broker: paho's thread, and nothing else.

Contract: `publish` never blocks and may be lost; only receipts count, and they come as Inbound events. Each
connection is a new paho client, so nothing of an old one is sent again behind our back (paho keeps its own
queue in memory and would). Callbacks only put events into the inbox: `on_publish` runs with paho's lock held.
paho's rc and is_published say success for refused publishes; the reason code in `on_publish` does not.

Only the thread touches the socket. Left alone, paho writes from whatever thread publishes, while the thread
reads: a TLS connection must not be used by two at once, and a packet that the kernel took half of would have
another one written into it.
"""

import logging
import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.identity.keeper import Keeper
from edge.link_events import Connected, Disconnected, Inbound, PubAcked, Publish
from shared import topics
from shared.network import send_at_once
from shared.settings import MqttSettings

_log = logging.getLogger(__name__)
_SESSION_S: Final = 3600  # receipts wait this long at the broker for a machine that lost its link
_BACKOFF_FIRST_S: Final = 0.5
_BACKOFF_LIMIT_S: Final = 30.0
_CONNECT_LIMIT_S: Final = 10.0

UplinkEvent = Connected | Disconnected | PubAcked | Inbound


class Uplink:
    """`emit` takes every event and may block; `crashed` takes what ended the thread.

    `will` gives the retained message the broker sends when this machine falls silent. `keeper` has the
    machine's certificate; None is a plain connection.
    """

    def __init__(
        self,
        settings: MqttSettings,
        machine: str,
        will: Callable[[], Publish],
        emit: Callable[[UplinkEvent], None],
        crashed: Callable[[BaseException], None],
        keeper: Keeper | None = None,
    ) -> None:
        self._settings = settings
        self._machine = machine
        self._will = will
        self._emit = emit
        self._crashed = crashed
        self._keeper = keeper
        self._v5 = settings.protocol == "5"
        self._stop = threading.Event()
        self._lock = threading.Lock()  # guards the two below; never held while calling paho
        self._client: mqtt.Client | None = None
        self._tokens: dict[int, int | None] = {}
        self._early: dict[int, int] = {}  # PUBACKs that came before publish() had returned the packet id
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; without a goodbye, which would take the last will back."""
        self._stop.set()
        self.drop()
        self._thread.join(_CONNECT_LIMIT_S + 1)

    def drop(self) -> None:
        """Close the connection; a new one follows."""
        with self._lock:
            client = self._client
        if client is not None:
            _shut(client)

    def publish(self, message: Publish) -> None:
        """Hand a message to the present connection, if there is one."""
        with self._lock:
            client = self._client
        if client is None or not client.is_connected():
            return
        properties = None
        if self._v5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ContentType = message.content_type
            if message.correlation is not None:
                properties.CorrelationData = message.correlation
        sent = client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        with self._lock:
            early = self._early.pop(sent.mid, None)
            if early is None:
                self._tokens[sent.mid] = message.token
        if early is not None and message.token is not None:
            self._emit(PubAcked(message.token, early))

    # ---- the thread

    def _run(self) -> None:
        try:
            rng = random.Random()  # noqa: S311  # jitter, not secrets
            pause_s = 0.0
            while not self._stop.is_set():
                pause_s = next_pause_s(pause_s, self._connection())
                self._stop.wait(pause_s * rng.uniform(0.5, 1.0))
        except BaseException as error:  # noqa: BLE001  # a thread's outermost frame: record and end the process
            self._crashed(error)

    def _connection(self) -> float:
        """One connection from CONNECT to its end. Returns how long it took, 0 when it was not accepted."""
        accepted = threading.Event()
        started_s = time.monotonic()
        client = self._make_client(accepted)
        reason = "broker unreachable"
        try:
            self._connect(client)
            send_at_once(client.socket())
            with self._lock:
                self._client = client
                self._tokens.clear()
                self._early.clear()
            while not self._stop.is_set():
                if client.loop(timeout=1.0) is not MQTTErrorCode.MQTT_ERR_SUCCESS:
                    reason = "connection lost"
                    break
                if accepted.is_set() and self._keeper is not None:
                    self._renew(client, self._keeper)
        except (OSError, ValueError) as error:  # ValueError: paho's word for an unusable TLS or socket state
            reason = str(error) or type(error).__name__
            _log.info("broker %s:%s: %s", self._settings.host, self._settings.port, reason)
        finally:
            with self._lock:
                self._client = None
            _shut(client)
        if not accepted.is_set():
            return 0.0
        self._emit(Disconnected(reason))
        return time.monotonic() - started_s

    def _connect(self, client: mqtt.Client) -> None:
        settings = self._settings
        if self._keeper is not None:
            client.tls_set_context(self._keeper.context())
        properties = None
        if self._v5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _SESSION_S
        client.connect(
            settings.host,
            settings.port,
            settings.keepalive_s,
            clean_start=False if self._v5 else mqtt.MQTT_CLEAN_START_FIRST_ONLY,
            properties=properties,
        )

    def _renew(self, client: mqtt.Client, keeper: Keeper) -> None:
        """Nobody waits for the answer: an unanswered request is made again."""
        keeper.accepted()
        request = keeper.request()
        if request is not None:
            topic = topics.CERTIFICATE_REQUEST
            client.publish(topic.of(self._machine), request, topic.qos, topic.retained)

    def _arrived(self, client: mqtt.Client, message: mqtt.MQTTMessage) -> None:
        if message.topic != topics.CERTIFICATE_ISSUED.of(self._machine):
            self._emit(Inbound(message.topic, bytes(message.payload)))
        elif self._keeper is not None and self._keeper.take(bytes(message.payload)):
            client.disconnect()  # and come back with the new one

    def _make_client(self, accepted: threading.Event) -> mqtt.Client:
        settings = self._settings
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._machine,
            clean_session=None if self._v5 else False,
            protocol=mqtt.MQTTv5 if self._v5 else mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECT_LIMIT_S
        client.max_inflight_messages_set(0)  # the outbox keeps the window
        if settings.username is not None:
            secret = settings.password.get_secret_value() if settings.password else None
            client.username_pw_set(settings.username, secret)
        will = self._will()
        client.will_set(will.topic, will.payload, will.qos, will.retain)

        def on_connect(
            client: mqtt.Client,
            _data: object,
            flags: mqtt.ConnectFlags,
            reason: ReasonCode,
            props: Properties | None,
        ) -> None:
            if reason.is_failure:
                _log.warning("the broker refuses this machine: %s", reason)
                return
            accepted.set()
            down = [t for t in topics.TOPICS if t.direction is topics.Direction.DOWN]
            if self._v5:
                client.subscribe([(t.of(self._machine), SubscribeOptions(qos=t.qos)) for t in down])
            else:
                client.subscribe([(t.of(self._machine), t.qos) for t in down])
            limit = getattr(props, "MaximumPacketSize", None) if props else None
            self._emit(Connected(session_present=flags.session_present, max_packet_bytes=limit))

        def on_publish(
            _client: mqtt.Client, _data: object, mid: int, reason: ReasonCode, _props: Properties | None
        ) -> None:
            with self._lock:
                if mid not in self._tokens:
                    self._early[mid] = reason.value
                token = self._tokens.pop(mid, None)
            if token is not None:
                self._emit(PubAcked(token, reason.value))

        def on_message(client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
            self._arrived(client, message)

        # With a callback here paho only queues, and wakes the thread.
        client.on_socket_register_write = lambda _client, _data, _sock: None
        client.on_connect = on_connect
        client.on_publish = on_publish
        client.on_message = on_message
        return client


def next_pause_s(pause_s: float, lived_s: float) -> float:
    """How long to wait after a connection of `lived_s`, the pause before it having been `pause_s`.

    One that was shorter than the longest pause counts as a failed try: two clones of a card take the
    connection from one another, and so each has turns that get longer, until the cloud's word is heard.
    """
    if lived_s >= _BACKOFF_LIMIT_S:
        return _BACKOFF_FIRST_S
    return max(_BACKOFF_FIRST_S, min(_BACKOFF_LIMIT_S, pause_s * 2))


def _shut(client: mqtt.Client) -> None:
    sock = client.socket()
    if isinstance(sock, socket.socket):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # already gone, which is what was wanted
