"""Settings of the cloud program."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, StringConstraints
from pydantic_settings import SettingsConfigDict

from cloud.logs import Style
from shared import schedules
from shared.settings import MqttSettings, Section, Settings

JoinUrl = Annotated[str, StringConstraints(pattern=r"^https://[A-Za-z0-9.-]+:[0-9]{1,5}$")]


class InfluxSettings(Section):
    """`database`: the database, or on 2.x the bucket. `secret`: password (1.x) or API token (2.x, 3)."""

    url: str = "http://127.0.0.1:8086"
    database: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "vending"
    username: str | None = None
    secret: SecretStr | None = None
    timeout_s: Annotated[float, Field(gt=0, le=120)] = 10.0


class IdentitySettings(Section):
    """The authority, the broker's files, and the join desk (cloud/identity).

    `ca_dir`: by default the folder `ca` in data_dir; only the commands and the signer need it. `join_url`:
    how machines reach the join desk; without it there is none.
    """

    ca_dir: Path | None = None
    valid_days: Annotated[int, Field(ge=2, le=3_650)] = 365
    broker_dir: Path = Path("/etc/vendlink")
    broker_reload: tuple[str, ...] = ("systemctl", "reload", "mosquitto")
    join_url: JoinUrl | None = None
    join_listen: str = "0.0.0.0"  # noqa: S104  # machines come from everywhere; it trusts nobody


def _loopback(text: str) -> str:
    try:
        parts = urlsplit(f"//{text}")
        usable = parts.port is not None and ip_address(parts.hostname or "").is_loopback
    except ValueError:
        usable = False
    if not usable or text != parts.netloc or "@" in text:
        raise ValueError("write an address of this computer and a port, such as 127.0.0.1:9108")
    return text


class HealthSettings(Section):
    """`listen`: where /metrics, /ready and /live answer; loopback only, for they ask nobody who he is."""

    listen: Annotated[str, AfterValidator(_loopback)] | None = None

    @property
    def address(self) -> tuple[str, int] | None:
        if self.listen is None:
            return None
        parts = urlsplit(f"//{self.listen}")
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port


def _known(name: str) -> str:
    schedules.zone_of(name)
    return name


class ReportSettings(Section):
    """`time_zone`: of the hours and days in dashboards (cloud/rollups)."""

    time_zone: Annotated[schedules.Zone, AfterValidator(_known)] = "UTC"

    @property
    def zone(self) -> ZoneInfo:
        return schedules.zone_of(self.time_zone)


class CloudSettings(Settings):
    """`share_group`: a secret that processes with a data_dir of their own have in common (cloud/app.py)."""

    model_config = SettingsConfigDict(env_prefix="VEND_CLOUD_")

    data_dir: Path
    log: Style = "auto"
    share_group: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{16,64}$")] | None = None
    mqtt: MqttSettings = MqttSettings()
    influx: InfluxSettings = InfluxSettings()
    identity: IdentitySettings = IdentitySettings()
    health: HealthSettings = HealthSettings()
    reports: ReportSettings = ReportSettings()

    @property
    def ca_dir(self) -> Path:
        return self.identity.ca_dir or self.data_dir / "ca"
