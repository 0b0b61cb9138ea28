"""HTTP on a Unix socket, for programs on this machine, which never waits for any of them.

- One request a connection: at most MAX_REQUEST_BYTES in REQUEST_LIMIT_S, however slowly it comes. At most
  MAX_CONNECTIONS are served at a time; the next one is told 503 at once.
- A route answers or raises Refused, whose sentence says what to do. It runs on the connection's own thread.
- Trouble of a client ends its connection. A mistake of ours is answered with 500 and logged: neither reaches
  the machine. A socket that cannot be made is logged, and the machine sells without it.
- Who may connect is decided by the socket's mode, which it has before anybody can connect.
"""

import io
import json
import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from time import monotonic
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

MAX_REQUEST_BYTES: Final = 8 * 1024
MAX_BODY_BYTES: Final = 1024
REQUEST_LIMIT_S: Final = 2.0
ANSWER_LIMIT_S: Final = 2.0
MAX_CONNECTIONS: Final = 8
_STOP_LOOK_S: Final = 0.2
_log = logging.getLogger(__name__)


class Refused(Exception):  # noqa: N818  # an answer, not a mistake
    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


Answer = tuple[HTTPStatus, str]  # the text is JSON
Route = Callable[[Mapping[str, str], bytes], Answer]  # query and body in
Routes = Mapping[tuple[str, str], Route]  # by method and path


class LocalServer:
    """`start` never fails and `stop` may always be called; both from one thread."""

    def __init__(self, name: str, path: Path, mode: int, routes: Routes) -> None:
        self._name = name
        self._path = path
        self._mode = mode
        self._routes = routes
        self._server: _Server | None = None

    def start(self) -> None:
        try:
            if self._path.is_socket():
                self._path.unlink()  # of a process that was killed: the journal's lock lets only one live
            self._server = _Server(self._name, self._path, self._mode, self._routes)
        except OSError as error:
            _log.warning("no socket %s (%s): the machine sells without it", self._path, error)
            return
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(_STOP_LOOK_S,), name=self._name, daemon=True).start()

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            with suppress(OSError):
                self._path.unlink()


class _Server(socketserver.UnixStreamServer):
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, name: str, path: Path, mode: int, routes: Routes) -> None:
        super().__init__(str(path), _Handler, bind_and_activate=False)
        self.routes = routes
        self._name = name
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        try:
            self.server_bind()
            path.chmod(mode)
            self.server_activate()  # nobody can connect before
        except OSError:
            self.server_close()
            raise

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  # socketserver's words
        if not self._room.acquire(blocking=False):
            with suppress(OSError):
                request.send(_BUSY, socket.MSG_DONTWAIT)
            self.shutdown_request(request)
            return
        work = threading.Thread(
            target=self._serve, args=(request, client_address), name=self._name, daemon=True
        )
        try:
            work.start()
        except RuntimeError:  # the system gives no more threads
            self._room.release()
            raise

    def _serve(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        try:
            self.finish_request(request, client_address)
        except Exception:  # noqa: BLE001  # a connection's outermost frame: its client's trouble is not ours
            _log.exception("a request on %s ended by a mistake of ours", self.server_address)
        finally:
            self.shutdown_request(request)
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        del request, client_address
        _log.exception("a connection on %s could not be served", self.server_address)


class _Bounded(io.RawIOBase):
    """What a client sends, up to a number of bytes and a moment; raises Refused beyond either."""

    def __init__(self, connection: socket.socket, until_s: float) -> None:
        self._connection = connection
        self._until_s = until_s
        self._left_bytes = MAX_REQUEST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  # any writable buffer
        if not self._left_bytes:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request has at most {MAX_REQUEST_BYTES} bytes"
            )
        try:
            self._connection.settimeout(max(0.001, self._until_s - monotonic()))
            count = self._connection.recv_into(buffer, min(len(buffer), self._left_bytes))
        except TimeoutError:
            text = f"send the whole request within {REQUEST_LIMIT_S:.0f} s"
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, text) from None
        self._left_bytes -= count
        return count


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "vendlink"
    sys_version = ""
    command = requestline = ""  # until the request line is read
    request_version = "HTTP/1.0"

    def setup(self) -> None:
        super().setup()
        self._until_s = monotonic() + REQUEST_LIMIT_S
        self._is_read = False
        self.rfile.close()
        self.rfile = io.BufferedReader(_Bounded(self.request, self._until_s))

    def handle(self) -> None:
        with suppress(OSError):  # the client has gone
            try:
                self.handle_one_request()
            except Refused as refused:
                self._refuse(refused.status, str(refused))
            except Exception:
                self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "a mistake of the machine; see its log")
                raise
            if not self._is_read:
                self._drain()

    def _dispatch(self) -> None:
        try:
            url = urlsplit(self.path)
            query = dict(parse_qsl(url.query, max_num_fields=4))
        except ValueError:
            raise Refused(HTTPStatus.BAD_REQUEST, "this address cannot be read") from None
        routes = self.server.routes
        route = routes.get((self.command, url.path))
        if route is None:
            known = ", ".join(f"{method} {path}" for method, path in routes)
            other = any(path == url.path for _, path in routes)
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED if other else HTTPStatus.NOT_FOUND, f"ask {known}")
        body = self._body() if self.command == "POST" else b""
        self._is_read = True
        self._answer(*route(query, body))

    do_GET = do_POST = _dispatch  # noqa: N815  # names that http.server looks for

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "send the body with its Content-Length")
        if len(length) > 9 or int(length) > MAX_BODY_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {MAX_BODY_BYTES} bytes")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise Refused(HTTPStatus.BAD_REQUEST, f"{len(body)} of {length} bytes came; send all of them")
        return body

    def _answer(self, status: int, text: str) -> None:
        body = text.encode() + b"\n"
        self.request.settimeout(ANSWER_LIMIT_S)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: int, text: str) -> None:
        self._answer(status, json.dumps({"error": text}))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server itself refuses, in our form."""
        self._refuse(code, message or explain or HTTPStatus(code).description)

    def _drain(self) -> None:
        """Read on what nobody wants: a client that still sends would lose the answer to a broken pipe."""
        self.request.shutdown(socket.SHUT_WR)
        while (left_s := self._until_s - monotonic()) > 0:
            self.request.settimeout(left_s)
            if not self.request.recv(65_536):
                return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401  # http.server's words
        """What clients ask is no news."""


_BUSY_TEXT: Final = json.dumps(
    {"error": f"{MAX_CONNECTIONS} connections are served at a time; try again"}
).encode()
_BUSY: Final = (
    b"HTTP/1.0 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_BUSY_TEXT), _BUSY_TEXT)
)
