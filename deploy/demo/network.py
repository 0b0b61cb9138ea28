"""A network that can be cut: a TCP relay on loopback between a machine and the broker."""

import selectors
import socket
import threading
from typing import Final, Self

_CHUNK: Final = 65_536


class Link:
    """Relay from `port` to the target. `cut` closes everything and refuses; `black_hole` keeps connections
    open and moves nothing; `restore` undoes both. `sent_bytes` counts what the client sent.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._up = True
        self._moving = True
        self._ended = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self.sent_bytes = 0
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._thread.start()

    def cut(self) -> None:
        with self._lock:
            self._up = False

    def black_hole(self) -> None:
        with self._lock:
            self._moving = False

    def restore(self) -> None:
        with self._lock:
            self._up = self._moving = True

    def close(self) -> None:
        with self._lock:
            self._ended = True
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._ended:
                ready = selector.select(timeout=0.02)
                with self._lock:
                    up, moving = self._up, self._moving
                if not up:
                    self._close_all(selector)
                for key, _ in ready:
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    if source is self._listener:
                        self._accept(selector, up=up)
                    elif moving and source in self._pairs:
                        self._relay(selector, source)
            self._close_all(selector)
            self._listener.close()

    def _accept(self, selector: selectors.BaseSelector, *, up: bool) -> None:
        client, _ = self._listener.accept()
        if not up:
            client.close()
            return
        try:
            server = socket.create_connection(self._target, timeout=2)
        except OSError:
            client.close()
            return
        self._pairs[client], self._pairs[server] = server, client
        self._clients.add(client)
        for end in (client, server):
            end.setblocking(True)
            selector.register(end, selectors.EVENT_READ)

    def _relay(self, selector: selectors.BaseSelector, source: socket.socket) -> None:
        try:
            data = source.recv(_CHUNK)
            if data:
                self._pairs[source].sendall(data)
        except OSError:
            data = b""
        if source in self._clients:
            self.sent_bytes += len(data)
        if not data:
            self._close(selector, source)

    def _close(self, selector: selectors.BaseSelector, end: socket.socket) -> None:
        other = self._pairs.pop(end)
        del self._pairs[other]
        self._clients -= {end, other}
        for sock in (end, other):
            selector.unregister(sock)
            sock.close()

    def _close_all(self, selector: selectors.BaseSelector) -> None:
        while self._pairs:
            self._close(selector, next(iter(self._pairs)))
