"""What all shapes of Grafana's files share: nothing that is not named is allowed."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Text = Annotated[str, Field(min_length=1)]
Duration = Annotated[str, Field(pattern=r"^[0-9]+[smhd]$")]
Uid = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,40}$")]
Variable = Annotated[str, Field(pattern=r"^\$\{VEND_GRAFANA_[A-Z_]+\}$")]  # of the environment


class SourceRef(Shape):
    type: Literal["influxdb"]
    uid: Literal["vend-influx"]
