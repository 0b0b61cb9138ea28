"""A relay in front of a broker that reads MQTT packets, and stops before one that is named.

What it stops never reaches the broker, and nothing after it does: the moment between two packets lasts until
the client is killed.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

PUBLISH: Final = 3
PUBACK: Final = 4

Before = Callable[[bytes], bool]


def acknowledgement(packet: bytes) -> bool:
    return packet[0] >> 4 == PUBACK


def receipt(packet: bytes) -> bool:
    return packet[0] >> 4 == PUBLISH and b"/receipt" in packet[:64]


class Gate:
    """Relays every connection to `target`. `stop_before` arms it, `stopped` tells that it has stopped one."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._before: Before | None = None
        self.stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def stop_before(self, before: Before) -> None:
        self.stopped.clear()
        self._before = before

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(self._target) as broker:
            threading.Thread(target=_copy, args=(broker, client), daemon=True).start()
            buffer = b""
            while data := client.recv(65_536):
                *packets, buffer = _packets(buffer + data)
                for packet in packets:
                    if self._before is not None and self._before(packet):
                        self._before = None
                        self.stopped.set()
                        while client.recv(65_536):
                            pass  # nothing passes any more
                        return
                    broker.sendall(packet)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


def _packets(data: bytes) -> list[bytes]:
    """Whole MQTT packets (fixed header: type, then a length of 7 bits a byte), and last what is left over."""
    packets: list[bytes] = []
    while True:
        length, at = 0, 1
        while at < len(data):
            length |= (data[at] & 0x7F) << 7 * (at - 1)
            at += 1
            if not data[at - 1] & 0x80:
                break
        else:
            return [*packets, data]
        if len(data) < at + length:
            return [*packets, data]
        packets.append(data[: at + length])
        data = data[at + length :]
