"""A client that keeps what it was told and given. Its certificate decides who it is."""

import queue
import socket
import threading
from pathlib import Path
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

LIMIT_S = 10.0


class Client:
    """Connected inside its `with` block. `received` is every message so far; the will is (topic, payload)."""

    def __init__(
        self,
        port: int,
        certificates: Path,
        name: str,
        *,
        client_id: str | None = None,
        filters: tuple[str, ...] = (),
        will: tuple[str, bytes] | None = None,
        protocol: int = mqtt.MQTTv5,
    ) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.ended = threading.Event()
        self.max_packet_bytes: int | None = None
        self._port, self._certificates, self._name = port, certificates, name
        self._client_id = name if client_id is None else client_id
        self._filters, self._will, self._protocol = filters, will, protocol
        self._arrival = threading.Condition()
        self._answers: queue.Queue[ReasonCode] = queue.Queue()
        self._acks: dict[int, int] = {}
        self._client = self._make()

    def _make(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=MQTTProtocolVersion(self._protocol),
            reconnect_on_failure=False,
        )
        folder, name = self._certificates, self._name
        client.tls_set(f"{folder}/ca.crt", f"{folder}/{name}.crt", f"{folder}/{name}.key")
        if self._will is not None:
            client.will_set(self._will[0], self._will[1], qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def __enter__(self) -> Self:
        self._connect(clean=True)
        for name in self._filters:
            self._client.subscribe(name, qos=1)
            self._answers.get(timeout=LIMIT_S)  # granted, whatever the rights are
        return self

    def _connect(self, *, clean: bool) -> None:
        properties = None
        if self._protocol == mqtt.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 60
        self.ended.clear()
        self._acks.clear()
        self._client.connect(
            "127.0.0.1",
            self._port,
            clean_start=clean if properties else mqtt.MQTT_CLEAN_START_FIRST_ONLY,
            properties=properties,
        )
        self._client.loop_start()
        answer = self._answers.get(timeout=LIMIT_S)
        assert not answer.is_failure, str(answer)

    def reconnect(self) -> None:
        """Into the session of before: subscriptions and what has come since are there."""
        self._client.disconnect()
        self._client.loop_stop()
        self._client = self._make()
        self._connect(clean=False)

    def __exit__(self, *error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> int | None:
        """The reason code of the broker's acknowledgement; None when the connection ended instead."""
        mid = self._client.publish(topic, payload, qos=1, retain=retain).mid
        with self._arrival:
            assert self._arrival.wait_for(lambda: mid in self._acks or self.ended.is_set(), LIMIT_S)
            return self._acks.get(mid)

    def wait_for(self, topic: str, payload: bytes) -> None:
        with self._arrival:
            assert self._arrival.wait_for(lambda: (topic, payload) in self.received, LIMIT_S), self.received

    def vanish(self) -> None:
        """End without a goodbye: the broker sends the last will."""
        sock = self._client.socket()
        assert isinstance(sock, socket.socket)
        sock.shutdown(socket.SHUT_RDWR)
        assert self.ended.wait(LIMIT_S)

    def _on_connect(
        self,
        _client: mqtt.Client,
        _data: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self.max_packet_bytes = getattr(properties, "MaximumPacketSize", None)
        self._answers.put(reason)

    def _on_subscribe(
        self, _client: mqtt.Client, _data: object, _mid: int, reasons: list[ReasonCode], _props: object
    ) -> None:
        self._answers.put(reasons[0])

    def _on_publish(
        self, _client: mqtt.Client, _data: object, mid: int, reason: ReasonCode, _props: object
    ) -> None:
        with self._arrival:
            self._acks[mid] = reason.value
            self._arrival.notify_all()

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        with self._arrival:
            self.received.append((message.topic, bytes(message.payload)))
            self._arrival.notify_all()

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _data: object,
        _flags: mqtt.DisconnectFlags,
        _reason: ReasonCode,
        _props: object,
    ) -> None:
        with self._arrival:
            self.ended.set()
            self._arrival.notify_all()
