"""What both ends set on their connection to the broker."""

import socket


def send_at_once(sock: object) -> None:
    """Switch Nagle's algorithm off: with it a small packet waits for the delayed TCP ACK of the one before.

    Measured: 45 ms instead of 2 for a receipt, and a third of the backlog rate.
    """
    if isinstance(sock, socket.socket):  # a TLS socket is one too
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
