"""An operator's authority, and the real broker under the production configuration but for paths and port."""

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

from cloud.database import make
from cloud.identity import authority, broker, own
from cloud.identity.authority import Use
from cloud.identity.issue import Desk
from cloud.identity.register import Register
from deploy.demo.servers import Broker
from shared import certificates as certs
from shared.settings import MqttSettings, TlsSettings

CONF = Path(__file__).parents[2] / "mosquitto"


class Site:
    """`folder`: what the broker reads, and NAME.crt and NAME.key of everybody who was given one."""

    def __init__(self, folder: Path) -> None:
        make(folder / "store.db")
        self.folder = folder
        self.register = Register(folder / "store.db")
        self.desk = Desk(authority.make(folder / "ca", time.time_ns()), self.register, timedelta(days=30))
        issued, key = own.make(self.desk, "127.0.0.1", Use.SERVER, ("127.0.0.1",), time.time_ns())
        (folder / broker.CERTIFICATE).write_text(issued.pem)
        (folder / broker.KEY).write_bytes(key)
        broker.write_rights(self.desk, folder, time.time_ns())

    def give(self, *names: str) -> None:
        for name in names:
            issued, key = own.make(self.desk, name, Use.CLIENT, (), time.time_ns())
            (self.folder / f"{name}.crt").write_text(issued.pem)
            (self.folder / f"{name}.key").write_bytes(key)

    def pem(self, name: str) -> Path:
        """Certificate and key of this name in one file."""
        path = self.folder / f"{name}.pem"
        path.write_bytes(b"".join((self.folder / f"{name}.{part}").read_bytes() for part in ("crt", "key")))
        return path

    def serial(self, name: str) -> str:
        return certs.read((self.folder / f"{name}.crt").read_bytes()).serial

    def mqtt(self, port: int, name: str) -> MqttSettings:
        tls = TlsSettings(ca=self.folder / broker.AUTHORITY, certificate=self.pem(name))
        return MqttSettings(port=port, keepalive_s=5, tls=tls)


class ProductionBroker(Broker):
    def __init__(self, folder: Path, site: Site) -> None:
        text = (CONF / "mosquitto.conf").read_text()
        for old, new in {"/etc/vendlink": f"{site.folder}", "/var/lib/mosquitto/": f"{folder}/"}.items():
            assert old in text
            text = text.replace(old, new)
        super().__init__(folder, text)

    def configuration(self) -> str:
        assert "\nlistener 8883\n" in self._settings
        text = self._settings.replace("listener 8883", f"listener {self.port} {self.host}")
        return f"{text}\nsys_interval 1\n"  # nobody waits ten seconds for the broker's figures

    def reload(self) -> None:
        assert self.pid is not None
        os.kill(self.pid, signal.SIGHUP)
