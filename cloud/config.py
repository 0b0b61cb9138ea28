"""Settings of the cloud program."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints
from pydantic_settings import SettingsConfigDict

from shared.settings import MqttSettings, Section, Settings


class InfluxSettings(Section):
    """`database`: the database, or on 2.x the bucket. `secret`: password (1.x) or API token (2.x, 3)."""

    url: str = "http://127.0.0.1:8086"
    database: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "vending"
    username: str | None = None
    secret: SecretStr | None = None
    timeout_s: Annotated[float, Field(gt=0, le=120)] = 10.0


class CloudSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="VEND_CLOUD_")

    data_dir: Path
    mqtt: MqttSettings = MqttSettings()
    influx: InfluxSettings = InfluxSettings()
