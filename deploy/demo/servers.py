"""Real Mosquitto and real InfluxDB as child processes (shared/servers.py), as demo and tests have them."""

from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from shared.servers import Mosquitto, Server, die_with_parent, free_port, program

__all__ = ["Broker", "Influx", "Server", "die_with_parent", "free_port"]
_CONF: Final = Path(__file__).parents[2] / "mosquitto" / "demo.conf"


class Broker(Mosquitto):
    """`settings`: instead of our demo.conf."""

    def __init__(self, folder: Path, settings: str | None = None) -> None:
        super().__init__(folder, _CONF.read_text() if settings is None else settings)


class Influx(Server):
    """Debian's InfluxDB 1.6, or the one named by VEND_INFLUXD."""

    name = "influxd"
    database = "vending"
    username: str | None = None
    secret: str | None = None

    def __init__(self, folder: Path, http: str = "") -> None:
        """`http`: lines of the configuration's [http] table beside ours."""
        super().__init__(folder, ports=2)
        self._http = http

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self._ports[0]}"

    def command(self) -> list[str]:
        http, rpc = self._ports  # the second is for backups; all servers would share its default
        conf = self.folder / "influxdb.conf"
        data = self.folder / "data"
        conf.write_text(f"""
reporting-disabled = true
bind-address = "{self.host}:{rpc}"
[meta]
  dir = "{data}/meta"
[data]
  dir = "{data}/data"
  wal-dir = "{data}/wal"
  index-version = "tsi1"
  query-log-enabled = false
[http]
  bind-address = "{self.host}:{http}"
  log-enabled = false
  {self._http}
[monitor]
  store-enabled = false
[continuous_queries]
  enabled = false
""")
        return [program("VEND_INFLUXD", "influxd"), "-config", str(conf)]

    def is_ready(self) -> bool:
        try:
            with urlopen(f"{self.url}/ping", timeout=1) as answer:
                return int(answer.status) == 204
        except (URLError, OSError):
            return False
