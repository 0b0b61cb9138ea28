"""Settings from one TOML file and the environment; a key nobody knows is refused, not ignored.

The environment wins: `VEND_EDGE_MQTT__HOST=broker` is `[mqtt] host = "broker"`.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TlsSettings(Section):
    """Files in PEM form. Without this table the connection is plain: loopback only.

    `key`: where it has a file of its own. A program that renews its certificate has both in one file, which a
    single rename replaces.
    """

    ca: Path
    certificate: Path
    key: Path | None = None

    @property
    def key_file(self) -> Path:
        return self.key or self.certificate


class MqttSettings(Section):
    host: str = "127.0.0.1"
    port: Port = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 30
    username: str | None = None
    password: SecretStr | None = None
    tls: TlsSettings | None = None


class Settings(BaseSettings):
    """Base of both programs' settings; the subclass names its environment prefix."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_nested_delimiter="__")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings  # two places are enough to look for a setting
        return env_settings, init_settings, TomlConfigSettingsSource(settings_cls)


class SettingsError(ValueError):
    """The settings cannot be used; the text says which key and what to do."""


_S = TypeVar("_S", bound=Settings)


def load(model: type[_S], path: Path) -> _S:
    """Read and check one program's settings. Raises SettingsError with every mistake in words."""
    prefix = str(model.model_config["env_prefix"])
    unknown = sorted(
        name
        for name in os.environ
        if name.upper().startswith(prefix)
        and name.upper().removeprefix(prefix).split("__")[0].lower() not in model.model_fields
    )
    if unknown:
        raise SettingsError(f"environment: {', '.join(unknown)} is no setting of this program; remove it")

    class FromFile(model):  # type: ignore[misc, valid-type]  # pydantic-settings takes the file from the class
        model_config = SettingsConfigDict(toml_file=path)

    try:
        with path.open("rb") as file:
            tomllib.load(file)
        settings: _S = FromFile()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); name the settings file") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None
    except ValidationError as error:
        lines = (f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise SettingsError("\n".join((f"{path}: these settings cannot be used:", *lines))) from None
    return settings
