"""Settings of the cloud program."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints
from pydantic_settings import SettingsConfigDict

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


class CloudSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="VEND_CLOUD_")

    data_dir: Path
    mqtt: MqttSettings = MqttSettings()
    influx: InfluxSettings = InfluxSettings()
    identity: IdentitySettings = IdentitySettings()

    @property
    def ca_dir(self) -> Path:
        return self.identity.ca_dir or self.data_dir / "ca"
