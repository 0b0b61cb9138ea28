"""The link that demo and system tests cut: it must do what they believe it does."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from deploy.demo.network import Link
from tests.helpers import eventually


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield listener


@pytest.fixture
def link(server: socket.socket) -> Iterator[Link]:
    with Link("127.0.0.1", server.getsockname()[1]) as link:
        yield link


def _connect(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=5)


def _is_closed(end: socket.socket) -> bool:
    try:
        return end.recv(1) == b""
    except ConnectionError:
        return True


def test_bytes_pass_both_ways_and_are_counted(server: socket.socket, link: Link) -> None:
    with _connect(link) as client, server.accept()[0] as peer:
        client.sendall(b"hello")
        assert peer.recv(10) == b"hello"
        peer.sendall(b"you")
        assert client.recv(10) == b"you"
    eventually(lambda: (link.sent_bytes, link.received_bytes) == (5, 3))


def test_what_was_sent_before_closing_arrives(server: socket.socket, link: Link) -> None:
    data = bytes(range(256)) * 200  # fits the socket buffers: sent whole before anybody reads
    with _connect(link) as client, server.accept()[0] as peer:
        client.sendall(data)
        client.close()
        with peer.makefile("rb") as arrived:
            assert arrived.read() == data


def test_cut_closes_and_resets_until_restored(server: socket.socket, link: Link) -> None:
    with _connect(link) as client, server.accept()[0] as peer:
        link.cut()
        assert _is_closed(client)
        assert _is_closed(peer)
    with _connect(link) as client:
        assert _is_closed(client)
    link.restore()
    with _connect(link) as client, server.accept()[0] as peer:
        client.sendall(b"again")
        assert peer.recv(10) == b"again"


def test_cut_works_on_a_reader_that_does_not_read(server: socket.socket, link: Link) -> None:
    with _connect(link) as client, server.accept()[0]:
        client.settimeout(0.2)
        with suppress(TimeoutError):
            while True:
                client.send(bytes(1_000_000))
        link.cut()
        client.settimeout(5)
        assert _is_closed(client)


def test_black_hole_keeps_connections_and_moves_nothing(server: socket.socket, link: Link) -> None:
    with _connect(link) as client, server.accept()[0] as peer:
        link.black_hole()
        client.sendall(b"lost?")
        cpu_s = time.process_time()
        peer.settimeout(0.3)
        with pytest.raises(TimeoutError):
            peer.recv(10)
        assert time.process_time() - cpu_s < 0.2, "the relay must wait, not spin"
        link.restore()
        peer.settimeout(5)
        assert peer.recv(10) == b"lost?"


def test_a_server_that_is_not_there_closes_the_client(server: socket.socket, link: Link) -> None:
    server.close()
    with _connect(link) as client:
        assert _is_closed(client)
