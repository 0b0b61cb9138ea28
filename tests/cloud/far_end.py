"""The broker's other side: a machine's client, with paho itself and nothing of ours but the codec."""

import threading
from typing import Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from shared import codec, topics
from shared.messages import PriceList, Receipt, Reported
from tests.helpers import eventually


class Machine:
    """Publishes what it is told to, and keeps what comes down."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.receipts: list[Receipt] = []
        self.prices: list[tuple[PriceList, bool]] = []
        self._lock = threading.Lock()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"test-{name}", protocol=paho.MQTTv5
        )
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._client.on_connect = lambda client, *_: client.subscribe(
            [(topics.RECEIPT.of(name), 1), (topics.PRICES.of(name), 1)]
        )
        self._client.on_message = self._on_message
        self._port = port

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port, keepalive=5)
        self._client.loop_start()
        eventually(self._client.is_connected)
        return self

    def __exit__(self, *error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        with self._lock:
            if message.topic == topics.RECEIPT.of(self.name):
                self.receipts.append(Receipt.model_validate(codec.unpack(bytes(message.payload))))
            else:
                self.prices.append((PriceList.model_validate_json(message.payload), message.retain))

    def send(self, *records: object, topic: topics.Topic = topics.SALE) -> None:
        self.send_raw(codec.pack(list(records)), topic)

    def send_raw(self, payload: bytes, topic: topics.Topic = topics.SALE) -> None:
        sent = self._client.publish(topic.of(self.name), payload, topic.qos, topic.retained)
        sent.wait_for_publish(10)

    def report(self, **prices: int) -> None:
        value = Reported(at_ns=1, prices=PriceList(version=0, currency="EUR", prices=prices))
        self.send_raw(value.model_dump_json().encode(), topics.REPORTED)

    def stored(self) -> set[int]:
        with self._lock:
            ranges = [pair for receipt in self.receipts for pair in receipt.stored]
        return {seq for first, last in ranges for seq in range(first, last + 1)}

    def refused(self) -> dict[int, str]:
        with self._lock:
            return {r.seq: r.reason for receipt in self.receipts for r in receipt.refused}
