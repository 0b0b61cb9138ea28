"""One connection of the tap to a broker, in the caller's thread. `turn` blocks as long as it is told.

A message is acknowledged by `acknowledge`, once it is where it should be. A lost connection is made again and
the session taken up where the broker still has it: then what was not acknowledged comes again, and what was
not confirmed is sent again. Raises LinkError, and nothing else, where that is no use: the broker cannot be
reached at the start, does not want us, or has another program under our name.
"""

import json
import secrets
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic, sleep
from typing import Any, Final, Self, TypeVar

import paho.mqtt.client as mqtt
from paho.mqtt import MQTTException
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from shared.capture import Message
from shared.mqtt_properties import to_paho
from shared.network import send_at_once
from shared.settings import MqttSettings

_SESSION_S: Final = 3600
_CONNECT_LIMIT_S: Final = 10.0
_AGAIN_S: Final = 1.0
_GOODBYE_S: Final = 1.0
_MOST_LOSSES: Final = 5  # in a row of connections that did not last
_LASTS_S: Final = 10.0
_FIRST_REFUSAL: Final = 0x80
_TAKEN_OVER: Final = 0x8E
_NOBODY: Final = 0x10  # no matching subscribers
_FIXED_BYTES: Final = 9  # of a PUBLISH: type, lengths and number
_ONLY_IF_NEW: Final = 1  # retained messages do not come again with a session that is taken up

Take = Callable[[mqtt.MQTTMessage], None]
Talk = Callable[[str], None]
_T = TypeVar("_T")


class LinkError(Exception):
    """No connection; the text says what to do."""


class Link:
    """Connected inside its `with` block. `take` gets every message of the filters, in the thread of `turn`.

    `unconfirmed`: topics by packet number of what was published with QoS 1 or 2 and is not confirmed;
    `refused`: how often the broker did not take something, by topic and reason; `unheard`: how many messages
    had no subscriber. `talk` is told of trouble that passes.
    """

    def __init__(
        self, settings: MqttSettings, talk: Talk, filters: Sequence[str] = (), take: Take | None = None
    ) -> None:
        self._settings = settings
        self._talk = talk
        self._filters = filters
        self._take = take
        self._v5 = settings.protocol == "5"
        self._welcome: ReasonCode | None = None
        self._has_session = False
        self._granted: Sequence[ReasonCode] | None = None
        self._is_taken_over = False
        self._losses = 0
        self._since_s = 0.0
        self._most_bytes: int | None = None
        self.is_up = False
        self.connection = 0  # which one it is
        self.unconfirmed: dict[int, str] = {}
        self.refused: Counter[str] = Counter()
        self.unheard = 0
        self._made: tuple[dict[str, Any], Properties | None] = ({}, None)
        self._client = self._make_client()

    def __enter__(self) -> Self:
        try:
            self._open()
        except (OSError, ValueError) as error:  # ValueError: paho's word for an unusable TLS or socket state
            raise LinkError(f"{self._where}: {error}; is the broker there?") from None
        return self

    def __exit__(self, *error: object) -> None:
        properties = None
        if self._v5:
            properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0  # the broker need not keep anything for us
        with suppress(OSError, ValueError):
            self._client.disconnect(properties=properties)
            deadline_s = monotonic() + _GOODBYE_S
            while self._client.socket() is not None and monotonic() < deadline_s:
                self._client.loop(_GOODBYE_S)
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            sock.close()

    def turn(self, limit_s: float) -> None:
        """Let things happen for so long at most; a connection that is made again may take some seconds."""
        if not self.is_up:
            self._again(limit_s)
        elif self._client.loop(limit_s) is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lost()

    def acknowledge(self, mid: int, qos: int, connection: int) -> None:
        """`connection`: the one by which the message came; packet numbers start again on every new one."""
        if qos and self.is_up and connection == self.connection:
            self._client.ack(mid, qos)

    def publish(self, message: Message) -> None:
        """Hand over one message, while `is_up`. What MQTT cannot carry counts as refused."""
        try:
            self._judge(message)
            properties = self._properties(message.properties) if self._v5 else None
            sent = self._client.publish(
                message.topic, message.payload, message.qos, message.retain, properties
            )
        except (ValueError, TypeError, MQTTException) as error:
            self.refused[f"{message.topic}: {error}"] += 1
            return
        if message.qos:
            self.unconfirmed[sent.mid] = message.topic
        while self._client.want_write() and self.is_up:
            self.turn(_AGAIN_S)

    def _judge(self, message: Message) -> None:
        """A broker ends the connection over what paho lets through. Properties take less than as JSON."""
        if not message.topic:
            raise ValueError("a message without a topic")
        about = len(message.topic.encode()) + len(json.dumps(message.properties))
        size = _FIXED_BYTES + about + len(message.payload)
        if self._most_bytes is not None and size > self._most_bytes:
            raise ValueError(f"{size} bytes are more than the {self._most_bytes} that this broker takes")

    def _properties(self, kept: dict[str, Any]) -> Properties | None:
        """paho's take long to make, and most messages have those of the one before."""
        if kept != self._made[0]:
            self._made = kept, to_paho(kept)
        return self._made[1]

    # ---- the connection

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _lost(self) -> None:
        self.is_up = False
        if self._is_taken_over:
            raise LinkError(
                f"{self._where}: another program is there under our name; use another certificate"
            )
        self._losses = self._losses + 1 if monotonic() - self._since_s < _LASTS_S else 0
        if self._losses > _MOST_LOSSES:  # Mosquitto 2.0.11 does not say why
            topic = next(iter(self.unconfirmed.values()), "")
            message = f", or will not have a message on {topic}" if topic else ""
            why = f"it has another program under our name{message}"
            raise LinkError(f"{self._where} ends the connection again and again: {why}")
        self._talk(f"{self._where}: the connection is lost; trying again")

    def _again(self, limit_s: float) -> None:
        try:
            self._open()
        except (OSError, ValueError, LinkError):  # a broker that is starting may say no, too
            sleep(min(limit_s, _AGAIN_S))
        else:
            forgotten = "" if self._has_session else "; the broker has forgotten us: messages may be missing"
            self._talk(f"{self._where}: connected again{forgotten}")

    def _open(self) -> None:
        self._welcome = self._granted = None
        self.connection += 1
        if self.connection == 1:
            self._connect()
        else:
            self._client.reconnect()
        send_at_once(self._client.socket())
        welcome = self._answer(lambda: self._welcome)
        if welcome.is_failure:
            raise LinkError(f"{self._where} does not let us in: {welcome}")
        if self._filters:
            for pattern, code in zip(self._filters, self._answer(lambda: self._granted), strict=True):
                if code.value >= _FIRST_REFUSAL:
                    raise LinkError(f"{self._where} refuses the filter {pattern}: {code}")
        self.is_up = True
        self._since_s = monotonic()

    def _connect(self) -> None:
        settings, properties = self._settings, None
        if self._v5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _SESSION_S
        if settings.tls is not None:
            context = ssl.create_default_context(cafile=settings.tls.ca)
            context.load_cert_chain(settings.tls.certificate, settings.tls.key_file)
            self._client.tls_set_context(context)
        self._client.connect(
            settings.host,
            settings.port,
            settings.keepalive_s,
            clean_start=mqtt.MQTT_CLEAN_START_FIRST_ONLY,
            properties=properties,
        )

    def _answer(self, look: Callable[[], _T | None]) -> _T:
        deadline_s = monotonic() + _CONNECT_LIMIT_S
        while (found := look()) is None:
            if monotonic() > deadline_s:
                raise TimeoutError(f"no answer in {_CONNECT_LIMIT_S:.0f} s")
            code = self._client.loop(0.2)
            if code is not MQTTErrorCode.MQTT_ERR_SUCCESS and look() is None:
                raise ConnectionError("the broker closed the connection")
        return found

    def _make_client(self) -> mqtt.Client:
        settings = self._settings
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"vend-tap-{secrets.token_hex(4)}",
            clean_session=None if self._v5 else True,
            protocol=mqtt.MQTTv5 if self._v5 else mqtt.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = _CONNECT_LIMIT_S
        client.max_inflight_messages_set(0)  # who publishes keeps the window
        if settings.username is not None:
            secret = settings.password.get_secret_value() if settings.password else None
            client.username_pw_set(settings.username, secret)

        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _on_connect(
        self,
        client: mqtt.Client,
        _data: object,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        props: Properties | None,
    ) -> None:
        self._welcome, self._has_session = reason, flags.session_present
        self._most_bytes = getattr(props, "MaximumPacketSize", None)
        if reason.is_failure or not self._filters:
            return
        if self._v5:
            options = SubscribeOptions(qos=2, retainAsPublished=True, retainHandling=_ONLY_IF_NEW)
            client.subscribe([(name, options) for name in self._filters])
        else:
            client.subscribe([(name, 2) for name in self._filters])

    def _on_subscribe(
        self, _client: mqtt.Client, _data: object, _mid: int, codes: list[ReasonCode], _props: object
    ) -> None:
        self._granted = codes

    def _on_publish(
        self, _client: mqtt.Client, _data: object, mid: int, reason: ReasonCode, _props: object
    ) -> None:
        topic = self.unconfirmed.pop(mid, "")
        self.unheard += reason.value == _NOBODY
        if reason.value >= _FIRST_REFUSAL:
            self.refused[f"{topic}: {reason}"] += 1

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        if self._take is not None:
            self._take(message)

    def _on_disconnect(
        self, _client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _props: object
    ) -> None:
        self._is_taken_over |= reason.value == _TAKEN_OVER  # the end of the socket is told, too
