"""Real servers as child processes, for tests and demos: own folder, free loopback ports, own pid only.

A server dies with the thread that started it (the kernel's parent-death signal belongs to the thread), so
start it from one that lives as long as the server should.
"""

import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final, Self

_READY_LIMIT_S: Final = 15.0
_STOP_LIMIT_S: Final = 10.0
_PORT_TRIES: Final = 5
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)

# No TLS, no rights, nothing on disk, no message dropped, and none overtaken: with a window, Mosquitto 2.0.11
# lets a new message pass those that it has queued for a slow subscriber (measured).
LOOPBACK: Final = """allow_anonymous true
persistence false
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
"""

# Below the ports the kernel gives to outgoing connections: while a server is down nothing else gets its port,
# and no client that tries again and again can meet itself there.
_PORTS: Final = range(20_000, 32_000)


def free_port() -> int:
    """A loopback port nobody listens on. Somebody may be faster; `Server.start` then takes another."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311  # no secret
        if _is_free(port):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def die_with_parent() -> None:
    """For preexec_fn: a parent killed with -9 leaves no server behind."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """One child process. Subclasses say how it is started and when it is ready.

    Ports are chosen at the first start and kept for every later one.
    """

    name = "server"
    host = "127.0.0.1"

    def __init__(self, folder: Path, ports: int) -> None:
        self.folder = folder
        self._ports = [free_port() for _ in range(ports)]
        self._has_been_up = False
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Write the configuration; the command that reads it."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> Self:
        """Return when it answers. Raises RuntimeError with the end of its log."""
        if self._process is not None:
            raise RuntimeError(f"{self.name} is running already")
        for left in reversed(range(_PORT_TRIES)):
            if self._launch():
                self._has_been_up = True
                return self
            lost_its_port = not self._has_been_up and not all(map(_is_free, self._ports))
            if not left or not lost_its_port:
                break
            self._ports = [free_port() for _ in self._ports]
        raise RuntimeError(f"{self.name} did not start; the end of {self._log}:\n{self._log_tail()}")

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def _log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]

    def _launch(self) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not all(map(_is_free, self._ports)):
            with self._log.open("a") as log:
                log.write(f"{self.name}: a port of {self._ports} is in use by another program\n")
            return False
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603  # what a subclass says
                self.command(),
                cwd=self.folder,  # whatever it drops stays in its own folder
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,  # noqa: PLW1509  # one call into libc, no locks
            )
        deadline_s = time.monotonic() + _READY_LIMIT_S
        while self._process.poll() is None and time.monotonic() < deadline_s:
            if self.is_ready():
                return True
            time.sleep(0.01)
        self.kill()
        return False

    def stop(self) -> None:
        """End it in order; by force when it does not come to an end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wipe(self) -> None:
        """Delete everything it has stored. Raises RuntimeError while it runs."""
        if self._process is not None:
            raise RuntimeError(f"{self.name} is running; stop or kill it first")
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()


def program(variable: str, name: str) -> str:
    # /usr/sbin, where Debian has mosquitto, is not on a user's PATH.
    path = os.environ.get(variable) or shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        raise RuntimeError(f"{name} is not installed; `make setup` installs it, or {variable} names one")
    return path


class Mosquitto(Server):
    """Debian's, or the one named by VEND_MOSQUITTO. `settings`: of mosquitto.conf, without a listener."""

    name = "mosquitto"

    def __init__(self, folder: Path, settings: str = LOOPBACK) -> None:
        super().__init__(folder, ports=1)
        self._settings = settings

    @property
    def port(self) -> int:
        return self._ports[0]

    def configuration(self) -> str:
        return f"{self._settings}\nlistener {self.port} {self.host}\n"

    def command(self) -> list[str]:
        conf = self.folder / "mosquitto.conf"
        # Started by root, Mosquitto becomes another user by default: it could no longer write to this folder,
        # and the kernel would forget that it is to die with its parent.
        conf.write_text(f"{self.configuration()}\nuser root\n")
        return [program("VEND_MOSQUITTO", "mosquitto"), "-c", str(conf)]

    def is_ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0
