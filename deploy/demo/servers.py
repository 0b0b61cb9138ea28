"""Real Mosquitto and real InfluxDB as child processes: own folder, free loopback ports, own pid only."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final, Self
from urllib.error import URLError
from urllib.request import urlopen

_READY_LIMIT_S: Final = 15.0
_PR_SET_PDEATHSIG: Final = 1
_CONF: Final = Path(__file__).parents[2] / "mosquitto" / "demo.conf"
_LIBC: Final = ctypes.CDLL(None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def die_with_parent() -> None:
    """For preexec_fn: a parent killed with -9 leaves no server behind."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """One child process. Subclasses say how it is started and when it is ready."""

    name = "server"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / f"{self.name}.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                self.command(),
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,  # noqa: PLW1509  # one call into libc, no locks
            )
        deadline_s = time.monotonic() + _READY_LIMIT_S
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self.kill()
                raise RuntimeError(f"{self.name} did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(timeout=20)

    def wipe(self) -> None:
        """Delete the data; the server must not be running."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()


def _program(variable: str, name: str) -> str:
    path = os.environ.get(variable) or shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        raise RuntimeError(f"{name} is not installed; `make demo` and `make test` install it")
    return path


class Broker(Server):
    """Debian's Mosquitto, or the one named by VEND_MOSQUITTO. `settings`: instead of our demo.conf."""

    name = "mosquitto"
    host = "127.0.0.1"

    def __init__(self, folder: Path, settings: str | None = None) -> None:
        super().__init__(folder)
        self.port = free_port()
        self._settings = _CONF.read_text() if settings is None else settings

    def command(self) -> list[str]:
        conf = self.folder / "mosquitto.conf"
        conf.write_text(f"{self._settings}\nlistener {self.port} {self.host}\n")
        return [_program("VEND_MOSQUITTO", "mosquitto"), "-c", str(conf)]

    def is_ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0


class Influx(Server):
    """Debian's InfluxDB 1.6, or the one named by VEND_INFLUXD."""

    name = "influxd"
    database = "vending"
    username: str | None = None
    secret: str | None = None

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._port, self._rpc_port = free_port(), free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def command(self) -> list[str]:
        conf = self.folder / "influxdb.conf"
        data = self.folder / "data"
        conf.write_text(f"""
reporting-disabled = true
bind-address = "127.0.0.1:{self._rpc_port}"
[meta]
  dir = "{data}/meta"
[data]
  dir = "{data}/data"
  wal-dir = "{data}/wal"
  index-version = "tsi1"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{self._port}"
  log-enabled = false
[monitor]
  store-enabled = false
[continuous_queries]
  enabled = false
""")
        return [_program("VEND_INFLUXD", "influxd"), "-config", str(conf)]

    def is_ready(self) -> bool:
        try:
            with urlopen(f"{self.url}/ping", timeout=1) as answer:
                return int(answer.status) == 204
        except (URLError, OSError):
            return False
