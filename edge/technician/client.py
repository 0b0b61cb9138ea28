"""Asking a running machine through one of its sockets (edge/local_api.py)."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any, Final

ANSWER_LIMIT_S: Final = 5.0


class NoAnswer(Exception):  # noqa: N818  # what it is
    """There is no socket, nobody behind it, no right to use it, or nothing that can be used came back."""


class Declined(Exception):  # noqa: N818  # what it is
    """The machine understood, and says why it does not do it."""


def ask(path: Path, address: str, body: str | None = None) -> Any:  # noqa: ANN401  # whatever JSON is answered
    """One GET, or with a body one POST. Raises NoAnswer and Declined."""
    connection = _UnixConnection(path)
    try:
        connection.request("GET" if body is None else "POST", address, body)
        answer = connection.getresponse()
        found = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(str(error)) from None
    finally:
        connection.close()
    if answer.status == http.client.CONFLICT:
        raise Declined(found["error"])
    if answer.status != http.client.OK:
        raise NoAnswer(found.get("error", answer.reason))
    return found


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_LIMIT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
