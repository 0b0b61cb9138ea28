"""Types of single fields, with their limits and units in the names: what records and messages are made of.

Strict and frozen. Fields that this version does not know are ignored: one may be added at the same schema
version, anything else raises the version.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

MAX_INT: Final = 2**62  # below InfluxDB's int64, so that a sum of two never overflows

MachineId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Epoch = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
Slot = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,7}$")]
Product = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,47}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Bag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,31}$")]
Claim = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{6}$")]
Text = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
Pem = Annotated[str, StringConstraints(max_length=8_192, pattern=r"^[\x20-\x7e\n]*$")]
Serial = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,40}$")]  # of a certificate
Count = Annotated[int, Field(ge=0, le=MAX_INT)]
Minor = Annotated[int, Field(ge=0, le=MAX_INT)]
MAX_PRICE_MINOR: Final = 10_000_000
PriceMinor = Annotated[int, Field(ge=1, le=MAX_PRICE_MINOR)]
Seq = Annotated[int, Field(ge=1, le=MAX_INT)]
Celsius = Annotated[float, Field(ge=-273.15, le=1_000.0, allow_inf_nan=False)]
Tender = Literal["cash", "card", "wallet", "free", "test"]
Version = Literal[1]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


def explain(error: ValidationError) -> str:
    """A validation error in one line without the values (they may be long, or not ours to show)."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = ".".join(str(part) for part in first["loc"]) or "message"
    where = "".join(c if c.isprintable() else "?" for c in path)[:64]  # keys may be hostile too
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {first['msg']}{more}"
